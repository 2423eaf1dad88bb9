"""What one partition gives out: the rows of each table since the last drain, as columns, and the records of the changelog.

A row is absolute, so what is touched twice between two drains has one row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import astuple

from projections.case_store import case_named
from projections.contribution import MINUTE_MS
from projections.episode import facts_row, key_of
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, KEPT_CASE_COLUMNS, Columns, columns, gone, row_version, window_version
from projections.stream_time import CLOCK_KEY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from projections.accounting import Accounting
    from projections.announcement import Announcement
    from projections.case import Case
    from projections.case_store import CaseStore, Key
    from projections.stream_time import StreamTime
    from projections.windows import Windows

QUARTER_MS: Final = 15 * MINUTE_MS


@dataclass(frozen=True)
class Changes:
    """What changed since the last drain: columns for each table, then the records of the changelog, the clock's last.

    `history` is written before `windows`: (partition, since, in s); the rows of `windows` that stand as of then or later are the last ones
    of a quarter of an hour that is over.
    """

    history: Columns = field(default_factory=list)
    events: Columns = field(default_factory=list)
    cases: Columns = field(default_factory=list)
    windows: Columns = field(default_factory=list)
    progress: Columns = field(default_factory=list)
    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)
    """What there is to announce of promises, in the order in which it came up."""


class RowBuffer:
    """Rows that wait for the next drain. Mutable, owned by one partition."""

    def __init__(self, number: int, epoch: int) -> None:
        self.events: list[Any] = []
        """Values of rows of `events`, one row behind the other: the fold adds them itself, which saves a call for each."""
        self.cases: dict[bytes, list[Any]] = {}
        """Values of the rows of each case, by its key."""
        self.number = number
        self.epoch = epoch
        self._deleted: dict[bytes, set[Key]] = {}
        self._claimed: list[tuple[str, str, str, str]] = []
        self._claimed_in = 0
        self._quarter = 0
        self._progress_in = 0
        self._clock_written = (0, 0)

    def describe(self, key: bytes, district: str, subject: str, case: Case, had: Collection[Key]) -> None:
        """Make the rows of a case: its episodes, and as deleted the keys that it once had, and has no more."""
        version = row_version(self.epoch, case.last_offset, case.directory)
        values = self.cases[key] = []
        for episode in case.episodes:
            values += facts_row(episode)
            values += (district, subject, self.number, case.last_offset, case.directory, 0, version)
        if had:
            self._deleted.setdefault(key, set()).update(had)
        if key in self._deleted:
            for deleted in sorted(self._deleted[key].difference(map(key_of, case.episodes))):
                values += astuple(gone(deleted))
                values += (district, subject, self.number, case.last_offset, case.directory, 1, version)

    def start_at(self, as_of: int) -> None:
        """Rows up to that instant, in ms, have been given out by another worker."""
        self._quarter = as_of // QUARTER_MS

    def claim(self, cells: Iterable[tuple[str, str, str, str]], as_of: int) -> None:
        """Give out these cells, too, until the clock is past the minute of `as_of`."""
        self._claimed += cells
        self._claimed_in = as_of // MINUTE_MS

    def drain(self, store: CaseStore, accounting: Accounting, time: StreamTime, most: int | None, wall: int) -> Changes:
        """Give out all of it, and at most `most` of the cases that were made anew; what there is to announce is judged at `wall` ms."""
        changelog: list[tuple[bytes, bytes | None]] = [(key, None) for key in store.take_tombstones()]
        for key, had in store.take_rewritten(most):
            self.describe(key, *case_named(key), store.case(key), had)
        changelog += [(key, store.records[key]) for key in self.cases]
        announcements = accounting.announcements(wall, store.case)
        changes = Changes(
            self._history_columns(time),
            columns(self.events, EVENT_COLUMNS, EVENT_COLUMNS),
            self.case_columns(),
            self.window_columns(accounting.settled(), time, store.directory.revision),
            self._progress_columns(time),
            changelog,
            announcements,
        )
        clock = (time.now // MINUTE_MS, time.next_offset)  # one that only moved within its minute can wait
        if changelog or announcements or clock != self._clock_written:
            self._clock_written = clock
            changelog.append((CLOCK_KEY, time.record(accounting.promises.muted)))
        self.cases, self._deleted, self.events = {}, {}, []
        return changes

    def case_columns(self) -> Columns:
        return columns(list(chain.from_iterable(self.cases.values())), CASE_COLUMNS, KEPT_CASE_COLUMNS)

    def _history_columns(self, time: StreamTime) -> Columns:
        """What is to be kept of the quarter of an hour in which rows were last given out, once it is over.

        All earlier ones have been kept, whatever crashed: nobody writes a row of a quarter before those of the one before are.
        """
        quarter = time.as_of // QUARTER_MS
        ended, self._quarter = self._quarter, max(self._quarter, quarter)
        return [[self.number], [ended * QUARTER_MS // 1000]] if 0 < ended < quarter else []

    def window_columns(self, windows: Windows, time: StreamTime, revision: int) -> Columns:
        """What changed in `windows`, and what was claimed."""
        minute = time.as_of // MINUTE_MS
        for cell in self._claimed:
            windows.claim(*cell)
        if minute > self._claimed_in:
            self._claimed = []
        changed = windows.changed()
        if not changed:
            return []
        rows = len(changed[0])
        return [*changed, [self.number] * rows, [window_version(minute, time.next_offset, revision)] * rows]

    def _progress_columns(self, time: StreamTime) -> Columns:
        """Up to when everything is counted: one row for each minute of the clock, also where nothing else changed."""
        minute = time.now // MINUTE_MS
        if minute == self._progress_in:
            return []
        self._progress_in = minute
        return [[self.number], [minute * 60], [time.next_offset], [window_version(minute, time.next_offset, 0)]]
