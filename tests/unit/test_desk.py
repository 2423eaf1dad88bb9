"""The desk's order of writing: whatever step a worker dies at, the next one ends with the same rows.

Kafka and ClickHouse are small fakes in memory. A crash is an exception at the n-th thing that the desk does to the
outside; the next worker starts from what is durable: rows, changelog and committed offset.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from events.directory import DEFAULT
from events.partition import partition_of
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, PROGRESS_COLUMNS, WINDOW_COLUMNS
from streams.changelog import Span
from streams.desk import Desk
from streams.intray import FORWARDED, Refused

PARTITIONS = 2
START = 1_790_000_000_000
HOUR = 3_600_000
MINUTE = 60_000
COLUMNS = {"events": EVENT_COLUMNS, "cases": CASE_COLUMNS, "windows": WINDOW_COLUMNS, "progress": PROGRESS_COLUMNS}
KEYS = {
    "events": ("district", "subject", "source", "id", "time"),
    "cases": ("district", "opened_at", "subject", "episode"),
    "windows": ("district", "scope", "school", "department", "window"),
    "progress": ("partition",),
}


class Died(Exception):
    """The worker was killed."""


@dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Durable:
    """What survives a worker: topics, tables, changelog, committed offsets."""

    topic: dict[int, list[Record]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[str, dict[tuple[Any, ...], tuple[int, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(dict))
    changelog: dict[int, list[tuple[bytes, bytes | None]]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    dead_letters: list[str] = field(default_factory=list)

    def publish(self, value: bytes, timestamp: int, partition: int, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        log = self.topic[partition]
        log.append(Record("events", partition, len(log), timestamp, None, value, headers))

    def rows(self, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
        """What a reader sees: the newest row of each key, without deleted and empty ones and without what names the write itself."""
        found = {key: {k: v for k, v in row.items() if k not in WRITE} for key, (_, row) in self.tables[table].items()}
        return {key: row for key, row in found.items() if not row.get("is_deleted") and (table != "windows" or counts(row))}


WRITE = ("version", "as_of")
"""A repeat may give a row another version, and a window that did not change another minute."""


def counts(row: dict[str, Any]) -> bool:
    return any(value for name, value in row.items() if name.endswith("_n"))


@dataclass
class Outside:
    """The rim of one worker's life, which ends at its `dies_at`-th deed."""

    durable: Durable
    dies_at: int = 10**9
    deeds: int = 0
    follows: bool = False
    wall: int = START + 1_000 * HOUR

    def _deed(self) -> None:
        self.deeds += 1
        if self.deeds == self.dies_at:
            raise Died

    async def write(self, *args: Any) -> Any:
        return await (self._write_rows(*args) if len(args) == 1 else self._write_changelog(*args))

    async def _write_rows(self, tables: dict[str, list[list[Any]]]) -> None:
        for name, columns in tables.items():
            if name == "dead_letters":
                continue
            self._deed()
            for values in zip(*columns, strict=True):
                row = dict(zip(COLUMNS[name], values, strict=True))
                key = tuple(row[k] for k in KEYS[name])
                if row["version"] >= self.durable.tables[name].get(key, (-1, {}))[0]:
                    self.durable.tables[name][key] = row["version"], row

    async def _write_changelog(self, partition: int, items: Sequence[tuple[bytes, bytes | None]]) -> list[Span]:
        self._deed()
        log = self.durable.changelog[partition]
        log.extend(items)
        self._deed()
        return [Span(len(log) - len(items), len(log))]

    async def read(self, partition: int, start: int) -> AsyncIterator[tuple[list[tuple[bytes, bytes | None]], int]]:
        log = self.durable.changelog[partition]
        yield log[start:], len(log)

    async def cells_not_empty(self, partition: int) -> list[tuple[str, str, str, str]]:
        return sorted({key[:4] for key, row in self.durable.rows("windows").items() if row["partition"] == partition and row["contact_n"]})

    async def newest_as_of(self, partition: int) -> int:
        rows = (row for _, row in self.durable.tables["windows"].values() if row["partition"] == partition)
        return max((int(row["as_of"]) * 1000 for row in rows), default=0)

    async def events_of(self, _keys: Sequence[tuple[str, str]]) -> list[Any]:
        return []

    async def set_aside(self, refused: list[Refused]) -> None:
        self._deed()
        self.durable.dead_letters += [r.rejection.reason.value for r in refused]

    async def send_on(self, misrouted: list[tuple[Record, int]]) -> None:
        self._deed()
        for record, home in misrouted:
            self.durable.publish(record.value or b"", record.timestamp, home, ((FORWARDED, b"1"),))

    def beat(self) -> None: ...
    def holds(self, _partition: int, _epoch: int) -> bool:
        return True

    def caught_up(self, _partition: int) -> bool:
        return self.follows

    def committed_to(self, partition: int) -> int:
        return self.durable.committed[partition]

    def now(self) -> int:
        return self.wall

    def folded(self, *_: int) -> None: ...
    def refused(self, *_: str) -> None: ...
    def forwarded(self, *_: int) -> None: ...
    def recovered(self, *_: int) -> None: ...


