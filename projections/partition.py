"""The fold of one Kafka partition's log, without any I/O: events in, and what changed out.

Whatever it gives out is a function of the accepted events, the clock and the directory: not of their order, of what was
delivered twice or of where a batch was cut. Four things work together: stream time, the store of cases, the accounting of what they
contribute, and the rows that wait. Whoever holds a partition writes what `drain` returns in the order of docs/architecture.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from events.event import Event, Replied, Resolved
from events.rejection import Reason, Rejection
from projections.accounting import Accounting
from projections.announcement import NOTHING, may_stand
from projections.archive import Archive
from projections.capacity import FULL_OF_BYTES
from projections.case import CaseWork, decode_case
from projections.case_store import REMEMBERED_MS, CaseStore, district_of
from projections.changes import Changes, RowBuffer
from projections.contribution import ANYTHING, ITS_OWN, effect_of
from projections.rows import OFFSET_SHIFT, event_row, row_version
from projections.stream_time import CLOCK_KEY, MOST_AHEAD_MS, StreamTime, decode_clock
from projections.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from events.directory import Directory
    from projections.restatement import Restatement

Entry: TypeAlias = tuple[int, int, bool, str, str, Event]
"""An accepted record of the log: (offset, record timestamp in ms, backfill, district, subject, event)."""

AT_HAND: Final = 8_192
"""Cases that a fold keeps unpacked at a time, some 5 kB each. In a replay the events of a case come close together, and being
unpacked once for many of them saves 5 us an event (against 64 at a time)."""
ADOPTED_AT_ONCE: Final = 500
"""Cases made anew under another directory between two pauses: some 25 ms."""


class Partition:
    """Mutable, owned by one thread."""

    def __init__(self, number: int, directory: Directory, epoch: int = 1, windows: Windows | None = None) -> None:
        """`number` of the partition, `epoch` of the log (both are in the rows' versions)."""
        self._time = StreamTime()
        self.store = CaseStore(directory)
        self._accounting = Accounting(Windows() if windows is None else windows, self._time)
        self._rows = RowBuffer(number, epoch)
        self.archive = Archive(self.store, self._time)
        self.promises = self._accounting.promises
        self._is_restored = False

    def __len__(self) -> int:
        """How many cases are remembered, as of the last drain."""
        return len(self.store.records)

    @property
    def clock(self) -> int:
        """The largest instant, in ms, that a record, `advance` or `start_rows_at` has named."""
        return self._time.as_of

    @property
    def next_offset(self) -> int:
        """The offset after the last record that was folded."""
        return self._time.next_offset

    @property
    def windows(self) -> Windows:
        return self._accounting.windows

    @property
    def pending(self) -> int:
        """How many cases that were made anew have not been drained yet."""
        return len(self.store.rewritten)

    def advance(self, clock: int) -> None:
        """Move the clock to `clock` ms; it never goes back."""
        self._time.advance(clock)

    # -- fold ---------------------------------------------------------------------------------------------------------
    def fold(self, entries: Sequence[Entry], wall: int | None = None) -> list[tuple[int, Rejection]]:
        """Take in records in the order of the log. Returns those not accepted, as (index into `entries`, why).

        A timestamp over five minutes ahead of `wall` ms, where that is given, does not move the clock. A record that comes again
        is judged as it was, although its case may be remembered by now, or full: it is in the set, or was refused.

        One long function, because each call within costs every event: what is rare is elsewhere.
        """
        rejected: list[tuple[int, Rejection]] = []
        time, store, rows, values = self._time, self.store, self._rows, self._rows.events
        works, archived = dict[bytes, CaseWork](), self.archive.at_hand
        first_version, watermark, offset = row_version(rows.epoch, 0, store.directory.revision), time.watermark, -1
        latest = None if wall is None else wall + MOST_AHEAD_MS
        for index, (offset, timestamp, backfill, district, subject, event) in enumerate(entries):
            known_at = timestamp
            if timestamp > watermark:
                if latest is None or timestamp <= latest:
                    watermark = timestamp
                    time.now = max(time.now, watermark)
                known_at = watermark
            key = f"{district} {subject}".encode()
            work = works.get(key)
            if work is None:
                if key not in store.records and not backfill and event.time < watermark - REMEMBERED_MS:
                    rejected.append((index, TOO_LATE))
                    continue
                if len(works) == AT_HAND:
                    self._put_away(works)
                work = works[key] = store.work_on(key, district, subject)
            if offset <= work.case.last_offset and not work.has_taken(event):
                perhaps_late = not backfill and event.time < watermark - REMEMBERED_MS
                rejected.append((index, _refused_before(work, event, perhaps_late=perhaps_late)))
                continue
            may_unite = archived and event.time < watermark - REMEMBERED_MS
            refusal = self.archive.unite(event, key, work, known_at, self._accounting) if may_unite else None
            refusal = refusal or self._add(work, event, known_at)
            if refusal is not None:
                rejected.append((index, refusal))
                if not work.case.episodes:  # it took nothing: there is none, and the next event is judged so
                    del works[key]
                continue
            work.case.touch(offset, known_at)
            delivery = (rows.number, offset, timestamp, 1 if backfill else 0, first_version + (offset << OFFSET_SHIFT))
            values += event_row(district, subject, event, delivery)
        self._put_away(works)
        archived.clear()
        time.watermark = watermark
        time.next_offset = max(time.next_offset, offset + 1)
        return rejected

    def _add(self, work: CaseWork, event: Event, known_at: int) -> Rejection | None:
        """Add an event, and note what that changes. Returns why not, where the case is full."""
        accounting, directory, episodes = self._accounting, self.store.directory, work.case.episodes
        if not work.comes_last(event):
            before = accounting.balance(work)
            refusal = work.insert_out_of_order(event, directory, known_at)
            if refusal is None:
                accounting.post(before, work)
            return refusal
        latest = episodes[-1] if episodes else None
        effect = ANYTHING if latest is None else effect_of(event, latest)
        if effect == ANYTHING or latest is None:
            before = accounting.balance(work)
            work.append(event, directory, known_at)
            accounting.post(before, work)
        elif effect == ITS_OWN:
            may_end = isinstance(event, Replied | Resolved) and may_stand(latest, self._time.now)
            passed = accounting.passed(work) if may_end else NOTHING
            work.append(event, directory, known_at)
            accounting.post_own(passed, work, event, latest)
        else:
            work.append(event, directory, known_at)
        return None

    def _put_away(self, works: dict[bytes, CaseWork]) -> None:
        """Put the cases at hand back into the store, and make their rows."""
        put, describe, keep, place_in = self.store.put, self._rows.describe, self.promises.keep, self._accounting.place_in
        for key, work in works.items():
            describe(key, work.district, work.subject, work.case, put(key, work))
            keep(key, work.district, work.case.episodes, place_in, work.moved)
        works.clear()

    def drain(self, most: int | None = None, wall: int = 0) -> Changes:
        """What changed since the last drain. Every case that was touched is in it, also when it only heard what it knew.

        Of the cases that were made anew at most `most` are given out; the others wait for the next drain. `wall` is what time it is,
        in ms, for those who are notified of promises: what is long over then is no news. With 0 everything is.
        """
        return self._rows.drain(self.store, self._accounting, self._time, most, wall)

    # -- after a restart ----------------------------------------------------------------------------------------------
    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the changelog, in its order."""
        if key != CLOCK_KEY:
            replaced = self.store.restore(key, value)
            if replaced and self._is_restored:
                self._accounting.announce_replaced(replaced)
        elif value is not None:
            record = decode_clock(value)
            self._time.restore(record)
            self.promises.restore(record.now, record.muted)

    def restored(self) -> None:
        """After the last `restore`: make anew what another fold or directory made, and build the windows as of the clock.

        May be called again after further records, of a foreign writer: the windows are built from nothing each time.
        """
        accounting = self._accounting
        accounting.start_anew()
        for revived in self.store.revive(self._time.watermark):
            if self._is_restored:
                accounting.announce_replaced(revived)
        for renewed in self.store.renew():
            accounting.announce_replaced(renewed)
        keep, place_in = self.promises.keep, accounting.place_in
        for key, record in self.store.records.items():
            district, case = district_of(key), decode_case(record)
            accounting.add(district, case)
            keep(key, district, case.episodes, place_in, moved=True)
        accounting.hand_over()
        accounting.windows.touch_all()
        self._is_restored = True

    def start_rows_at(self, as_of: int) -> None:
        """Give out no row of an instant before `as_of` ms: a worker that died has written such ones.

        What it had folded until then comes once more. So of promises nothing is announced up to there: they may have been kept.
        """
        self._time.rows_from = max(self._time.rows_from, as_of)
        self._rows.start_at(as_of)

    def claim(self, cells: Iterable[tuple[str, str, str, str]]) -> None:
        """Own these cells too, as of now: they will be written, with zeros if nothing is known of them.

        The newest row that they have must have been named by `start_rows_at`. A worker that died may have written it from events
        that come and go here between two drains, and no other row of its minute is sure to beat it: so the cells are written
        with every drain until one is past that minute.
        """
        self._rows.claim(cells, self.clock)

    def adopt(self, directory: Directory, restatement: Restatement) -> Iterator[None]:
        """Between two drains, make every case anew that another directory makes another one, and note what that changed.

        Yields after some cases, so that the caller can breathe; nothing may be folded before it is through. All rows and records
        are written again, with the next drains: also those that only bear another revision now.
        """
        accounting = self._accounting
        for number, replaced in enumerate(self.store.adopt(directory), start=1):
            if replaced is None:
                restatement.looked_at += 1
            else:
                restatement.note(district_of(replaced.key), accounting.replace(replaced), replaced.case.episodes)
            if number % ADOPTED_AT_ONCE == 0:
                accounting.hand_over()
                yield

    # -- forgotten cases ----------------------------------------------------------------------------------------------
    def forget(self, committed: int) -> int:
        """Forget the cases that are due and whose records all lie before the offset `committed`. Returns how many.

        Every event of such a case is too late from then on, to the millisecond: none can pass for the first of a new case.
        """
        due = self.store.forget(self._time.now, committed, self._rows.cases)
        for key in due:
            self.promises.drop(key)
        if due:
            self._time.watermark = max(self._time.watermark, self._time.now)
        return len(due)


def _refused_before(work: CaseWork, event: Event, *, perhaps_late: bool) -> Rejection:
    """Why an event is not in the set although its record was judged: what is young, or history, was never too late."""
    return work.refusal(event) or (TOO_LATE if perhaps_late else FULL_OF_BYTES)


TOO_LATE: Final = Rejection(Reason.TOO_LATE, "$.time", "the case is no longer remembered and the event is over 100 days old")
