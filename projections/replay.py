"""Cases of one partition one after the other, each from all of its events, none remembered: what a rebuild folds with.

A case is the set of its events, so the order of the log does not matter and memory holds one batch of cases and the windows
of their cells. Nothing is judged a second time: every event that is given was accepted. Without any I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from projections.case import ENCODE
from projections.partition import CLOCK_KEY, Partition
from projections.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.directory import Directory
    from events.event import Event
    from projections.rows import Columns


class Told(NamedTuple):
    """A case as the archive tells it: its events in any order, both contents of a conflict included."""

    district: str
    subject: str
    last_offset: int
    events: list[Event]


class Replay:
    """Mutable: the windows of the cases that were folded, as of `clock` ms, with the records before offset `settled`."""

    def __init__(self, number: int, directory: Directory, epoch: int, clock: int, settled: int) -> None:
        self._number = number
        self._directory = directory
        self._epoch = epoch
        self._clock = clock
        self._settled = settled
        self._windows = Windows()

    def fold(self, cases: Iterable[Told]) -> Columns:
        """Rows of `cases` for these, each given once; they count in the windows from now on.

        A case that a record at `settled` or later names has no rows here: its worker writes them, and the archive may hold half
        of what it is writing. In the windows such a case counts as far as it is known.
        """
        settled, moving = self._partition(), self._partition()
        for case in cases:
            where = settled if case.last_offset < self._settled else moving
            where.load(case.district, case.subject, case.events, case.last_offset)
        moving.drain()
        return settled.drain().cases

    def windows(self) -> Columns:
        """Rows of every cell."""
        self._windows.touch_all()
        return self._partition().drain().windows

    def _partition(self) -> Partition:
        partition = Partition(self._number, self._directory, self._epoch, self._windows)
        partition.restore(CLOCK_KEY, ENCODE((self._clock, self._settled)))
        return partition
