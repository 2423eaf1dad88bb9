"""Why a worker is not ready, and what stands at a moment, from what the processor and its neighbours say."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.utils import floatToGoString

from events.directory import DEFAULT, Directory
from events.rejection import Reason
from projections.partition import Partition
from sinks.metrics import FRESHNESS, MOST_NAMES, OTHERS, PartitionGauges, WorkerGauges, WorkerMetrics
from streams.http.policy import Policy
from streams.http.serving import answer
from streams.worker.breaker import Flood
from streams.worker.cells import Cells
from streams.worker.health import AWAY_MS, Health, Progress, application

NOW = 1_790_000_000_000


@dataclass
class Worker:
    """Desk, inserts and clock of a worker that is well."""

    is_assigned: bool = True
    held: list[int] = field(default_factory=lambda: [0, 3])
    recovering: list[int] = field(default_factory=list)
    floods: list[Flood] = field(default_factory=list)
    paused: str | None = None
    oldest: dict[int, int] = field(default_factory=dict)
    partitions: dict[int, Partition] = field(default_factory=lambda: {n: Partition(n, DEFAULT) for n in (0, 3)})
    unknown: dict[str, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=lambda: {0: 10, 3: 20})
    directory: Directory = DEFAULT
    wall: int = NOW

    def oldest_waiting(self, number: int) -> int | None:
        return self.oldest.get(number)

    def now(self) -> int:
        return self.wall

    def health(self) -> Health:
        self.progress = Progress()
        self.tell({0: 10, 3: 20})
        return Health(
            processor=self, inserts=self, progress=self.progress, committed_to=self.committed.__getitem__, unknown=self.unknown, clock=self
        )

    def tell(self, ends: dict[int, int]) -> None:
        self.progress.observed(ends, dict(self.committed), self.wall)


def test_a_worker_that_is_well_is_ready() -> None:
    assert Worker().health().reasons() == []


FLOOD = Flood(3, 17, 0, 1_001, 1_002)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"is_assigned": False}, "the group has not assigned partitions yet"),
        ({"recovering": [0, 3]}, "partitions not recovered yet: 0, 3"),
        ({"paused": "events: Code 252"}, "inserts are paused: events: Code 252"),
        ({"floods": [FLOOD]}, "breaker open: partition 3 stands at offset 17: 1,001 of 1,002 records"),
    ],
)
def test_each_trouble_is_a_reason(trouble: dict[str, Any], reason: str) -> None:
    [told] = Worker(**trouble).health().reasons()
    assert told.startswith(reason)


def test_silence_of_kafka_is_a_reason_until_it_answers() -> None:
    worker = Worker()
    health = worker.health()
    worker.wall += AWAY_MS + 1
    assert health.reasons() == ["away from Kafka: it has not answered for 15 s"]
    worker.tell({0: 10, 3: 20})
    assert health.reasons() == []


def test_nothing_is_ready_before_kafka_ever_answered() -> None:
    worker = Worker()
    health = worker.health()
    worker.progress.observed_at = 0
    assert health.reasons() == ["Kafka has not given the end of the log yet"]


def of(health: Health, number: int) -> PartitionGauges:
    [found] = [partition for partition in health.gauges().partitions if partition.number == number]
    return found


def test_lag_counts_from_the_commit_to_the_end_and_its_age_is_that_of_the_oldest_record_in_hand() -> None:
    worker = Worker(oldest={0: NOW - 90_000})
    health = worker.health()
    worker.tell({0: 1_010, 3: 20})
    assert (of(health, 0).lag_records, of(health, 0).lag_seconds) == (1_000, 90.0)
    assert (of(health, 3).lag_records, of(health, 3).lag_seconds) == (0, 0.0)


def test_without_a_record_in_hand_the_lag_is_as_old_as_it_is_known() -> None:
    worker = Worker()
    health = worker.health()
    worker.tell({0: 11, 3: 20})
    worker.wall += 5_000
    assert of(health, 0).lag_seconds == 5.0


def test_the_age_of_a_commit_counts_while_one_is_due() -> None:
    #  0 s all is committed    10 s a record    14 s still there    16 s it is committed, another one is there    17 s
    worker = Worker()
    health = worker.health()
    ages = []
    for at, end, committed in ((10, 11, 10), (14, 11, 10), (16, 12, 11), (17, 12, 11), (18, 12, 12)):
        worker.wall, worker.committed[0] = NOW + at * 1_000, committed
        worker.tell({0: end, 3: 20})
        ages.append(of(health, 0).commit_age_seconds)
    assert ages == [0.0, 4.0, 0.0, 1.0, 0.0]


def test_an_unknown_end_is_no_lag_of_zero() -> None:
    worker = Worker()
    health = worker.health()
    worker.tell({3: 20})
    assert (of(health, 0).lag_records, of(health, 0).lag_seconds) == (None, None)


# -- metrics -----------------------------------------------------------------------------------------------------------
def value(metrics: WorkerMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"frontdesk_{name}", labels)


def standing(*numbers: int, **members: int) -> WorkerGauges:
    partitions = [
        PartitionGauges(n, recovered=True, stopped=False, lag_records=7, lag_seconds=None, commit_age_seconds=0, cases=1, state_bytes=9)
        for n in numbers
    ]
    return WorkerGauges(ready=True, partitions=partitions, unknown_members=members)


def test_partitions_that_are_gone_are_told_no_more_and_unknown_numbers_never() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    metrics.set_gauges(standing(1, 2))
    metrics.set_gauges(standing(2))
    assert value(metrics, "lag_events", partition="1") is None
    assert value(metrics, "lag_events", partition="2") == 7
    assert value(metrics, "lag_seconds", partition="2") is None
    assert value(metrics, "assigned_partitions") == 1


def test_what_has_not_happened_yet_is_told_as_0_so_that_the_first_one_is_an_increase() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    assert {value(metrics, "dead_letters_total", reason=reason) for reason in Reason} == {0}
    metrics.refused("not_json")
    assert value(metrics, "dead_letters_total", reason="not_json") == 1


def test_how_many_partitions_there_are_to_hold() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    metrics.serves(8)
    metrics.set_gauges(standing(1, 2))
    assert (value(metrics, "assigned_partitions"), value(metrics, "topic_partitions")) == (2, 8)


def test_a_pause_is_counted_while_it_goes_on_and_once() -> None:
    now = [100.0]
    metrics = WorkerMetrics(CollectorRegistry(), clock=lambda: now[0])
    metrics.paused(paused=True)
    now[0] = 103
    metrics.set_gauges(standing())
    assert value(metrics, "paused_seconds_total") == 3
    now[0] = 104
    metrics.paused(paused=True)
    now[0] = 110
    metrics.paused(paused=False)
    now[0] = 200
    metrics.set_gauges(standing())
    assert value(metrics, "paused_seconds_total") == 10


def test_a_recovery_tells_its_share_as_long_as_the_partition_is_in_hand() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    metrics.recovering(2, 0, 400)
    metrics.recovering(2, 300, 400)
    metrics.set_gauges(standing(1, 2))
    assert (value(metrics, "recovery_done_records", partition="2"), value(metrics, "recovery_records", partition="2")) == (300, 400)
    assert (value(metrics, "recovery_done_records", partition="1"), value(metrics, "recovery_records", partition="1")) == (0, 0)
    metrics.set_gauges(standing(1))
    assert value(metrics, "recovery_records", partition="2") is None


def test_inserts_are_told_by_outcome() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    metrics.insert_failed("cases", 5, 0.1, 70, 210)
    metrics.retried(210)
    metrics.inserted("cases", 5, 0.1, 700)
    for outcome, size in (("failed", 70), ("acknowledged", 700)):
        labels = {"table": "cases", "outcome": outcome}
        assert value(metrics, "insert_rows_total", **labels) == 5
        assert value(metrics, "insert_bytes_total", **labels) == size
        assert value(metrics, "insert_seconds_count", **labels) == 1
    assert value(metrics, "insert_failures_total", code="210") == value(metrics, "retries_total", code="210") == 1


@given(st.lists(st.integers(-1_000, 400_000), max_size=60))
def test_the_freshness_of_a_fetch_is_that_of_each_of_its_records(ages_ms: list[int]) -> None:
    metrics, one_by_one = WorkerMetrics(CollectorRegistry()), CollectorRegistry()
    plain = Histogram("frontdesk_freshness_seconds", "", buckets=FRESHNESS, registry=one_by_one)
    metrics.folded([NOW - age for age in ages_ms], NOW)
    for age in ages_ms:
        plain.observe(max(0, age) / 1000)
    assert value(metrics, "events_total") == len(ages_ms)
    for name, labels in [("count", {}), *(("bucket", {"le": floatToGoString(bound)}) for bound in (*FRESHNESS, inf))]:
        of_each = one_by_one.get_sample_value(f"frontdesk_freshness_seconds_{name}", labels)
        assert value(metrics, f"freshness_seconds_{name}", **labels) == of_each
    assert value(metrics, "freshness_seconds_sum") == pytest.approx(one_by_one.get_sample_value("frontdesk_freshness_seconds_sum"))


def test_publishers_cannot_flood_the_labels() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    metrics.set_gauges(standing(**{f"m{n}": 1 for n in range(MOST_NAMES + 20)}))
    metrics.set_gauges(standing(**{f"m{n}": 3 for n in range(MOST_NAMES + 20)}))
    assert value(metrics, "unknown_members_total", member="m0") == 3
    assert value(metrics, "unknown_members_total", member=OTHERS) == 60
    told = [
        sample for family in metrics.registry.collect() for sample in family.samples if sample.name == "frontdesk_unknown_members_total"
    ]
    assert len(told) == MOST_NAMES + 1


# -- over HTTP ---------------------------------------------------------------------------------------------------------
Get = Callable[[str], Any]


@pytest.fixture
async def served() -> AsyncIterator[tuple[Worker, Get]]:
    worker = Worker()
    health = worker.health()
    app = application(health, WorkerMetrics(CollectorRegistry()), Cells(worker, worker, 5_000, lambda: None, health.is_away), Policy())
    async with AsyncExitStack() as stack, ClientSession() as session:
        port = await answer(stack, app, 0)

        async def get(path: str) -> tuple[int, Any]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                return response.status, await (response.json() if path.startswith("/health") else response.text())

        yield worker, get


async def test_ready_is_503_with_the_reasons(served: tuple[Worker, Get]) -> None:
    worker, get = served
    assert await get("/health/ready") == (200, {"ready": True, "reasons": []})
    worker.floods.append(FLOOD)
    assert await get("/health/ready") == (503, {"ready": False, "reasons": [f"breaker open: {FLOOD}"]})
    assert await get("/health/live") == (200, {"live": True})


async def test_metrics_are_of_the_moment(served: tuple[Worker, Get]) -> None:
    worker, get = served
    worker.floods.append(FLOOD)
    status, text = await get("/metrics")
    assert status == 200
    assert 'frontdesk_partition_stopped{partition="3"} 1.0' in text
    assert 'frontdesk_partition_stopped{partition="0"} 0.0' in text
    assert "frontdesk_ready 0.0" in text
    assert "frontdesk_metric_cells_left_out 0\n" in text
    assert (await get("/nothing"))[0] == 404
