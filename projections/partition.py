"""All that one Kafka partition knows: its cases, its windows and its clock. The fold of the log, without any I/O.

Whatever it gives out is a function of the accepted events, the clock and the directory: not of their order, of what was
delivered twice or of where a batch was cut. Whoever holds it writes what `drain` returns in the order of docs/architecture.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from msgspec import Struct, msgpack
from msgspec.structs import astuple

from events.event import Contacted, Event, Replied, Resolved
from events.exit_code import ExitCode
from events.rejection import Reason, Rejection
from projections.announcement import NOTHING, Announcement, Standing, changed, may_stand, standing
from projections.capacity import FULL_OF_BYTES
from projections.case import (
    ENCODE,
    FOLD,
    Case,
    CaseWork,
    Head,
    decode_case,
    decode_head,
    decode_kept,
    events_of,
    fresh,
    has_grown,
    lateness,
    made_of,
)
from projections.contribution import (
    ANYTHING,
    ITS_OWN,
    MINUTE_MS,
    Contributions,
    Message,
    There,
    added_by,
    contributions,
    differences,
    effect_of,
    is_measured,
    message_differences,
    messages,
)
from projections.episode import OPEN, facts_row, key_of, status_of
from projections.promises import OpenPromises
from projections.rows import (
    CASE_COLUMNS,
    EVENT_COLUMNS,
    KEPT_CASE_COLUMNS,
    OFFSET_SHIFT,
    Columns,
    columns,
    event_row,
    gone,
    row_version,
    window_version,
)
from projections.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from events.directory import Directory
    from projections.episode import Episode
    from projections.restatement import Restatement

Entry: TypeAlias = tuple[int, int, bool, str, str, Event]
"""An accepted record of the log: (offset, record timestamp in ms, backfill, district, subject, event)."""
Cell: TypeAlias = tuple[str, str, str, str]
"""(district, scope, school, department); '' where the scope has none."""

Key: TypeAlias = tuple[int, str]
"""(opened_at, episode): what names an episode's row within its case."""

DAY_MS: Final = 24 * 60 * MINUTE_MS
QUARTER_MS: Final = 15 * MINUTE_MS
REMEMBERED_MS: Final = 100 * DAY_MS
OPEN_REMEMBERED_MS: Final = 400 * DAY_MS
LONGEST_WINDOW_MS: Final = 29 * DAY_MS
"""28 days and the pane that is being left."""
CLOCK_KEY: Final = b" clock"
"""No case has it: a district's name is not empty."""
AT_HAND: Final = 8_192
"""Cases that a fold keeps unpacked at a time, some 5 kB each. In a replay the events of a case come close together, and being
unpacked once for many of them saves 5 us an event (against 64 at a time)."""
ADOPTED_AT_ONCE: Final = 500
"""Cases made anew under another directory between two pauses: some 25 ms."""
RESTORED_AT_ONCE: Final = 60_000
"""Numbers handed to the windows at once while they are rebuilt: keeps memory flat."""


class Now(Struct, array_like=True, frozen=True, gc=False):
    """The clock's record: where it stands, the offset after the last record folded, and when nobody was told anything.

    `judged_by` is the clock by which lateness is judged; None where it is the same.
    """

    clock: int
    next_offset: int
    silence: tuple[tuple[int, int], ...] = ()
    judged_by: int | None = None


_decode_clock: Final = msgpack.Decoder(Now).decode
Measured: TypeAlias = tuple[Contributions, list[Message]]
NOT_MEASURED: Final[Measured] = ([], [])


class Archived(NamedTuple):
    """What ClickHouse has of a case: all its events in any order, both contents of a conflict, and the keys of its rows in `cases`."""

    district: str
    subject: str
    last_offset: int
    events: Sequence[Event]
    keys: Collection[Key] = ()


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
    """What is to be said of promises, in the order in which it came up."""


class NewerDirectory(Exception):
    """A case was made under a later revision of the directory than this worker has: it must not be put back."""

    exit_code = ExitCode.REFUSED

    def __init__(self, theirs: int, ours: int) -> None:
        super().__init__(
            f"another worker went on with revision {theirs} of the directory, and this one has {ours}: give it the newer file "
            "(FRONTDESK_DIRECTORY) and start it again"
        )


