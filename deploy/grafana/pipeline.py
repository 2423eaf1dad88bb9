"""Pipeline health: whether the numbers can be trusted, and who has to do something when they cannot. Alerts link here."""

from deploy.grafana import links
from deploy.grafana.board import SIX_HOURS, Board
from deploy.grafana.columns import columns
from deploy.grafana.panels import COUNT, SECONDS, YES_NO, listing, measured, number, series, steps

_EVERY_PARTITION = 12
"""A height in grid units for the table's head and ten rows; the usual topic has eight partitions."""

BOARD = Board(
    uid=links.PIPELINE,
    title="Pipeline health",
    about="For operators: whether events are counted, how old the numbers are, and what was set aside.",
    since=SIX_HOURS,
    panels=[
        number(
            "How old the numbers are",
            "The age of the latest minute that the partition furthest behind has counted. Over two minutes: look at the workers below.",
            "SELECT dateDiff('second', min(as_of), now()) AS age FROM progress FINAL HAVING count() > 0",
            SECONDS,
            empty="no worker has counted anything yet",
            thresholds=steps(("green", 0), ("orange", 120), ("red", 600)),
        ),
        measured(
            "Workers that are ready",
            "Workers whose /health/ready answers 200. None: every number stands still, nothing is lost.",
            "sum(frontdesk_ready)",
            COUNT,
            thresholds=steps(("red", 0), ("green", 1)),
        ),
        measured(
            "Events that wait",
            "Records in Kafka that are not counted yet, over all partitions.",
            "sum(max by (partition) (frontdesk_lag_events))",
            COUNT,
            thresholds=steps(("green", 0), ("orange", 10_000)),
        ),
        measured(
            "Waiting for ClickHouse",
            "Yes while some worker cannot insert and waits; events wait in Kafka meanwhile.",
            "max(frontdesk_paused)",
            YES_NO,
            thresholds=steps(("green", 0), ("red", 1)),
        ),
        series(
            "Events counted",
            "Events a second, by worker.",
            "sum by (instance) (rate(frontdesk_events_total[$__rate_interval]))",
            "{{instance}}",
            "eps",
            empty="no worker told Prometheus of any event in this time",
        ),
        series(
            "Seconds until a number has changed",
            "From the timestamp of a record to its rows being readable: 99 of 100 are faster. An alert comes over 1 s for 10 minutes.",
            "histogram_quantile(0.99, sum by (le) (rate(frontdesk_freshness_seconds_bucket[$__rate_interval])))",
            "99 of 100",
            SECONDS,
            empty="no event was counted in this time",
        ),
        series(
            "Age of the oldest event that waits",
            "By partition. 0: everything is counted.",
            "max by (partition) (frontdesk_lag_seconds)",
            "partition {{partition}}",
            SECONDS,
            empty="no worker told Prometheus of any partition in this time",
        ),
        series(
            "Inserts that failed",
            "By ClickHouse's error code (210: the network). They are tried again.",
            "sum by (code) (rate(frontdesk_insert_failures_total[$__rate_interval]))",
            "code {{code}}",
            "ops",
            empty="no worker told Prometheus of a failed insert in this time",
        ),
        listing(
            "Set aside, still to be decided",
            "Records that could not be counted, by reason. frontdesk dead-letters list shows them; redrive or discard them.",
            """
SELECT count() AS records, reason, min(produced_at) AS first, max(produced_at) AS last, topic AS `Kafka topic`, any(message) AS example
FROM dead_letters FINAL
WHERE state = 'open'
GROUP BY reason, topic
ORDER BY records DESC, reason""",
            columns("records", "reason", "first", "last", "Kafka topic", "example"),
            empty="nothing was set aside",
            width=24,
        ),
        listing(
            "Partitions",
            "Up to which minute each partition of the log is counted, the one that is furthest behind first. One that stands while others "
            "go on has no worker, or its breaker is open.",
            """
SELECT partition, as_of AS `counted up to`, dateDiff('second', as_of, now()) AS behind, next_offset AS `next offset`
FROM progress FINAL
ORDER BY as_of, partition""",
            columns("partition", "counted up to", "behind", "next offset"),
            empty="no worker has counted anything yet",
            height=_EVERY_PARTITION,
        ),
        listing(
            "Names that the directory does not know",
            "Schools and departments that contacts of four weeks name and the directory does not list: a slip of the pen, or a new one.",
            """
SELECT contacts, contacts_24h AS `in a day`, contacts_1h AS `in an hour`, kind, id, district
FROM unlisted
ORDER BY contacts DESC, district, kind, id
LIMIT 100""",
            columns("contacts", "in a day", "in an hour", "kind", "id", "district"),
            empty="the directory knows every name",
            height=_EVERY_PARTITION,
            period="28 days",
        ),
    ],
)