@dataclass
class Fetched:
    durable: Durable
    partition: int
    records: list[Record]
    epoch: int = 1

    def finish(self) -> None:
        self.durable.committed[self.partition] = self.records[-1].offset + 1


@asynccontextmanager
async def at_work(outside: Outside) -> AsyncIterator[tuple[Desk, "asyncio.Task[None]"]]:
    """A desk that runs, with all partitions in hand."""
    desk = Desk(
        directory=DEFAULT,
        partitions=PARTITIONS,
        topic_id="",
        epoch=1,
        rows=outside,
        changelog=outside,
        outbox=outside,
        clock=outside,
        follow_wall=True,
        meter=outside,
    )
    desk.guard = outside
    running = asyncio.create_task(desk.run())
    await desk.assigned(range(PARTITIONS), 1)
    try:
        yield desk, running
    finally:
        running.cancel()
        await asyncio.wait({running})


async def until(condition: Callable[[], bool], running: "asyncio.Task[None]") -> None:
    """Let the desk work until the condition holds; raises what it died of."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.wait({running}, timeout=0.001)
            if running.done():
                running.result()


async def live(durable: Durable, batch: int, dies_at: int = 10**9) -> None:
    """One worker from its assignment until all is folded, or until it dies."""
    position = dict(durable.committed)
    async with at_work(Outside(durable, dies_at)) as (desk, running):
        while any(durable.committed[p] < len(durable.topic[p]) for p in range(PARTITIONS)):
            for p in range(PARTITIONS):
                start = position.get(p, 0)
                records = durable.topic[p][start : start + batch]
                if records:
                    position[p] = start + len(records)
                    await desk.take(Fetched(durable, p, records))
            await until(lambda: all(durable.committed[p] >= position.get(p, 0) for p in range(PARTITIONS)), running)


def event(kind: str, number: int, subject: str, at: int, district: str, **data: Any) -> bytes:
    time = f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%S}Z"
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": "/invented",
            "type": f"org.frontdesk.{kind}.v1",
            "subject": subject,
            "time": time,
            "data": {"district": district, **data},
        }
    ).encode()


def history() -> Iterator[tuple[bytes, int, str]]:
    """Two districts; a late contact moves an episode to another school; a duplicate; a record that is no JSON."""
    for number in range(24):
        district, case, at = ("riverside", "hillside")[number % 2], f"case-{number % 5}", START + number * HOUR
        kind = ("contact", "reply", "contact", "resolution", "rating")[number % 5]
        data: dict[str, Any] = {"score": 4} if kind == "rating" else {}
        if kind == "contact":
            data = {"school": f"school-{number % 3}", "department": "office", "stakeholder": f"s-{number % 4}"}
        yield event(kind, number, case, at, district, **data), at, district
    yield event("contact", 100, "case-0", START - HOUR, "riverside", school="north", department="office"), START + 25 * HOUR, "riverside"
    yield event("reply", 1, "case-1", START + HOUR, "hillside"), START + 26 * HOUR, "hillside"
    yield b"not json", START + 26 * HOUR, "hillside"


def topic(misroute: bool = False) -> Durable:
    durable = Durable()
    for value, timestamp, district in history():
        home = partition_of(district, PARTITIONS)
        durable.publish(value, timestamp, (home + 1) % PARTITIONS if misroute and timestamp % (3 * HOUR) == 0 else home)
    return durable


@pytest.fixture(scope="module")
def undisturbed() -> Durable:
    durable = topic()
    asyncio.run(live(durable, batch=4))
    return durable


def test_two_districts_are_in_two_partitions() -> None:
    assert partition_of("riverside", PARTITIONS) != partition_of("hillside", PARTITIONS)


@pytest.mark.parametrize("dies_at", range(1, 60, 3))
async def test_a_worker_that_dies_anywhere_leaves_nothing_wrong(dies_at: int, undisturbed: Durable) -> None:
    durable = topic()

    with pytest.raises(Died):
        await live(durable, batch=3, dies_at=dies_at % 27 + 1)
    await live(durable, batch=5)

    for table in ("events", "cases", "windows"):
        assert durable.rows(table) == undisturbed.rows(table)
    assert set(durable.dead_letters) == {"not_json"}


async def test_a_record_in_the_wrong_partition_is_sent_on_and_counted_once(undisturbed: Durable) -> None:
    durable = topic(misroute=True)

    await live(durable, batch=4)

    facts = {k: r["contacts"] for k, r in durable.rows("cases").items()}
    assert facts == {k: r["contacts"] for k, r in undisturbed.rows("cases").items()}


async def test_batches_do_not_matter(undisturbed: Durable) -> None:
    durable = topic()

    await live(durable, batch=1)

    assert durable.rows("cases") == undisturbed.rows("cases")


async def test_rows_ahead_of_a_dead_workers_clock_do_not_hide_later_ones() -> None:
    #  11:00 contact      12:00 it leaves the last hour; the worker writes that row and dies before it has written down its clock
    #                     a record of 11:59:59 arrives at the next worker, whose changelog knows of 11:00 only
    noon = START - START % HOUR
    durable = topic_of_one(noon - HOUR)
    [partition] = [p for p in range(PARTITIONS) if durable.topic[p]]
    with pytest.raises(Died):
        await live_until_noon(durable, partition, noon)
    assert durable.rows("windows").get(NORTH) is None
    durable.publish(event("contact", 2, "case-2", noon - 1_000, "riverside", school="north"), noon - 1_000, partition)

    async with at_work(Outside(durable, wall=noon)) as (desk, running):
        await desk.take(Fetched(durable, partition, durable.topic[partition][1:]))
        await until(lambda: durable.committed[partition] == len(durable.topic[partition]), running)

    assert durable.rows("windows")[NORTH]["contact_n"] == 1


NORTH = ("riverside", "school", "north", "", "1h")


async def live_until_noon(durable: Durable, partition: int, noon: int) -> None:
    outside = Outside(durable, wall=noon - HOUR)
    async with at_work(outside) as (desk, running):
        await desk.take(Fetched(durable, partition, durable.topic[partition]))
        await until(lambda: durable.committed[partition] == 1, running)
        outside.follows, outside.wall, outside.dies_at = True, noon, outside.deeds + 2
        await until(lambda: False, running)


def topic_of_one(at: int) -> Durable:
    durable = Durable()
    durable.publish(event("contact", 1, "case-1", at, "riverside", school="north"), at, partition_of("riverside", PARTITIONS))
    return durable
