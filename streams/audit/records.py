"""Lays the events topic beside the tables: each record is accounted for, once, and there is nothing else.

The group's committed offsets are taken first. Rows of what is committed are in ClickHouse (that is the workers' order of writing),
so below that offset everything must add up, whatever workers do meanwhile; what lies above is read only to find records that were
sent on. A row that a later duplicate has replaced says the same under another offset, so events are found by what they say.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from clickhouse_driver import Client

from events.event import Event
from events.personal_data import anybody_allows, likeness
from events.rejection import Reason
from projections.capacity import MOST_BYTES, MOST_EVENTS, weight
from projections.case_store import REMEMBERED_MS
from projections.partition import Entry
from projections.rows import event_row
from projections.stream_time import MOST_AHEAD_MS
from sinks.clickhouse import ledger
from streams.audit.forwarded import ForwardedRecords, is_forwarded
from streams.kafka import Gap, LogReader, PartitionOffsets
from streams.sorting import Record, Refused, Sorter

LISTED: Final = 1000
"""Differences of one partition that are listed; further ones are counted."""


BY_THE_FOLD: Final = {Reason.TOO_LATE.value, Reason.CASE_FULL.value}
"""Reasons that valid records are refused for."""


@dataclass
class Account:
    """One partition's sums, in records from its first offset to what the group has committed. Mutable while it is read.

    records = distinct + duplicates + forwarded + dead_letters + lost, where `distinct` have their row in `events` and
    `dead_letters` theirs in `dead_letters`. `markers` are offsets of the log's own, `missing` offsets with nothing at all.
    """

    marks: PartitionOffsets
    records: int = 0
    distinct: int = 0
    duplicates: int = 0
    forwarded: int = 0
    dead_letters: int = 0
    lost: int = 0
    markers: int = 0
    missing: int = 0
    older_rows: int = 0
    """Rows of records that the log no longer has: nothing to compare them with."""
    differences: list[str] = field(default_factory=list)
    found: int = 0
    """How many differences there are, listed or not."""

    def differs(self, what: str) -> None:
        self.found += 1
        if self.found <= LISTED:
            self.differences.append(f"partition {self.marks.partition}: {what}")


@dataclass(frozen=True)
class Report:
    """`whole` are differences that belong to no partition that was read, `unverifiable` counts records sent on to where the log is gone."""

    accounts: tuple[Account, ...]
    whole: tuple[str, ...] = ()
    unverifiable: int = 0

    @property
    def found(self) -> int:
        return len(self.whole) + sum(account.found for account in self.accounts)

    def lines(self) -> Iterator[str]:
        yield from self.whole
        for account in self.accounts:
            yield from account.differences
            if account.found > len(account.differences):
                yield f"partition {account.marks.partition}: and {account.found - len(account.differences):,} more"


@dataclass(frozen=True)
class Audit:
    """What it takes to compare: a reader of the topic, a connection, the topic's id, and the wall clock in ms."""

    reader: LogReader
    client: Client
    topic_id: str
    now: int

    async def report(self, marks: Sequence[PartitionOffsets], chosen: Sequence[int], advance: Callable[[int], None]) -> Report:
        """Compare the chosen partitions; `marks` are those of all. `advance` hears how many offsets are done.

        Raises aiokafka's `KafkaError` and clickhouse-driver's errors when a server is away.
        """
        forwarded, accounts, done = ForwardedRecords(), {}, 0
        for number in chosen:
            part = _Part(marks[number], len(marks), forwarded, self.now)
            await part.load(self.client, self.topic_id)
            async for records in self.reader.records(number, marks[number].first, marks[number].end):
                part.take(records)
                advance(done + records[-1].offset + 1 - marks[number].first)
            await part.close(self.reader, self.client)
            done += marks[number].end - marks[number].first
            accounts[number] = part.account
        lost = [(source, offset, home) for source, offset, home in forwarded.lost() if home in accounts]
        for source, offset, home in lost:
            if not marks[home].first:
                accounts[source].differs(f"offset {offset:,} was sent on to partition {home}, and is not there")
        return Report(tuple(accounts.values()), await self._strangers(len(marks)), sum(bool(marks[home].first) for _, _, home in lost))

    async def _strangers(self, partitions: int) -> tuple[str, ...]:
        found = await asyncio.to_thread(ledger.strangers, self.client, partitions)
        return tuple(f"{table}: {rows:,} rows of partition {number}, which the topic does not have" for table, number, rows in found)


