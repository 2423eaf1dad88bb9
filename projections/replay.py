"""Cases of one partition one after the other, each from all of its events, none remembered: what a rebuild folds with.

A case is the set of its events, so the order of the log does not matter and memory holds one batch of cases and the windows
of their cells. Nothing is judged a second time: every event that is given was accepted. Without any I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.accounting import Accounting
from projections.case import FOLD, Head, made_of
from projections.case_store import case_key
from projections.changes import RowBuffer
from projections.stream_time import StreamTime
from projections.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.directory import Directory
    from projections.archive import Archived
    from projections.rows import Columns


class Replay:
    """Mutable: the windows of the cases that were folded, as of `clock` ms, with the records before offset `settled`."""

    def __init__(self, number: int, directory: Directory, epoch: int, clock: int, settled: int) -> None:
        self._number = number
        self._directory = directory
        self._epoch = epoch
        self._time = StreamTime(clock, settled)
        self._accounting = Accounting(Windows(), self._time)

    def fold(self, cases: Iterable[Archived]) -> Columns:
        """Rows of `cases` for these, each given once and with events; they count in the windows from now on.

        A case that a record at `settled` or later names has no rows here: its worker writes them, and the archive may hold half
        of what it is writing. In the windows such a case counts as far as it is known.
        """
        rows = RowBuffer(self._number, self._epoch)
        for district, subject, last_offset, events, _ in cases:
            case = made_of(events, (), Head(FOLD, 0, last_offset, 0, 0, []), district, self._directory)
            for episode in case.episodes:  # since when it was known, nobody remembers: nothing of it is news
                episode.late_ms = max(0, self._time.now - episode.opening.time)
            self._accounting.add(district, case)
            if last_offset < self._time.next_offset:
                rows.describe(case_key(district, subject), district, subject, case, ())
        return rows.case_columns()

    def windows(self) -> Columns:
        """Rows of every cell."""
        windows = self._accounting.settled()
        windows.touch_all()
        return RowBuffer(self._number, self._epoch).window_columns(windows, self._time, self._directory.revision)
