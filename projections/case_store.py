"""What one partition remembers: the record of each case, under its key "district subject", as it stands in the changelog.

A state store in the sense of Kafka Streams. Cases come back after a restart, are united where two workers wrote them, are made
anew under another directory, and are forgotten in the end. Whoever counts learns from each of these what was before and what is after.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from events.exit_code import ExitCode
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
from projections.contribution import MINUTE_MS
from projections.episode import OPEN, key_of, status_of

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator

    from events.directory import Directory
    from projections.case import Kept

Key: TypeAlias = tuple[int, str]
"""(opened_at, episode): what names an episode's row within its case."""

DAY_MS: Final = 24 * 60 * MINUTE_MS
REMEMBERED_MS: Final = 100 * DAY_MS
OPEN_REMEMBERED_MS: Final = 400 * DAY_MS
LONGEST_WINDOW_MS: Final = 29 * DAY_MS
"""28 days and the pane that is being left."""


class Replaced(NamedTuple):
    """A record, and the case that has taken its place."""

    key: bytes
    record: bytes
    case: Case


class NewerDirectory(Exception):
    """A case was made under a later revision of the directory than this worker has: it must not be put back."""

    exit_code = ExitCode.REFUSED

    def __init__(self, theirs: int, ours: int) -> None:
        super().__init__(
            f"another worker went on with revision {theirs} of the directory, and this one has {ours}: give it the newer file "
            "(FRONTDESK_DIRECTORY) and start it again"
        )


