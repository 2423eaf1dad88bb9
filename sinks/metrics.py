"""What a worker tells Prometheus about itself. Names and meanings are listed in `docs/metrics.md`.

Counters and histograms grow as things happen, once for a fetch or an insert. What stands at a moment (lag, cases, bytes)
is handed over as one `WorkerGauges` whenever the metrics are read, and costs nothing in between. A registry of its own is
passed in, so that two workers in one process (tests) do not share counters.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from events.rejection import Reason

FRESHNESS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0)
MOST_NAMES: Final = 50
ACKNOWLEDGED, FAILED = "acknowledged", "failed"
NOTHING_READ: Final = (0, 0)
OTHERS: Final = "(other)"
"""Publishers choose the names of unknown members: after so many, further ones count as others."""


@dataclass(frozen=True)
class PartitionGauges:
    """One partition in hand. None where it is not known yet."""

    number: int
    recovered: bool
    stopped: bool
    lag_records: int | None
    lag_seconds: float | None
    commit_age_seconds: float
    cases: int
    state_bytes: int


@dataclass(frozen=True)
class WorkerGauges:
    """A worker at a moment. `unknown_members` counts by name and only grows."""

    ready: bool
    partitions: Sequence[PartitionGauges]
    unknown_members: Mapping[str, int]


class Ages(Histogram):
    """A histogram that takes many values at once: one call for each of 20,000 records of a fetch would cost 1 us an event."""

    def observe_all(self, seconds: NDArray[np.float64]) -> None:
        """Count each of these values."""
        places = np.bincount(np.searchsorted(self._upper_bounds, seconds), minlength=len(self._buckets))
        for bucket, count in zip(self._buckets, places.tolist(), strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(float(seconds.sum()))


class WorkerMetrics:
    """Counters, gauges and histograms of one worker."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self.registry = registry
        self._clock = clock
        self._paused_since: float | None = None
        self._members_named: set[str] = set()
        self._members_counted: dict[str, int] = {}
        self._recoveries: dict[int, tuple[int, int]] = {}
        self._of_events(registry)
        self._of_inserts(registry)
        self._of_a_moment(registry)

    def _of_events(self, registry: CollectorRegistry) -> None:
        self._events = Counter("frontdesk_events", "Records folded or set aside", registry=registry)
        self._dead_letters = Counter("frontdesk_dead_letters", "Records set aside", ["reason"], registry=registry)
        for reason in Reason:  # shown from 0 on, so that the first one is seen to be added
            self._dead_letters.labels(reason)
        self._forwards = Counter("frontdesk_forwards", "Records sent on to the partition they belong to", registry=registry)
        self._freshness = Ages(
            "frontdesk_freshness_seconds", "From an event being produced to its rows being readable", buckets=FRESHNESS, registry=registry
        )
        self._recovered = Counter("frontdesk_recovered_records", "Changelog records read at recoveries", ["partition"], registry=registry)
        self._breaches = Counter(
            "frontdesk_breach_messages", "Messages about promises that were sent", ["target", "stage", "state"], registry=registry
        )
        self._members = Counter("frontdesk_unknown_members", "Events with a member of data that is dropped", ["member"], registry=registry)

    def _of_inserts(self, registry: CollectorRegistry) -> None:
        self._insert_seconds = Histogram("frontdesk_insert_seconds", "One insert into ClickHouse", ["table", "outcome"], registry=registry)
        self._insert_rows = Counter("frontdesk_insert_rows", "Rows of these inserts", ["table", "outcome"], registry=registry)
        self._insert_bytes = Counter("frontdesk_insert_bytes", "Bytes sent for these inserts", ["table", "outcome"], registry=registry)
        self._retries = Counter("frontdesk_retries", "Inserts and questions that are tried again", ["code"], registry=registry)
        self._failures = Counter(
            "frontdesk_insert_failures", "Inserts that failed, most of them to be tried again", ["code"], registry=registry
        )
        self._paused = Gauge("frontdesk_paused", "1 while an insert is being retried and nothing is consumed", registry=registry)
        self._paused_seconds = Counter("frontdesk_paused_seconds", "Time in which inserts were retried", registry=registry)

    def _of_a_moment(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"frontdesk_{name}", meaning, ["partition"], registry=registry)

        self._topic = Gauge("frontdesk_topic_partitions", "Partitions of the events topic", registry=registry)
        self._ready = Gauge("frontdesk_ready", "1 while /health/ready answers 200", registry=registry)
        self._assigned = Gauge("frontdesk_assigned_partitions", "Partitions in hand", registry=registry)
        self._lag_events = gauge("lag_events", "Records of a partition that are not committed")
        self._lag_seconds = gauge("lag_seconds", "Age of the oldest of them")
        self._commit_age = gauge("commit_age_seconds", "Since the last commit, while one is due")
        self._to_recover = gauge("recovery_records", "Records of the changelog that the latest recovery is about")
        self._recovery_done = gauge("recovery_done_records", "Those of them that it has read")
        self._is_recovered = gauge("partition_recovered", "1 once the state is known")
        self._is_stopped = gauge("partition_stopped", "1 while the breaker is open")
        self._cases = gauge("remembered_cases", "Cases in memory")
        self._bytes = gauge("state_bytes", "Bytes of these cases' records")

    # -- as it happens ------------------------------------------------------------------------------------------------
    def folded(self, produced_at: Sequence[int], readable_at: int) -> None:
        """Records with these timestamps are done, and their rows are readable since `readable_at` (ms)."""
        self._events.inc(len(produced_at))
        self._freshness.observe_all(np.maximum(0, readable_at - np.asarray(produced_at, np.int64)) / 1000)

    def refused(self, reason: str) -> None:
        self._dead_letters.labels(reason).inc()

    def forwarded(self, records: int) -> None:
        self._forwards.inc(records)

    def recovered(self, partition: int, records: int) -> None:
        self._recovered.labels(str(partition)).inc(records)

    def recovering(self, partition: int, done: int, records: int) -> None:
        """A recovery has read `done` of `records`, holes that compaction left included."""
        self._recoveries[partition] = done, records

    def announced(self, target: str, stage: str, state: str) -> None:
        self._breaches.labels(target, stage, state).inc()

    def inserted(self, table: str, rows: int, seconds: float, size: int) -> None:
        self._tried(table, ACKNOWLEDGED, rows, seconds, size)

    def insert_failed(self, table: str, rows: int, seconds: float, size: int, code: int) -> None:
        self._tried(table, FAILED, rows, seconds, size)
        self._failures.labels(str(code)).inc()

    def _tried(self, table: str, outcome: str, rows: int, seconds: float, size: int) -> None:
        self._insert_seconds.labels(table, outcome).observe(seconds)
        self._insert_rows.labels(table, outcome).inc(rows)
        self._insert_bytes.labels(table, outcome).inc(size)

    def retried(self, code: int) -> None:
        self._retries.labels(str(code)).inc()

    def paused(self, paused: bool) -> None:
        self._paused.set(paused)
        self._count_pause()
        self._paused_since = self._clock() if paused else None

    def serves(self, partitions: int) -> None:
        """The topic has so many."""
        self._topic.set(partitions)

    # -- when it is read ----------------------------------------------------------------------------------------------
    def set_gauges(self, gauges: WorkerGauges) -> None:
        """Show this moment; partitions of an earlier one are gone."""
        self._count_pause()
        self._count_members(gauges.unknown_members)
        self._ready.set(gauges.ready)
        self._assigned.set(len(gauges.partitions))
        rows: tuple[tuple[Gauge, Callable[[PartitionGauges], float | None]], ...] = (
            (self._lag_events, lambda p: p.lag_records),
            (self._lag_seconds, lambda p: p.lag_seconds),
            (self._commit_age, lambda p: p.commit_age_seconds),
            (self._to_recover, lambda p: self._recoveries.get(p.number, NOTHING_READ)[1]),
            (self._recovery_done, lambda p: self._recoveries.get(p.number, NOTHING_READ)[0]),
            (self._is_recovered, lambda p: p.recovered),
            (self._is_stopped, lambda p: p.stopped),
            (self._cases, lambda p: p.cases),
            (self._bytes, lambda p: p.state_bytes),
        )
        for gauge, value_of in rows:
            gauge.clear()
            for partition in gauges.partitions:
                value = value_of(partition)
                if value is not None:
                    gauge.labels(str(partition.number)).set(value)

    def _count_pause(self) -> None:
        """Up to now; a pause that goes on goes on being counted."""
        if self._paused_since is not None:
            now = self._clock()
            self._paused_seconds.inc(now - self._paused_since)
            self._paused_since = now

    def _count_members(self, counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            if len(self._members_named) < MOST_NAMES:
                self._members_named.add(name)
            label = name if name in self._members_named else OTHERS
            self._members.labels(label).inc(count - self._members_counted.get(name, 0))
            self._members_counted[name] = count
