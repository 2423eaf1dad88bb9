"""A worker's world in memory: what survives it, and a rim that can end its life at any deed.

Kafka and ClickHouse are small fakes. A crash is an exception at the n-th thing that the processor does to the outside, or
before the first deed of a name; the next worker starts from what is durable: rows, changelog and committed offset.
"""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from events.directory import DEFAULT
from events.headers import MARKED_FORWARDED
from projections.announcement import Announcement
from projections.archive import Archived
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, PROGRESS_COLUMNS, WINDOW_COLUMNS
from sinks.clickhouse import queries
from sinks.clickhouse.tables import DEAD_LETTER_COLUMNS
from streams.sorting import Refused
from streams.worker.changelog import OffsetRange
from streams.worker.processor import Processor

PARTITIONS = 2
START = 1_790_000_000_000
HOUR = 3_600_000
MINUTE = 60_000
DAY = 24 * HOUR
SAID = EVENT_COLUMNS[: EVENT_COLUMNS.index("partition")]
"""What an event says, without how it came: both contents of a conflict have a row."""
COLUMNS = {
    "events": EVENT_COLUMNS,
    "cases": CASE_COLUMNS,
    "windows": WINDOW_COLUMNS,
    "dead_letters": DEAD_LETTER_COLUMNS,
    "progress": PROGRESS_COLUMNS,
}
KEYS = {
    "events": SAID,
    "cases": ("district", "opened_at", "subject", "episode"),
    "windows": ("district", "scope", "school", "department", "window"),
    "dead_letters": ("topic_id", "partition", "offset"),
    "progress": ("partition",),
}
WRITE = ("version", "as_of")
"""A repeat may give a row another version, and a window that did not change another minute."""
NEVER = 10**9
WITHIN_S = 30
"""Machines are noisy."""

Headers = tuple[tuple[str, bytes], ...]


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
    headers: Headers = ()


