"""What the engine or the door refuses, as ClickHouse would say it: a code, a text and a symbolic name.

The engine raises plain RuntimeErrors whose text begins with "Code: N."; clients decide by that number whether to retry,
so it is kept exactly and never replaced by a code of the door's own.
"""

import re

from events.exit_code import ExitCode

CODED = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?(.*)", re.DOTALL)
NAMED = re.compile(r"\(([A-Z][A-Z0-9_]+)\)\s*$")

UNKNOWN_EXCEPTION = 1002


class Failure(Exception):
    """A refused statement: `code` as in ClickHouse's ErrorCodes, `text` without the code."""

    exit_code = ExitCode.MISTAKE

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {text}")
        self.code = code
        self.text = text

    @property
    def name(self) -> str:
        """READONLY, SYNTAX_ERROR, ...: what stands in brackets at the end of ClickHouse's texts."""
        found = NAMED.search(self.text)
        return found[1] if found else "UNKNOWN_EXCEPTION"


def failure_of(error: Exception) -> Failure:
    """The engine's exception as a Failure with the engine's code."""
    found = CODED.search(str(error))
    # A failed stream repeats the prefix: the innermost code is the cause.
    while found and (inner := CODED.match(found[2])):
        found = inner
    return Failure(int(found[1]), found[2]) if found else Failure(UNKNOWN_EXCEPTION, f"{error} (UNKNOWN_EXCEPTION)")


def refused(code: int, name: str, text: str) -> Failure:
    """A refusal by the door itself, in the engine's wording."""
    return Failure(code, f"{text}. ({name})")