class Partition:
    """The mutable state of one Kafka partition, owned by one thread."""

    def __init__(self, number: int, directory: Directory, epoch: int = 1, windows: Windows | None = None) -> None:
        """`number` of the partition, `epoch` of the log (both are in the rows' versions)."""
        self.number = number
        self.epoch = epoch
        self.directory = directory
        self.windows = Windows() if windows is None else windows
        self.promises = OpenPromises()
        self._clock = 0
        self._shown_to = 0
        self._quarter = 0
        self._judged_by = 0
        self._next_offset = 0
        self._cases: dict[bytes, bytes] = {}
        self._case_rows: dict[bytes, list[Any]] = {}
        self._vanished: dict[bytes, set[Key]] = {}
        self._rewritten: dict[bytes, set[Key]] = {}
        self._tombstones: list[bytes] = []
        self._ended: dict[bytes, bytes] = {}
        self._lent: dict[bytes, Archived] = {}
        self._event_values: list[Any] = []
        self._contributions: list[int] = []
        self._claimed: list[Cell] = []
        self._claimed_as_of = 0
        self._places: dict[str, There] = {}
        self._is_known = False
        self._clock_written: tuple[int, int] = (0, 0)
        self._progress_told = 0

    @property
    def clock(self) -> int:
        """The largest instant, in ms, that a record, `advance` or `shown` has named."""
        return max(self._clock, self._shown_to)

    @property
    def next_offset(self) -> int:
        """The offset after the last record that was folded."""
        return self._next_offset

    def __len__(self) -> int:
        """How many cases are remembered, as of the last drain."""
        return len(self._cases)

    def advance(self, clock: int) -> None:
        """Move the clock to `clock` ms; it never goes back."""
        self._clock = max(self._clock, clock)

    def shown(self, as_of: int) -> None:
        """Give out no row of an instant before `as_of` ms: a worker that died has written such ones.

        What it had folded until then comes once more. So of promises nothing is said up to there: they may have been kept.
        """
        self._shown_to = max(self._shown_to, as_of)
        self._quarter = as_of // QUARTER_MS

    def fold(self, entries: Sequence[Entry], latest: int | None = None) -> list[tuple[int, Rejection]]:
        """Take in records in the order of the log. Returns those not accepted, as (index into `entries`, why).

        A timestamp over `latest` ms (the caller's wall clock and what it allows) does not move the clock. Lateness is judged by the
        records so far and by when something was forgotten, not by a clock that ran ahead with the rows of a worker that died: for
        what that one took in is not too late now. A record that comes again
        is judged as it was, although its case may be remembered by now, or full: it is in the set, or was refused.

        One long function, because each call within costs every event: what is rare is elsewhere.
        """
        rejected: list[tuple[int, Rejection]] = []
        directory, cases, values, lent = self.directory, self._cases, self._event_values, self._lent
        works: dict[bytes, CaseWork] = {}
        first_version, clock, offset = row_version(self.epoch, 0, directory.revision), self._judged_by, -1
        for index, (offset, timestamp, backfill, district, subject, event) in enumerate(entries):
            told_at = timestamp
            if timestamp > clock:
                if latest is None or timestamp <= latest:
                    clock = timestamp
                    self._clock = max(self._clock, clock)
                told_at = clock
            key = f"{district} {subject}".encode()
            work = works.get(key)
            if work is None:
                record = cases.get(key)
                if record is None and not backfill and event.time < clock - REMEMBERED_MS:
                    rejected.append((index, TOO_LATE))
                    continue
                work = self._begin(works, key, district, subject, record)
            if offset <= work.case.last_offset and not work.has_taken(event):
                perhaps_late = not backfill and event.time < clock - REMEMBERED_MS
                rejected.append((index, _refused_before(work, event, perhaps_late=perhaps_late)))
                continue
            refusal = self._make_whole_for(event, key, work, told_at) if lent and event.time < clock - REMEMBERED_MS else None
            if refusal is None:
                if work.comes_last(event):
                    self._append(work, event, told_at)
                else:
                    refusal = self._weave(work, event, told_at)
            if refusal is not None:
                rejected.append((index, refusal))
                _leave(works, key)
                continue
            work.case.touch(offset, told_at)
            delivery = (self.number, offset, timestamp, 1 if backfill else 0, first_version + (offset << OFFSET_SHIFT))
            values += event_row(district, subject, event, delivery)
        self._settle(works)
        lent.clear()
        self._judged_by = clock
        self._next_offset = max(self._next_offset, offset + 1)
        return rejected

    def drain(self, most: int | None = None, wall: int = 0) -> Changes:
        """What changed since the last drain. Every case that was touched is in it, also when it only heard what it knew.

        Of the cases that `restored` had to make anew at most `most` are given out; the others wait for the next drain. `wall` is
        what time it is, in ms, for those who are told of promises: what is long over then is no news. With 0 everything is.
        """
        changelog: list[tuple[bytes, bytes | None]] = [(key, None) for key in self._tombstones]
        changelog += [(key, self._cases[key]) for key in self._case_rows]
        for key in list(islice(self._rewritten, most)):
            self._vanished[key] = self._rewritten.pop(key)
            district, _, subject = key.decode().partition(" ")
            self._describe(key, district, subject, decode_case(self._cases[key]))
            changelog.append((key, self._cases[key]))
        announcements = self._announcements(wall)
        changes = Changes(
            self._history_columns(),
            columns(self._event_values, EVENT_COLUMNS, EVENT_COLUMNS),
            columns(list(chain.from_iterable(self._case_rows.values())), CASE_COLUMNS, KEPT_CASE_COLUMNS),
            self._window_columns(),
            self._progress_columns(),
            self._with_clock(changelog, bool(announcements)),
            announcements,
        )
        self._case_rows, self._vanished, self._event_values, self._tombstones = {}, {}, [], []
        return changes

    @property
    def pending(self) -> int:
        """How many cases that `restored` made anew have not been drained yet."""
        return len(self._rewritten)

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the changelog, in its order. All records of a key since its last tombstone are united."""
        if key == CLOCK_KEY:
            if value is not None:
                now = _decode_clock(value)
                self._clock, self._next_offset = max(self._clock, now.clock), max(self._next_offset, now.next_offset)
                self._judged_by = max(self._judged_by, now.clock if now.judged_by is None else now.judged_by)
                self.promises.restore(now.clock, now.silence)
        elif value is None:
            if key in self._cases:
                self._ended[key] = self._cases.pop(key)
            self._rewritten.pop(key, None)
        else:
            self._cases[key] = self._united(key, self._cases.get(key, value), value)

    def restored(self) -> None:
        """After the last `restore`: make anew what another fold or directory made, and build the windows as of the clock.

        May be called again after further records, of a foreign writer: the windows are built from nothing each time.
        """
        self.windows, self._places, self._contributions = type(self.windows)(), {}, []
        self.windows.advance(self.clock // MINUTE_MS)
        self.promises.forget_all()
        self._revive()
        current = _label(self.directory.revision)
        for key, record in self._cases.items():
            case = decode_case(record) if record.startswith(current) else self._made_anew(key, record)
            district = district_of(key)
            self._add_whole(district, case)
            self.promises.keep(key, district, case.episodes, self._place_in, moved=True)
            if len(self._contributions) > RESTORED_AT_ONCE:
                self._hand_over()
        self._hand_over()
        self.windows.touch_all()
        self._is_known = True

    def _revive(self) -> None:
        """Take back what a tombstone ended too early: that of a worker that had been stopped, and did not know the case's last event.

        A tombstone that is right comes with a clock by which the case is due.
        """
        for key, record in self._ended.items():
            if decode_head(record).touched_at + REMEMBERED_MS >= self._judged_by:
                later = self._cases.get(key)
                self._cases[key] = record if later is None else self._united(key, record, later)
                if later is None:
                    self._rewritten[key] = set()
        self._ended = {}

    def adopt(self, directory: Directory, restatement: Restatement) -> Iterator[None]:
        """Between two drains, make every case anew that another directory makes another one, and note what that changed.

        Yields after some cases, so that the caller can breathe; nothing may be folded before it is through. All rows and records
        are written again, with the next drains: also those that only bear another revision now.
        """
        old, self.directory = self.directory, directory
        labels = _label(old.revision), _label(directory.revision)
        is_same: dict[str, bool] = {}
        for number, (key, record) in enumerate(list(self._cases.items()), start=1):
            district = district_of(key)
            if district not in is_same:
                is_same[district] = directory.says_the_same(old, district)
            if is_same[district] and record.startswith(labels[0]):
                self._cases[key] = labels[1] + record[len(labels[0]) :]
                self._rewritten.setdefault(key, set())
                restatement.looked_at += 1
            else:
                self._adopt_case(key, district, record, restatement)
            if number % ADOPTED_AT_ONCE == 0:
                self._hand_over()
                yield

    def _adopt_case(self, key: bytes, district: str, record: bytes, restatement: Restatement) -> None:
        before = decode_case(record)
        after = self._made_anew(key, record)
        self._account(self._measured(district, before), self._measured(district, after))
        self.promises.keep(key, district, after.episodes, self._place_in, moved=True)
        restatement.note(district, before.episodes, after.episodes)

    def claim(self, cells: Iterable[Cell]) -> None:
        """Own these cells too, as of now: they will be written, with zeros if nothing is known of them.

        The newest row that they have must have been told with `shown`. A worker that died may have written it from events
        that come and go here between two drains, and no other row of its minute is sure to beat it: so the cells are written
        with every drain until one is past that minute.
        """
        self._claimed += cells
        self._claimed_as_of = self.clock // MINUTE_MS

    def absent(self, entries: Sequence[Entry]) -> list[tuple[str, str]]:
        """The (district, subject) of which the archive may know more than is remembered, and `fold` may need it: see `lend`.

        Whatever was forgotten is older than 100 days by the clock. So only an event that is so old itself, and older than all that
        is remembered of its case, may meet it: a backfilled one, or one of a case that began anew after it was forgotten.
        """
        latest = max((entry[1] for entry in entries), default=0)
        horizon = max(latest, self._judged_by) - REMEMBERED_MS
        old = [entry for entry in entries if entry[5].time < horizon]
        begins = {(entry[3], entry[4]): self._begins(entry[3], entry[4]) for entry in old}
        begun = None
        wanted: dict[tuple[str, str], None] = {}
        for _, _, backfill, district, subject, event in old:
            name = (district, subject)
            first = begins[name]
            if first is None and not backfill:
                begun = begun or {(e[3], e[4]) for e in entries if e[2] or e[5].time >= horizon}
                if name not in begun:
                    continue  # too late
            if first is None or event.time < first:
                wanted[name] = None
        return list(wanted)

    def _begins(self, district: str, subject: str) -> int | None:
        """Time of the first event that is remembered of a case; None where it is not remembered."""
        record = self._cases.get(f"{district} {subject}".encode())
        return None if record is None else decode_case(record).episodes[0].opening.time

    def lend(self, archived: Archived) -> None:
        """Have this at hand for the next `fold`, which takes it where it needs it: where, does not depend on batches."""
        self._lent[f"{archived.district} {archived.subject}".encode()] = archived

    def load(self, district: str, subject: str, events: Sequence[Event], last_offset: int) -> None:
        """Remember a case: its events from the archive, in any order, both contents of a conflict included.

        Raises ValueError when the case is remembered.
        """
        key = f"{district} {subject}".encode()
        if key in self._cases:
            raise ValueError(f"case {subject} of {district} is remembered already")
        if events:
            head = Head(FOLD, self.directory.revision, last_offset, 0, 0, [])
            case = made_of(events, (), head, district, self.directory)
            for episode in case.episodes:  # since when it was known, nobody remembers: nothing of it is news
                episode.late_ms = max(0, self._clock - episode.opening.time)
            self._add_whole(district, case)
            self._settle({key: CaseWork(district, subject, case, b"")})

    def forget(self, committed: int) -> int:
        """Forget the cases that are due and whose records all lie before the offset `committed`. Returns how many.

        Every event of such a case is too late from then on, to the millisecond: none can pass for the first of a new case.
        """
        due = [key for key, record in self._cases.items() if self._is_due(key, record, committed)]
        for key in due:
            del self._cases[key]
            self.promises.drop(key)
            self._judged_by = max(self._judged_by, self._clock)
        self._tombstones += due
        return len(due)

    def _is_due(self, key: bytes, record: bytes, committed: int) -> bool:
        head = decode_head(record)  # a third of the whole record's time, and enough for nearly all
        if (
            head.touched_at + REMEMBERED_MS >= self._clock
            or head.last_offset >= committed
            or key in self._case_rows
            or key in self._rewritten
        ):
            return False
        episodes = decode_case(record).episodes
        kept_ms = OPEN_REMEMBERED_MS if any(status_of(episode) == OPEN for episode in episodes) else REMEMBERED_MS
        promised_at = max(max(episode.response_due_at or 0, episode.resolution_due_at or 0) for episode in episodes)
        return max(head.touched_at, episodes[-1].last_at) + kept_ms < self._clock and promised_at + LONGEST_WINDOW_MS <= self._clock

    def _begin(self, works: dict[bytes, CaseWork], key: bytes, district: str, subject: str, record: bytes | None) -> CaseWork:
        """Take a case in hand; where too many are, they are put away first."""
        if len(works) == AT_HAND:
            self._settle(works)
        case = fresh(self.directory) if record is None else decode_case(record)
        work = works[key] = CaseWork(district, subject, case, record or b"")
        return work

    def _make_whole_for(self, event: Event, key: bytes, work: CaseWork, told_at: int) -> Rejection | None:
        """Unite what is remembered of a case, perhaps nothing, with its archive, if an event is older than that and the archive was lent.

        Rows of other keys that it has had are deleted. Where all of it would be too much for one case nothing is united, and the
        event is refused: returns why.
        """
        if key not in self._lent or not work.begins_after(event):
            return None
        archived = self._lent[key]
        refusal = work.refusal_with(archived.events, event)
        if refusal is not None:
            return refusal
        del self._lent[key]
        old, stood = self._measured(work.district, work.case), self._standing(work)
        work.unite(archived.events, archived.last_offset, archived.keys, self.directory, told_at)
        self._account(old, self._measured(work.district, work.case))
        self._say(stood, work)
        return None

    def _append(self, work: CaseWork, event: Event, told_at: int) -> None:
        """Add an event that comes last, and note what it changes."""
        district, episodes = work.district, work.case.episodes
        latest = episodes[-1] if episodes else None
        effect = ANYTHING if latest is None else effect_of(event, latest)
        old = self._measured(district, work.case) if effect == ANYTHING else []
        is_heard = effect == ANYTHING or (effect == ITS_OWN and isinstance(event, Replied | Resolved))
        if latest is not None and is_heard and may_stand(latest, self._clock):
            self._append_aloud(work, event, told_at)
        else:
            work.append(event, self.directory, told_at)
            if effect == ANYTHING and episodes[-1] is not latest:
                self._say(NOTHING, work)
        if effect == ANYTHING:
            self._account(old, self._measured(district, work.case))
        elif effect == ITS_OWN and latest is not None:
            place = self._place_in(district)
            here = place(latest.opening.school, latest.opening.department)
            if isinstance(event, Contacted):
                self.windows.add_message(event.time // MINUTE_MS, here, event.stakeholder, 1)
            else:
                self._contributions += added_by(event, latest, here, place)

    def _append_aloud(self, work: CaseWork, event: Event, told_at: int) -> None:
        stood = self._standing(work)
        work.append(event, self.directory, told_at)
        self._say(stood, work)

    def _weave(self, work: CaseWork, event: Event, told_at: int) -> Rejection | None:
        """Add an event anywhere: everything is looked at before and after. Returns why not, where the case is full."""
        old, stood = self._measured(work.district, work.case), self._standing(work)
        refusal = work.weave(event, self.directory, told_at)
        if refusal is None:
            self._account(old, self._measured(work.district, work.case))
            self._say(stood, work)
        return refusal

    def _standing(self, work: CaseWork) -> Standing:
        """What has passed of a case's promises as it is now. Asking the last episode first is enough for nearly all."""
        episodes, clock = work.case.episodes, self._clock
        if not episodes or (len(episodes) == 1 and not may_stand(episodes[0], clock)):
            return NOTHING
        return standing(work.district, work.subject, episodes, clock)

    def _say(self, stood: Standing, work: CaseWork) -> None:
        """Note what an event has changed of that.

        At each event, not at the end of a batch: whoever died may have said what stood between any two of them.
        """
        stands = self._standing(work)
        if stood or stands:
            self.promises.say(changed(stood, stands))

    def _announcements(self, wall: int) -> list[Announcement]:
        """What is to be said of promises: what the events changed, and what has passed since the last drain."""
        promises = self.promises
        for key in promises.come_due(self._clock):
            district, _, subject = key.decode().partition(" ")
            stands = standing(district, subject, decode_case(self._cases[key]).episodes, self._clock)
            promises.say(each for each in stands.values() if each.state == "raised" and each.passed.at >= promises.told_to)
        return promises.take(self._clock, wall)

    def _measured(self, district: str, case: Case) -> list[Measured]:
        """List what each episode of a case contributes."""
        return [self._measure(district, episode) for episode in case.episodes]

    def _measure(self, district: str, episode: Episode) -> Measured:
        if not is_measured(episode):
            return NOT_MEASURED
        place = self._place_in(district)
        here = place(episode.opening.school, episode.opening.department)
        return contributions(episode, here, place), messages(episode, here)

    def _place_in(self, district: str) -> There:
        place = self._places.get(district)
        if place is None:
            place = self._places[district] = partial(self.windows.place, district)
        return place

    def _add_whole(self, district: str, case: Case) -> None:
        """Note all that a case contributes which the windows do not have at all."""
        flat = self._contributions
        for episode in case.episodes:
            if is_measured(episode):
                place = self._place_in(district)
                here = place(episode.opening.school, episode.opening.department)
                for contribution in contributions(episode, here, place):
                    flat += contribution
                    flat.append(1)
                for message in messages(episode, here):
                    self.windows.add_message(*message, 1)

    def _account(self, old: Sequence[Measured], new: Sequence[Measured]) -> None:
        """Note the differences of a case's episodes."""
        for before, after in zip_longest(old, new, fillvalue=NOT_MEASURED):
            self._note(before, after)

    def _note(self, old: Measured, new: Measured) -> None:
        """Note the differences of an episode for the windows: the old minus, the new plus."""
        self._contributions += differences(old[0], new[0])
        if old[1] != new[1]:
            for message, sign in message_differences(old[1], new[1]):
                self.windows.add_message(*message, sign)

    def _hand_over(self) -> None:
        """Give the windows what was noted; in bulk, which costs them a tenth."""
        if self._contributions:
            self.windows.add(self._contributions)
            self._contributions = []

    def _settle(self, works: dict[bytes, CaseWork]) -> None:
        """Put away the cases at hand: their records, and their rows for the next drain."""
        for key, work in works.items():
            if work.vanished or self._rewritten:
                self._vanished.setdefault(key, set()).update(work.vanished, self._rewritten.pop(key, ()))
            self._cases[key] = ENCODE(work.case)
            self._describe(key, work.district, work.subject, work.case)
            self.promises.keep(key, work.district, work.case.episodes, self._place_in, work.moved)
        works.clear()

    def _describe(self, key: bytes, district: str, subject: str, case: Case) -> None:
        """Make the rows of a case: its episodes, and the keys that it once had and has no more, as deleted."""
        revision = self.directory.revision
        version = row_version(self.epoch, case.last_offset, revision)
        values = self._case_rows[key] = []
        for episode in case.episodes:
            values += facts_row(episode)
            values += (district, subject, self.number, case.last_offset, revision, 0, version)
        if key in self._vanished:
            for vanished in sorted(self._vanished[key].difference(map(key_of, case.episodes))):
                values += astuple(gone(vanished))
                values += (district, subject, self.number, case.last_offset, revision, 1, version)

    def _window_columns(self) -> Columns:
        minute = self.clock // MINUTE_MS
        self.windows.advance(minute)
        self._hand_over()
        for cell in self._claimed:
            self.windows.claim(*cell)
        if minute > self._claimed_as_of:
            self._claimed = []
        changed = self.windows.changed()
        if not changed:
            return []
        rows = len(changed[0])
        return [*changed, [self.number] * rows, [window_version(minute, self._next_offset, self.directory.revision)] * rows]

    def _history_columns(self) -> Columns:
        """What is to be kept of the quarter of an hour in which rows were last given out, once it is over.

        All earlier ones have been kept, whatever crashed: nobody writes a row of a quarter before those of the one before are.
        """
        quarter = self.clock // QUARTER_MS
        ended, self._quarter = self._quarter, max(self._quarter, quarter)
        return [[self.number], [ended * QUARTER_MS // 1000]] if 0 < ended < quarter else []

    def _progress_columns(self) -> Columns:
        """Up to when everything is counted: one row for each minute of the clock, also where nothing else changed."""
        minute = self._clock // MINUTE_MS
        if minute == self._progress_told:
            return []
        self._progress_told = minute
        return [[self.number], [minute * 60], [self._next_offset], [window_version(minute, self._next_offset, 0)]]

    def _with_clock(self, changelog: list[tuple[bytes, bytes | None]], has_spoken: bool) -> list[tuple[bytes, bytes | None]]:
        """End with the clock's record when anything changed or was said; a clock that only moved within its minute can wait."""
        now = (self._clock // MINUTE_MS, self._next_offset)
        if changelog or has_spoken or now != self._clock_written:
            self._clock_written = now
            changelog.append((CLOCK_KEY, ENCODE(Now(self._clock, self._next_offset, self.promises.silence, self._judged_by))))
        return changelog

    def _united(self, key: bytes, known: bytes, value: bytes) -> bytes:
        """The record of the union of two; it has to be written again unless it is the later one, `value`, itself."""
        if known == value or has_grown(one := decode_kept(known), other := decode_kept(value)):
            self._rewritten.pop(key, None)
            return value
        head = Head(FOLD, 0, max(one.last_offset, other.last_offset), max(one.touched_at, other.touched_at), 0, [])
        events, conflicts = [*events_of(one), *events_of(other)], [*one.conflicts, *other.conflicts]
        case = made_of(events, conflicts, head, district_of(key), self.directory, _earliest(known, value))
        if self._is_known:
            self._say_of(key, known, case)
        record = ENCODE(case)
        if record == value:
            self._rewritten.pop(key, None)
        else:
            keys = {key_of(episode) for kept in (one, other) for episode in kept.episodes}
            self._rewritten[key] = (self._rewritten.get(key, set()) | keys).difference(map(key_of, case.episodes))
        return record

    def _say_of(self, key: bytes, record: bytes, case: Case) -> None:
        """Note what is to be said when `case` takes the place of what `record` told, as of when everything was said."""
        if decode_head(record).fold == FOLD:
            district, _, subject = key.decode().partition(" ")
            clock = self.promises.told_to
            stood = standing(district, subject, decode_case(record).episodes, clock)
            self.promises.say(changed(stood, standing(district, subject, case.episodes, clock)))

    def _made_anew(self, key: bytes, record: bytes) -> Case:
        """A case that another fold version or directory revision has made; its rows and its record are written again."""
        kept = decode_kept(record)
        if kept.directory > self.directory.revision:
            raise NewerDirectory(kept.directory, self.directory.revision)
        case = made_of(events_of(kept), kept.conflicts, kept, district_of(key), self.directory, _earliest(record))
        self._say_of(key, record, case)
        self._rewritten[key] = self._rewritten.get(key, set()).union(map(key_of, kept.episodes)).difference(map(key_of, case.episodes))
        self._cases[key] = ENCODE(case)
        return case


def _leave(works: dict[bytes, CaseWork], key: bytes) -> None:
    """Put down a case that took nothing: there is none, and the next event is judged so."""
    if not works[key].case.episodes:
        del works[key]


def _refused_before(work: CaseWork, event: Event, *, perhaps_late: bool) -> Rejection:
    """Why an event is not in the set although its record was judged: what is young, or history, was never too late."""
    return work.refusal(event) or (TOO_LATE if perhaps_late else FULL_OF_BYTES)


def _label(revision: int) -> bytes:
    """How the record of a case begins that this fold made under a revision of the directory."""
    return RECORD_HEAD + ENCODE(FOLD) + ENCODE(revision)


def _earliest(*records: bytes) -> dict[Key, int]:
    """How late each episode of these records of a case became known: the least that one of them tells. Other folds tell nothing."""
    found: dict[Key, int] = {}
    for record in records:
        if decode_head(record).fold == FOLD:
            for key, late_ms in lateness(decode_case(record).episodes).items():
                found[key] = min(late_ms, found.get(key, late_ms))
    return found


def district_of(key: bytes) -> str:
    """Return the district of a case's key, "district subject"."""
    return key.decode().partition(" ")[0]


TOO_LATE: Final = Rejection(Reason.TOO_LATE, "$.time", "the case is no longer remembered and the event is over 100 days old")
RECORD_HEAD: Final = ENCODE(Case(FOLD, 0, 0, 0, 0, [], []))[:1]
"""The first byte of a case's record: an array of so many fields."""