class _Part:
    """One partition while it is read."""

    def __init__(self, marks: PartitionOffsets, partitions: int, forwarded: ForwardedRecords, now: int) -> None:
        self.account = Account(marks)
        self._marks = marks
        self._forwarded = forwarded
        self._oldest_in_time = now + MOST_AHEAD_MS - REMEMBERED_MS
        self._sorter = Sorter(partitions, anybody_allows)
        self._rows: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._dead: dict[int, str] = {}
        self._full: dict[tuple[str, str], tuple[int, int]] = {}
        self._expected = marks.first
        self._gaps: list[Gap] = []

    async def load(self, client: Client, topic_id: str) -> None:
        """What ClickHouse has, as of now: at least all rows of what was committed when the marks were taken."""
        self._rows = await asyncio.to_thread(lambda: dict(ledger.event_rows(client, self._marks.partition)))
        self._dead = await asyncio.to_thread(ledger.dead_letter_rows, client, topic_id, self._marks.partition)

    def take(self, records: Sequence[Record]) -> None:
        """Some records, in order."""
        for record in records:
            if is_forwarded(record.headers):
                self._forwarded.arrived(record)
        counted = [record for record in records if record.offset < self._marks.committed]
        if counted:
            self._count(counted)

    def _count(self, records: Sequence[Record]) -> None:
        self.account.records += len(records)
        self._follow(record.offset for record in records)
        sorted_ = self._sorter.sort(self._marks.partition, records)
        for entry in sorted_.entries:
            self._valid(*entry)
        for refused in sorted_.refused:
            self._invalid(refused)
        for record, home in sorted_.misrouted:
            self.account.forwarded += 1
            self._forwarded.departed(record, home)

    def _follow(self, offsets: Iterable[int]) -> None:
        for offset in offsets:
            if offset != self._expected:
                self._gaps.append((self._expected, offset))
            self._expected = offset + 1

    def _valid(self, offset: int, _: int, backfill: bool, district: str, subject: str, event: Event) -> None:
        if offset in self._dead:
            self._set_aside((offset, 0, backfill, district, subject, event), self._dead.pop(offset))
            return
        name = ledger.digest(event_row(district, subject, event, ()))
        known = self._seen.get(name)
        if known is None:
            known = self._seen[name] = self._rows.pop(name, -1)
            if known < 0:
                self.account.lost += 1
                self.account.differs(f"offset {offset:,}: {_name_of(district, subject, event)} has no such row in events")
                return
            self.account.distinct += 1
        else:
            self.account.duplicates += 1
        if 0 <= known < offset:
            self.account.differs(
                f"offset {offset:,}: {_name_of(district, subject, event)} has a row in events, but that of offset {known:,}"
            )

    def _set_aside(self, entry: Entry, reason: str) -> None:
        """A valid record with a dead letter: only the fold, which knows the case and the clock, may have refused it."""
        offset, _, backfill, district, subject, event = entry
        named = _name_of(district, subject, event)
        if reason == Reason.PERSONAL_DATA.value and (likeness(subject) or likeness(event.id)):
            self.account.dead_letters += 1
            return
        if reason not in BY_THE_FOLD:
            self.account.lost += 1
            self.account.differs(f"offset {offset:,}: {named} is valid, but there is a dead letter: {reason}")
            return
        self.account.dead_letters += 1
        if reason == Reason.CASE_FULL.value:
            case, refused = (district, subject), (weight(event), offset)
            self._full[case] = min(self._full.get(case, refused), refused)
        elif backfill or event.time >= self._oldest_in_time:
            self.account.differs(f"offset {offset:,}: {named} has a dead letter, too_late, but is not 100 days old or was sent as backfill")

    def _invalid(self, refused: Refused) -> None:
        offset, reason = refused.record.offset, refused.rejection.reason.value
        stored = self._dead.pop(offset, None)
        if stored is None:
            self.account.lost += 1
            self.account.differs(f"offset {offset:,} is refused ({reason}), but there is no row in dead_letters")
        else:
            self.account.dead_letters += 1
            if stored != reason:
                self.account.differs(f"offset {offset:,}: reason in dead_letters is {stored!r}, but {reason!r} by the contract")

    async def close(self, reader: LogReader, client: Client) -> None:
        """What is left over when all has been read."""
        await self._judge_gaps(reader)
        await self._judge_rows(client, (await reader.ends())[self._marks.partition])
        for offset, reason in sorted(self._dead.items()):
            if self._marks.first <= offset < self._marks.committed:
                self.account.differs(f"offset {offset:,}: a row in dead_letters ({reason}), but no refused record is there")
        holding = await asyncio.to_thread(ledger.weights, client, list(self._full))
        for case, (lightest, offset) in self._full.items():
            events, weight_held = holding.get(case, (0, 0))
            if events < MOST_EVENTS and weight_held + lightest <= MOST_BYTES:
                self.account.differs(f"offset {offset:,}: a dead letter, case_full, but case {case[1]} of {case[0]} is not full")

    async def _judge_gaps(self, reader: LogReader) -> None:
        until = min(self._marks.committed, self._marks.end)
        if self._expected < until:
            self._gaps.append((self._expected, until))
        missing = await reader.missing(self._marks.partition, self._gaps)
        self.account.missing = len(missing)
        self.account.markers = sum(after - first for first, after in self._gaps) - len(missing)
        for first, last in _runs(missing):
            self.account.differs(f"offsets {first:,} to {last:,} are not in the topic, and are no markers of transactions")
        if self._marks.committed < self._marks.first:
            gone = f"offsets {self._marks.committed:,} to {self._marks.first - 1:,}"
            self.account.differs(f"{gone} are gone from the topic, and were never counted")
        if self._marks.committed > self._marks.end:
            self.account.differs(f"offset {self._marks.committed:,} is committed, but the topic ends at {self._marks.end:,}")

    async def _judge_rows(self, client: Client, end: int) -> None:
        """Rows that no record is behind. Above what was committed only those past the end of the log are certain."""
        self.account.older_rows = sum(offset < self._marks.first for offset in self._rows.values())
        bounds = range(self._marks.first, self._marks.committed)
        alien = sorted((offset, name) for name, offset in self._rows.items() if offset in bounds or offset >= end)
        names = await asyncio.to_thread(ledger.names, client, self._marks.partition, [name for _, name in alien[:LISTED]])
        for offset, name in alien:
            self.account.differs(f"offset {offset:,}: a row in events, {names.get(name, '')}, that is not in the topic")


def _name_of(district: str, subject: str, event: Event) -> str:
    return f"{district} {subject} {event.source} {event.id}"


def _runs(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(first, last) of offsets that follow each other."""
    begun: int | None = None
    for before, offset in zip((None, *offsets), (*offsets, None), strict=True):
        if before is None or offset is None or offset != before + 1:
            if begun is not None and before is not None:
                yield begun, before
            begun = offset
