"""What kind of statement is this? The few questions about SQL text that the door must answer itself.

The engine parses everything; the door only needs to know whether a client is about to send data, and whether the result can
be streamed. What may be done at all is judged by the engine's own parser (`policy.py`). Comments may stand anywhere.
"""

import re
from dataclasses import dataclass

GAP = r"(?:\s|--[^\n]*(?:\n|$)|\#[^\n]*(?:\n|$)|/\*.*?\*/)"
NAME = r"(?:`(?:[^`\\]|\\.)+`|\"(?:[^\"\\]|\\.)+\"|\w+)"
INSERT = re.compile(
    rf"{GAP}*INSERT{GAP}+INTO{GAP}+(?:TABLE{GAP}+)?"
    rf"(?P<table>FUNCTION{GAP}+\w+{GAP}*\(.*?\)|{NAME}(?:{GAP}*\.{GAP}*{NAME})?)"
    rf"{GAP}*(?P<columns>\((?:[^()]|\([^()]*\))*\))?"
    rf"{GAP}*(?P<settings>SETTINGS\s+.*?)?{GAP}*(?:VALUES|FORMAT\s+(?P<format>\w+))?{GAP}*;?{GAP}*$",
    re.IGNORECASE | re.DOTALL,
)
STREAMED = re.compile(rf"{GAP}*\(*{GAP}*(?:SELECT|WITH|FROM)\b", re.IGNORECASE | re.DOTALL)
FORMAT = re.compile(rf"\bFORMAT\s+(\w+)\s*(SETTINGS\s[^']*)?{GAP}*;?{GAP}*$", re.IGNORECASE | re.DOTALL)
SET = re.compile(rf"{GAP}*SET{GAP}+", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT whose data the client is going to send: the parts of its text."""

    table: str
    columns: str = ""
    settings: str = ""

    def from_file(self, path: str, data_format: str) -> str:
        """The statement with its data in a file."""
        return f"INSERT INTO {self.table} {self.columns} FROM INFILE {quoted(path)} COMPRESSION 'none' {self.settings} FORMAT {data_format}"


def insert_of(sql: str) -> Insert | None:
    """The INSERT that wants data, None for every other statement (also for INSERT ... SELECT and inline VALUES)."""
    found = INSERT.match(sql)
    return Insert(found["table"], found["columns"] or "", found["settings"] or "") if found else None


def is_streamed(sql: str) -> bool:
    return STREAMED.match(sql) is not None


def without_format(sql: str) -> str:
    """The statement without its FORMAT clause and closing semicolon."""
    return FORMAT.sub(lambda found: found[2] or "", sql).rstrip().rstrip(";")


def is_set(sql: str) -> bool:
    return SET.match(sql) is not None


def quoted(text: object) -> str:
    """A value as an SQL literal."""
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
