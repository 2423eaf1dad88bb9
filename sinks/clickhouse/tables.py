"""Which columns a worker writes, in which order. The tables have these and a few that the server fills in itself.

An insert names its columns: the order in which a table has them means nothing.
"""

from collections.abc import Sequence
from typing import Any, Final

from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, PROGRESS_COLUMNS, WINDOW_COLUMNS

Columns = list[Any]
"""Equally long lists (or numpy arrays), one for each column of the table; [] for no rows."""

DEAD_LETTER_COLUMNS: Final = ("topic_id", "topic", "partition", "offset", "produced_at", "reason", "path", "message", "bytes", "source")
"""`produced_at` in milliseconds since the epoch, `bytes` the size of the record's value."""

HISTORY: Final = "windows_history"
HISTORY_COLUMNS: Final = ("partition", "since")
"""What tells which rows of `windows` are to be kept: those of a partition as of `since` (s) and later. The server copies them."""

WRITTEN: Final[dict[str, tuple[str, ...]]] = {
    HISTORY: HISTORY_COLUMNS,
    "events": EVENT_COLUMNS,
    "cases": CASE_COLUMNS,
    "windows": WINDOW_COLUMNS,
    "dead_letters": DEAD_LETTER_COLUMNS,
    "progress": PROGRESS_COLUMNS,
}
STORED: Final[dict[str, tuple[str, ...]]] = WRITTEN | {
    "events": (*EVENT_COLUMNS, "content_hash", "ingested_at"),
    "dead_letters": (*DEAD_LETTER_COLUMNS, "state", "changed_at", "version"),
    HISTORY: ("slot", *WINDOW_COLUMNS),
}
"""All columns of these tables."""


def copy_of(table: str, source: str, target: str) -> str:
    """The statement that copies the rows of `source` to `target`, both tables of this name; a condition may follow."""
    columns = _named(STORED[table])
    return f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {source}"


def kept_of(source: str) -> str:
    """The statement that copies what stands in `source`, a table of windows, into the history; a condition may follow."""
    columns = _named(WINDOW_COLUMNS)
    return f"INSERT INTO {HISTORY} (slot, {columns}) SELECT toStartOfFifteenMinutes(as_of), {columns} FROM {source} FINAL"


def insert_into(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({_named(columns)}) VALUES"


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)
