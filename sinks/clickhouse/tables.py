"""Which columns a worker writes, in which order. The tables have these and a few that the server fills in itself."""

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
