"""What no statement may do, whoever sends it: read or write outside the database.

The engine's own access control does most of it: its one user has grants for tables and views, none for sources, and settings that
hold SQL text or name files cannot be changed (`config.py`). A few things ask for no grant: the scalar `file`, `python`, `executable`,
INTO OUTFILE, FROM INFILE, some table engines. Those are refused here, on the names that the engine's own parser finds in the text.
"""

import re
from collections.abc import Callable
from typing import Any

from deploy.embedded.clickhouse.failure import Failure, refused

ACCESS_DENIED = 497
TABLE_FUNCTIONS = frozenset(
    "dictionary format fuzzJSON generateRandom generateSeries generate_series input loop merge mergeTreeIndex mergeTreeProjection "  # noqa: SIM905 - so many quoted words are hard to read
    "null numbers numbers_mt primes values view viewExplain viewIfPermitted zeros zeros_mt".split()
)
"""They make up rows, or read what is in the database. Every other one, also one that a newer engine brings, is refused."""

TABLE_ENGINES = frozenset(
    "MergeTree ReplacingMergeTree SummingMergeTree AggregatingMergeTree CollapsingMergeTree VersionedCollapsingMergeTree "  # noqa: SIM905 - so many quoted words are hard to read
    "CoalescingMergeTree Memory Null Log TinyLog StripeLog Buffer Merge Set Join View MaterializedView GenerateRandom Atomic".split()
)
"""They keep their rows in the data folder or nowhere. Every other one is refused."""

FILE, DISK = "file", "disk"
"""A scalar function that reads files, also where its bare name is handed to another function; and what describes a disk anywhere."""

FILE_WORDS = re.compile(r"\b(?:IN|OUT)FILE\b")
WORDS = """WITH formatQuerySingleLine({sql:String}) AS text, highlightQuery(text) AS ranges
SELECT arrayMap(range -> (substring(text, range.1 + 1, range.2 - range.1), range.3),
    arrayFilter(range -> range.3 IN ('function', 'identifier', 'keyword'), ranges))"""
"""The names and keywords of a statement in the engine's own wording: without comments and escapes, and with one way of quoting."""

ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r", "\0": r"\0"})
Ask = Callable[[str, dict[str, str]], list[list[Any]]]


class StatementPolicy:
    """`table_functions` are those that the engine knows."""

    def __init__(self, table_functions: set[str]) -> None:
        self.foreign = frozenset(name.lower() for name in table_functions - TABLE_FUNCTIONS) | {FILE, DISK}

    def check(self, ask: Ask, sql: str) -> None:
        """Failure 497 for a statement that reaches outside; Failure 62 where the engine's parser finds no statement.

        `ask` puts a question to the engine, in a session that no client has changed.
        """
        after_engine = False
        for word, kind in words(ask, sql):
            name = word.strip('`"')
            if kind == "keyword":
                if FILE_WORDS.search(word):
                    raise denied(word)
            elif after_engine and name not in TABLE_ENGINES:
                raise denied(f"the engine {name}")
            elif name.lower() == FILE or (kind == "function" and not after_engine and name.lower() in self.foreign):
                raise denied(name)
            after_engine = kind == "keyword" and word == "ENGINE"


def words(ask: Ask, sql: str) -> list[tuple[str, str]]:
    """(word, kind) in their order."""
    try:
        (((*found,),),) = ask(WORDS, {"sql": sql.translate(ESCAPES)})
    except Failure as failure:
        raise Failure(failure.code, f"{failure.text.split(': In scope')[0]}. ({failure.name})") from None
    return [(word, kind) for word, kind in found]


def denied(what: str) -> Failure:
    return refused(ACCESS_DENIED, "ACCESS_DENIED", f"Nothing outside the database can be read or written here: {what}")
