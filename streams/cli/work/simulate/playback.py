"""Plays a simulation: its history at once, then what is to come when its time comes, into Kafka or a file."""

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Protocol

from streams.clock import WallClock
from streams.kafka import STRUCTURED, STRUCTURED_BACKFILL, Publisher
from streams.simulation import DAY_MS, Occurrence, Plan, Summary, traffic
from streams.terminal.screen import Advance, progress, remark

LATE_MS = 90 * DAY_MS
"""Older events go as backfill: a worker may have forgotten their cases (after 100 days)."""
LONGEST_NAP_S = 1.0
EVENTS_BETWEEN_REPORTS = 1_000


class Outlet(Protocol):
    """Where events go."""

    async def send(self, occurrence: Occurrence) -> None: ...
    async def flush(self) -> None: ...


class ToFile:
    """NDJSON."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def send(self, occurrence: Occurrence) -> None:
        self._file.write(occurrence.value + b"\n")

    async def flush(self) -> None:
        self._file.flush()


class ToKafka:
    """The topic; `now` (ms) decides what is so old that it is sent as backfill."""

    def __init__(self, publisher: Publisher, now: int) -> None:
        self._publisher = publisher
        self._late = now - LATE_MS

    async def send(self, occurrence: Occurrence) -> None:
        headers = STRUCTURED if occurrence.time > self._late else STRUCTURED_BACKFILL
        await self._publisher.send(occurrence.district, occurrence.value, headers)

    async def flush(self) -> None:
        await self._publisher.flush()


class Counted:
    """An outlet that also counts into a summary what it sends."""

    def __init__(self, outlet: Outlet, summary: Summary) -> None:
        self._outlet, self._summary = outlet, summary

    async def send(self, occurrence: Occurrence) -> None:
        await self._outlet.send(occurrence)
        self._summary.add(occurrence.time, occurrence.value)

    async def flush(self) -> None:
        await self._outlet.flush()


class Playback:
    """One run of a plan: first `history`, then at any later time `live`, which goes on where the history ended."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._occurrences: Iterator[Occurrence] = traffic(plan)

    async def history(self, outlet: Outlet) -> None:
        """Everything up to the plan's end."""
        title = f"simulating {self._plan.days} days of {self._plan.students * self._plan.districts:,} students"
        with progress(title, self._plan.days) as advance:
            await self._up_to_the_end(outlet, advance)
            await outlet.flush()

    async def live(self, outlet: Outlet) -> None:
        """What comes after the plan's end, each event when its time has come. Never returns."""
        clock = WallClock()
        remark("live: events go on as their time comes; Ctrl-C ends it")
        for occurrence in self._occurrences:
            while (ahead_s := (occurrence.time - clock.now()) / 1000) > 0:
                await outlet.flush()
                await asyncio.sleep(min(ahead_s, LONGEST_NAP_S))
            await outlet.send(occurrence)

    async def _up_to_the_end(self, outlet: Outlet, advance: Advance) -> None:
        for count, occurrence in enumerate(self._occurrences):
            if occurrence.time > self._plan.until:
                self._occurrences = chain((occurrence,), self._occurrences)
                return
            await outlet.send(occurrence)
            if count % EVENTS_BETWEEN_REPORTS == 0:
                advance((occurrence.time - self._plan.since) // DAY_MS)
