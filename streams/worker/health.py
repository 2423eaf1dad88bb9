"""What a worker says about itself over HTTP: `/health/live`, `/health/ready` with reasons, `/metrics`.

Everything is looked up when somebody asks, from what the processor and its neighbours know anyway, so that events pay nothing
for it. Only the end of the log has to be asked of Kafka, by a consumer of its own: the worker's fetches nothing while
ClickHouse is away, which is when the lag is worth knowing.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import web
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client.exposition import choose_encoder

from projections.partition import Partition
from sinks.clickhouse.store import Store
from sinks.metrics import PartitionGauges, WorkerGauges, WorkerMetrics
from streams.clock import Clock
from streams.http import Policy
from streams.http import application as guarded
from streams.kafka import reader
from streams.settings import Settings
from streams.worker.cells import Cells
from streams.worker.processor import Processor

ASKED_EVERY_S: Final = 2.0
ANSWER_WITHIN_S: Final = 5.0
AWAY_MS: Final = 15_000
"""Kafka has not given the end of the log for so long: we are away from it, or it is."""
COUNTED_EVERY_MS: Final = 60_000
"""The bytes of millions of cases take tens of milliseconds to add up."""

log = structlog.get_logger("health")


@dataclass
class Progress:
    """How far the group is in the partitions in hand, and since when a commit is due. Mutable, owned by `follow_log`."""

    ends: dict[int, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    due_since: dict[int, int] = field(default_factory=dict)
    observed_at: int = 0
    """When Kafka last answered; 0 before it ever did."""

    def observed(self, ends: Mapping[int, int], committed: Mapping[int, int], now: int) -> None:
        """Take what Kafka tells. A commit is due from when something was there to commit, or from the last one."""
        self.due_since = {
            p: self.due_since.get(p, now) if self.committed.get(p) == committed[p] else now for p, end in ends.items() if end > committed[p]
        }
        self.ends, self.committed, self.observed_at = dict(ends), dict(committed), now

    def lag(self, partition: int, committed: int) -> int | None:
        """Records that are not committed; None where nothing is known yet."""
        return None if partition not in self.ends else max(0, self.ends[partition] - committed)


async def follow_log(
    progress: Progress, processor: Processor, committed_to: Callable[[int], int], settings: Settings, clock: Clock
) -> None:
    """Until cancelled: keep `progress` current. Kafka may be away; that is what `progress.observed_at` tells."""
    async with reader(settings, isolation_level="read_committed") as consumer:
        while True:
            numbers = {TopicPartition(settings.topic, number): number for number in processor.held}
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    ends = await consumer.end_offsets(list(numbers)) if numbers else {}
                known = {numbers[place]: end for place, end in ends.items()}
                progress.observed(known, {number: committed_to(number) for number in known}, clock.now())
            except (KafkaError, TimeoutError) as failure:
                log.warning("Kafka does not give the end of the log", why=str(failure) or type(failure).__name__)
            await asyncio.sleep(ASKED_EVERY_S)


class Health:
    """Judges and counts, without any I/O."""

    def __init__(
        self,
        *,
        processor: Processor,
        inserts: Store,
        progress: Progress,
        committed_to: Callable[[int], int],
        unknown: Mapping[str, int],
        clock: Clock,
    ) -> None:
        """`unknown` counts members of `data` that the contract does not know, by name."""
        self._processor = processor
        self._inserts = inserts
        self._progress = progress
        self._committed_to = committed_to
        self._unknown = unknown
        self._clock = clock
        self._bytes: dict[int, int] = {}
        self._counted_at = 0

    def reasons(self) -> list[str]:
        """Why the worker is not ready; none when it is."""
        return list(self._reasons())

    def _reasons(self) -> Iterable[str]:
        if not self._processor.is_assigned:
            yield "the group has not assigned partitions yet: starting, or a rebalance is under way"
        elif self._processor.recovering:
            yield f"partitions not recovered yet: {', '.join(map(str, self._processor.recovering))}"
        if self._inserts.paused is not None:
            yield f"inserts are paused: {self._inserts.paused}"
        yield from (f"breaker open: {flood}" for flood in self._processor.floods)
        if not self._progress.observed_at:
            yield "Kafka has not given the end of the log yet"
        elif self.is_away():
            yield f"away from Kafka: it has not answered for {self._silent_ms() // 1000} s"

    def is_away(self) -> bool:
        """Whether Kafka has not answered for so long that the partitions may be another worker's by now."""
        return self._silent_ms() > AWAY_MS

    def _silent_ms(self) -> int:
        return self._clock.now() - self._progress.observed_at

    def gauges(self) -> WorkerGauges:
        """The numbers of this moment, for the metrics."""
        now, states, recovering = self._clock.now(), self._processor.partitions, set(self._processor.recovering)
        floods = {flood.partition for flood in self._processor.floods}
        self._count(states, now)
        return WorkerGauges(
            ready=not self.reasons(),
            unknown_members=self._unknown,
            partitions=[
                PartitionGauges(
                    number=number,
                    recovered=number not in recovering,
                    stopped=number in floods,
                    lag_records=(lag := self._progress.lag(number, self._committed_to(number))),
                    lag_seconds=self._lag_seconds(number, lag, now),
                    commit_age_seconds=(now - self._progress.due_since.get(number, now)) / 1000,
                    cases=len(states[number]) if number in states else 0,
                    state_bytes=self._bytes.get(number, 0),
                )
                for number in self._processor.held
            ],
        )

    def _lag_seconds(self, number: int, lag: int | None, now: int) -> float | None:
        """Age of the oldest record that is not committed: of the oldest in hand, else since when we know that there is one."""
        if lag is None:
            return None
        oldest = self._processor.oldest_waiting(number)
        since = oldest if oldest is not None else self._progress.due_since.get(number, now) if lag else now
        return max(0, now - since) / 1000

    def _count(self, states: Mapping[int, Partition], now: int) -> None:
        if states.keys() != self._bytes.keys() or now - self._counted_at > COUNTED_EVERY_MS:
            self._bytes = {number: state.store.nbytes for number, state in states.items()}
            self._counted_at = now


# -- over HTTP ---------------------------------------------------------------------------------------------------------
def application(health: Health, metrics: WorkerMetrics, cells: Cells, policy: Policy) -> web.Application:
    """The three pages."""

    async def live(_: web.Request) -> web.Response:
        return _answer({"live": True})

    async def ready(_: web.Request) -> web.Response:
        reasons = health.reasons()
        return _answer({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def exposed(request: web.Request) -> web.Response:
        metrics.set_gauges(health.gauges())
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=cells.added_to(encode(metrics.registry)), headers={"Content-Type": kind})

    return guarded(policy, [web.get("/health/live", live), web.get("/health/ready", ready), web.get("/metrics", exposed)])


def _answer(content: Mapping[str, object], status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(content, indent=1) + "\n", status=status, content_type="application/json")