@dataclass
class Durable:
    """What survives a worker: topics, tables, changelog, committed offsets."""

    topic: dict[int, list[Record]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[str, dict[tuple[Any, ...], tuple[int, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(dict))
    changelog: dict[int, list[tuple[bytes, bytes | None]]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    dead_letters: list[str] = field(default_factory=list)
    said: list[Announcement] = field(default_factory=list)

    def publish(self, value: bytes, timestamp: int, partition: int, headers: Headers = ()) -> None:
        log = self.topic[partition]
        log.append(Record("events", partition, len(log), timestamp, None, value, headers))

    def rows(self, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
        """What a reader sees: the newest row of each key, without deleted and empty ones and without what names the write itself."""
        found = {key: {k: v for k, v in row.items() if k not in WRITE} for key, (_, row) in self.tables[table].items()}
        return {key: row for key, row in found.items() if not row.get("is_deleted") and (table != "windows" or counts(row))}


def counts(row: dict[str, Any]) -> bool:
    return any(value for name, value in row.items() if name.endswith("_n"))


@dataclass
class Outside:
    """The rim of one worker's life, which ends at its `dies_at`-th deed, or before the first one named `dies_before`."""

    durable: Durable
    dies_at: int = NEVER
    deeds: int = 0
    follows: bool = False
    wall: int = START + 1_000 * DAY
    dies_before: str = ""

    def _deed(self, name: str) -> None:
        self.deeds += 1
        if self.deeds == self.dies_at or name == self.dies_before:
            raise Died(name)

    async def write(self, *args: Any) -> Any:
        return await (self._write_rows(*args) if len(args) == 1 else self._write_changelog(*args))

    async def _write_rows(self, tables: dict[str, list[list[Any]]]) -> None:
        for name, columns in tables.items():
            self._deed(name)
            if name == "windows_history":
                self._keep(dict(zip(*columns, strict=True)))
                continue
            for values in zip(*columns, strict=True):
                row = dict(zip(COLUMNS[name], values, strict=True))
                key = tuple(row[k] for k in KEYS[name])
                version = row.get("version", 0)
                if version >= self.durable.tables[name].get(key, (-1, {}))[0]:
                    self.durable.tables[name][key] = version, row

    def _keep(self, since: dict[int, int]) -> None:
        """Copy the rows of windows that stand, as the server does."""
        kept = self.durable.tables["windows_history"]
        for cell, (version, row) in self.durable.tables["windows"].items():
            if row["as_of"] >= since.get(row["partition"], sys.maxsize):
                kept[*cell, int(row["as_of"]) // 900] = version, row

    async def _write_changelog(self, partition: int, items: Sequence[tuple[bytes, bytes | None]]) -> list[OffsetRange]:
        self._deed("changelog")
        log = self.durable.changelog[partition]
        log.extend(items)
        self._deed("changelog acknowledged")
        return [OffsetRange(len(log) - len(items), len(log))]

    async def read(self, partition: int, start: int) -> AsyncGenerator[tuple[list[tuple[bytes, bytes | None]], int], None]:
        log = self.durable.changelog[partition]
        yield log[start:], len(log)

    async def cells_not_empty(self, partition: int) -> list[tuple[str, str, str, str]]:
        return sorted({key[:4] for key, row in self.durable.rows("windows").items() if row["partition"] == partition and counts(row)})

    async def newest_as_of(self, partition: int) -> int:
        rows = (row for _, row in self.durable.tables["windows"].values() if row["partition"] == partition)
        return max((int(row["as_of"]) * 1000 for row in rows), default=0)

    async def events_of(self, keys: Sequence[tuple[str, str]]) -> list[Any]:
        found = defaultdict(list)
        for row in self.durable.rows("events").values():
            if (row["district"], row["subject"]) in keys:
                found[row["district"], row["subject"]].append(row)
        return [
            Archived(*case, max(row["offset"] for row in rows), [told(row) for row in rows], self._keys(*case))
            for case, rows in sorted(found.items())
        ]

    def _keys(self, district: str, subject: str) -> list[tuple[int, str]]:
        return [
            (row["opened_at"], row["episode"])
            for row in self.durable.rows("cases").values()
            if (row["district"], row["subject"]) == (district, subject)
        ]

    async def announce(self, said: list[Announcement]) -> None:
        self._deed("announcements")
        self.durable.said += said
        self._deed("announcements acknowledged")

    async def set_aside(self, refused: list[Refused]) -> None:
        self._deed("dead letters")
        self.durable.dead_letters += [r.rejection.reason.value for r in refused]

    async def send_on(self, misrouted: list[tuple[Record, int]]) -> None:
        for record, home in misrouted:
            self._deed("forward")
            self.durable.publish(record.value or b"", record.timestamp, home, (*record.headers, MARKED_FORWARDED))
        if misrouted:
            self._deed("forwards acknowledged")

    def beat(self) -> None: ...
    def holds(self, _partition: int, _epoch: int) -> bool:
        return True

    def caught_up(self, _partition: int) -> bool:
        return self.follows

    def committed_to(self, partition: int) -> int:
        return self.durable.committed[partition]

    def now(self) -> int:
        return self.wall

    def folded(self, *_: Any) -> None: ...
    def refused(self, *_: str) -> None: ...
    def forwarded(self, *_: int) -> None: ...
    def recovered(self, *_: int) -> None: ...
    def announced(self, *_: str) -> None: ...


def told(row: dict[str, Any]) -> Any:
    """The event of a row of `events`, as ClickHouse's answer is read."""
    names = EVENT_COLUMNS[EVENT_COLUMNS.index("school") : EVENT_COLUMNS.index("partition")]
    return queries.event_of((row["kind"], row["time"], row["source"], row["id"], *(row[name] for name in names)))


@dataclass
class Fetched:
    durable: Durable
    partition: int
    records: list[Record]
    epoch: int = 1

    def finish(self) -> None:
        self.durable.committed[self.partition] = self.records[-1].offset + 1


def processor_of(
    outside: Any, directory: Any = DEFAULT, partitions: int = PARTITIONS, changelog: Any = None, continuity: Any = None
) -> Processor:
    """A processor whose whole world is that rim, but for another changelog."""
    return Processor(
        directory=directory,
        partitions=partitions,
        topic_id="",
        epoch=1,
        rows=outside,
        changelog=changelog or outside,
        outbox=outside,
        assignment=outside,
        clock=outside,
        follow_wall=True,
        meter=outside,
        continuity=continuity,
    )


@asynccontextmanager
async def at_work(
    outside: Outside,
    directory: Any = DEFAULT,
    holds: Iterable[int] = range(PARTITIONS),
    changelog: Any = None,
    continuity: Any = None,
) -> AsyncIterator[tuple[Processor, "asyncio.Task[None]"]]:
    """A processor that runs, with these partitions in hand."""
    processor = processor_of(outside, directory, changelog=changelog, continuity=continuity)
    running = asyncio.create_task(processor.run())
    await processor.assigned(holds, 1)
    try:
        yield processor, running
    finally:
        running.cancel()
        await asyncio.wait({running})


async def until(condition: Callable[[], bool], running: "asyncio.Task[None]") -> None:
    """Let the processor work until the condition holds; raises what it died of."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.wait({running}, timeout=0.001)
            if running.done():
                running.result()


async def count_all(
    durable: Durable, processor: Processor, running: "asyncio.Task[None]", batch: int = 10_000, holds: Iterable[int] = ()
) -> None:
    """Hand over what is not committed of these partitions (all, where none is named), until all is folded."""
    position, mine = dict(durable.committed), list(holds) or list(range(PARTITIONS))
    while any(durable.committed[p] < len(durable.topic[p]) for p in mine):
        for p in mine:
            start = position.get(p, 0)
            records = durable.topic[p][start : start + batch]
            if records:
                position[p] = start + len(records)
                await processor.take(Fetched(durable, p, records))
        await until(lambda: all(durable.committed[p] >= position.get(p, 0) for p in mine), running)


async def live(durable: Durable, batch: int, dies_at: int = NEVER, *, dies_before: str = "", directory: Any = DEFAULT) -> None:
    """One worker from its assignment until all is folded, or until it dies."""
    async with at_work(Outside(durable, dies_at, dies_before=dies_before), directory) as (processor, running):
        await count_all(durable, processor, running, batch)


def event(kind: str, number: int | str, subject: str, at: int, district: str, **data: Any) -> bytes:
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