class CaseStore:
    """Mutable, owned by one partition."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.records: dict[bytes, bytes] = {}
        self.rewritten: dict[bytes, set[Key]] = {}
        """Cases that were made anew and not drained since, with the keys of rows that they have no more."""
        self._tombstones: list[bytes] = []
        self._ended: dict[bytes, bytes] = {}

    @property
    def nbytes(self) -> int:
        """What the records and their keys take in the changelog once it is compacted."""
        return sum(map(len, self.records)) + sum(map(len, self.records.values()))

    def case(self, key: bytes) -> Case:
        return decode_case(self.records[key])

    def work_on(self, key: bytes, district: str, subject: str) -> CaseWork:
        """Take a case in hand, or a new one."""
        record = self.records.get(key)
        return CaseWork(district, subject, fresh(self.directory) if record is None else decode_case(record), record or b"")

    def put(self, key: bytes, work: CaseWork) -> Collection[Key]:
        """Put away a case that was in hand. Returns the keys of rows that it has had since its last ones and may have no more."""
        self.records[key] = ENCODE(work.case)
        return self.rewritten.pop(key, set()) | work.vanished if work.vanished or self.rewritten else NO_KEYS

    def take_rewritten(self, most: int | None) -> list[tuple[bytes, set[Key]]]:
        """Take at most so many of the cases that were made anew."""
        return [(key, self.rewritten.pop(key)) for key in list(islice(self.rewritten, most))]

    def take_tombstones(self) -> list[bytes]:
        taken, self._tombstones = self._tombstones, []
        return taken

    # -- after a restart ----------------------------------------------------------------------------------------------
    def restore(self, key: bytes, value: bytes | None) -> Replaced | None:
        """Take one record of the changelog, in its order. All records of a key since its last tombstone are united."""
        known = self.records.get(key)
        if value is None:
            if known is not None:
                self._ended[key] = self.records.pop(key)
            self.rewritten.pop(key, None)
            return None
        if known is None:
            self.records[key] = value
            return None
        return self._unite(key, known, value)

    def revive(self, watermark: int) -> Iterator[Replaced]:
        """Take back what a tombstone ended too early: that of a worker that had been stopped, and did not know the case's last event.

        A tombstone that is right comes with a clock by which the case is due.
        """
        ended, self._ended = self._ended, {}
        for key, record in ended.items():
            if decode_head(record).touched_at + REMEMBERED_MS >= watermark:
                later = self.records.get(key)
                if later is None:
                    self.records[key] = record
                    self.rewritten[key] = set()
                elif replaced := self._unite(key, record, later):
                    yield replaced

    def renew(self) -> Iterator[Replaced]:
        """Make every case anew that another fold or directory made."""
        current = _label(self.directory.revision)
        for key, record in self.records.items():
            if not record.startswith(current):
                yield self._made_anew(key, record)

    def adopt(self, directory: Directory) -> Iterator[Replaced | None]:
        """Make every case anew that another directory makes another one; None for each that only bears another revision now."""
        old, self.directory = self.directory, directory
        before, after = _label(old.revision), _label(directory.revision)
        is_same: dict[str, bool] = {}
        for key, record in list(self.records.items()):
            district = district_of(key)
            if district not in is_same:
                is_same[district] = directory.says_the_same(old, district)
            if is_same[district] and record.startswith(before):
                self.records[key] = after + record[len(before) :]
                self.rewritten.setdefault(key, set())
                yield None
            else:
                yield self._made_anew(key, record)

    def _unite(self, key: bytes, known: bytes, value: bytes) -> Replaced | None:
        """Keep the union of two records; it has to be written again unless it is the later one, `value`, itself."""
        self.records[key] = value
        if known == value or has_grown(one := decode_kept(known), other := decode_kept(value)):
            self.rewritten.pop(key, None)
            return None
        head = Head(FOLD, 0, max(one.last_offset, other.last_offset), max(one.touched_at, other.touched_at), 0, [])
        events, conflicts = [*events_of(one), *events_of(other)], [*one.conflicts, *other.conflicts]
        case = made_of(events, conflicts, head, district_of(key), self.directory, _earliest(known, value))
        self.records[key] = ENCODE(case)
        if self.records[key] == value:
            self.rewritten.pop(key, None)
        else:
            self._rewrite(key, case, one, other)
        return Replaced(key, known, case)

    def _made_anew(self, key: bytes, record: bytes) -> Replaced:
        """A case that another fold version or directory revision has made; its rows and its record are written again."""
        kept = decode_kept(record)
        if kept.directory > self.directory.revision:
            raise NewerDirectory(kept.directory, self.directory.revision)
        case = made_of(events_of(kept), kept.conflicts, kept, district_of(key), self.directory, _earliest(record))
        self.records[key] = ENCODE(case)
        self._rewrite(key, case, kept)
        return Replaced(key, record, case)

    def _rewrite(self, key: bytes, case: Case, *before: Kept) -> None:
        keys = {key_of(episode) for kept in before for episode in kept.episodes}
        self.rewritten[key] = (self.rewritten.get(key, set()) | keys).difference(map(key_of, case.episodes))

    # -- what is over -------------------------------------------------------------------------------------------------
    def forget(self, now: int, committed: int, undrained: Container[bytes]) -> list[bytes]:
        """Forget the cases that are due at `now` and whose records all lie before the offset `committed`. Returns their keys."""
        due = [key for key, record in self.records.items() if self._is_due(key, record, now, committed, undrained)]
        for key in due:
            del self.records[key]
        self._tombstones += due
        return due

    def _is_due(self, key: bytes, record: bytes, now: int, committed: int, undrained: Container[bytes]) -> bool:
        head = decode_head(record)  # a third of the whole record's time, and enough for nearly all
        if head.touched_at + REMEMBERED_MS >= now or head.last_offset >= committed or key in undrained or key in self.rewritten:
            return False
        episodes = decode_case(record).episodes
        kept_ms = OPEN_REMEMBERED_MS if any(status_of(episode) == OPEN for episode in episodes) else REMEMBERED_MS
        promised_at = max(max(episode.response_due_at or 0, episode.resolution_due_at or 0) for episode in episodes)
        return max(head.touched_at, episodes[-1].last_at) + kept_ms < now and promised_at + LONGEST_WINDOW_MS <= now


NO_KEYS: Final[frozenset[Key]] = frozenset()
RECORD_HEAD: Final = ENCODE(Case(FOLD, 0, 0, 0, 0, [], []))[:1]
"""The first byte of a case's record: an array of so many fields."""


def case_key(district: str, subject: str) -> bytes:
    return f"{district} {subject}".encode()


def case_named(key: bytes) -> tuple[str, str]:
    """District and subject: what `case_key` made of them, taken apart."""
    district, _, subject = key.decode().partition(" ")
    return district, subject


def district_of(key: bytes) -> str:
    return case_named(key)[0]


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
