"""What a worker tells Prometheus about itself. Names and meanings are listed in `docs/metrics.md`.

A registry of its own is passed in, so that two workers in one process (tests) do not share counters.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

FRESHNESS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0)


class WorkerMetrics:
    """Counters, gauges and histograms of one worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter("frontdesk_events", "Records folded or set aside", registry=registry)
        self._dead_letters = Counter("frontdesk_dead_letters", "Records set aside", ["reason"], registry=registry)
        self._forwards = Counter("frontdesk_forwards", "Records sent on to the partition they belong to", registry=registry)
        self._freshness = Histogram(
            "frontdesk_freshness_seconds",
            "From the oldest event of a fetch to its readable rows",
            buckets=FRESHNESS,
            registry=registry,
        )
        self._recovered = Counter("frontdesk_recovered_records", "Changelog records read at recoveries", ["partition"], registry=registry)
        self._insert_seconds = Histogram("frontdesk_insert_seconds", "One insert into ClickHouse", ["table", "outcome"], registry=registry)
        self._insert_rows = Counter("frontdesk_insert_rows", "Rows that ClickHouse acknowledged", ["table"], registry=registry)
        self._failures = Counter(
            "frontdesk_insert_failures", "Inserts that failed, most of them to be tried again", ["code"], registry=registry
        )
        self._paused = Gauge("frontdesk_paused", "1 while an insert is being retried and nothing is consumed", registry=registry)

    def folded(self, records: int, produced_at: int, readable_at: int) -> None:
        self._events.inc(records)
        self._freshness.observe(max(0, readable_at - produced_at) / 1000)

    def refused(self, reason: str) -> None:
        self._dead_letters.labels(reason).inc()

    def forwarded(self, records: int) -> None:
        self._forwards.inc(records)

    def recovered(self, partition: int, records: int) -> None:
        self._recovered.labels(str(partition)).inc(records)

    def inserted(self, table: str, rows: int, seconds: float) -> None:
        self._insert_seconds.labels(table, "acknowledged").observe(seconds)
        self._insert_rows.labels(table).inc(rows)

    def insert_failed(self, table: str, code: int, seconds: float) -> None:
        self._insert_seconds.labels(table, "failed").observe(seconds)
        self._failures.labels(str(code)).inc()

    def paused(self, paused: bool) -> None:
        self._paused.set(paused)
