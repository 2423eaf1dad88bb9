"""Pipeline health: whether the numbers can be trusted, and who has to do something when they cannot. Alerts link here."""

from deploy.grafana.board import Board
from deploy.grafana.panels import COUNT, INSTANT, TableColumn, listing, measured, number, series, steps

SECONDS = "s"

BOARD = Board(
    uid="frontdesk-pipeline",
    title="Pipeline health",
    about="For operators: whether events are counted, how old the numbers are, and what was set aside.",
    variables=[],
    marks=[],
    panels=[
        number(
            "Numbers are true up to",
            "How far the partition that is furthest behind has counted. Over two minutes: look at the workers below.",
            "SELECT dateDiff('second', min(as_of), now()) AS behind FROM progress FINAL HAVING count() > 0",
            SECONDS,
            empty="no worker has counted anything yet",
            thresholds=steps(("green", None), ("orange", 120), ("red", 600)),
        ),
        measured(
            "Workers that are ready",
            "Workers whose /health/ready answers 200. None: every number stands still, nothing is lost.",
            "sum(frontdesk_ready)",
            COUNT,
            empty="no worker tells Prometheus anything",
            thresholds=steps(("red", None), ("green", 1)),
        ),
        measured(
            "Events that wait",
            "Records in Kafka that are not counted yet, over all partitions.",
            "sum(max by (partition) (frontdesk_lag_events))",
            COUNT,
            empty="no worker tells Prometheus anything",
            thresholds=steps(("green", None), ("orange", 10_000)),
        ),
        measured(
            "Waiting for ClickHouse",
            "Yes while some worker cannot insert and waits; events wait in Kafka meanwhile.",
            "max(frontdesk_paused)",
            "bool_yes_no",
            empty="no worker tells Prometheus anything",
            thresholds=steps(("green", None), ("red", 1)),
        ),
        series(
            "Events counted",
            "Events a second, by worker.",
            "sum by (instance) (rate(frontdesk_events_total[$__rate_interval]))",
            "{{instance}}",
            "eps",
        ),
        series(
            "Seconds until a number has changed",
            "From the timestamp of a record to its rows being readable: 99 of 100 are faster. An alert comes over 1 s for 10 minutes.",
            "histogram_quantile(0.99, sum by (le) (rate(frontdesk_freshness_seconds_bucket[$__rate_interval])))",
            "99 of 100",
            SECONDS,
        ),
        series(
            "Age of the oldest event that waits",
            "By partition. 0: everything is counted.",
            "max by (partition) (frontdesk_lag_seconds)",
            "partition {{partition}}",
            SECONDS,
        ),
        series(
            "Inserts that failed",
            "By ClickHouse's error code (210: the network). They are tried again.",
            "sum by (code) (rate(frontdesk_insert_failures_total[$__rate_interval]))",
            "code {{code}}",
            "ops",
        ),
        listing(
            "Set aside, still to be decided",
            "Records that could not be counted, by reason. frontdesk dead-letters list shows them; redrive or discard them.",
            """
SELECT reason, topic, count() AS records, min(produced_at) AS first, max(produced_at) AS last, any(message) AS example
FROM dead_letters FINAL
WHERE state = 'open'
GROUP BY reason, topic
ORDER BY records DESC, reason""",
            [TableColumn("records", COUNT), TableColumn("first", INSTANT), TableColumn("last", INSTANT)],
            empty="nothing was set aside",
        ),
        listing(
            "Names that the directory does not know",
            "Schools and departments that contacts of four weeks name and the directory does not list: a slip of the pen, or a new one.",
            """
SELECT district, kind, id, contacts, contacts_24h AS `last 24 hours`, contacts_1h AS `last hour`
FROM unlisted
ORDER BY contacts DESC, district, kind, id
LIMIT 100""",
            [TableColumn("contacts", COUNT), TableColumn("last 24 hours", COUNT), TableColumn("last hour", COUNT)],
            empty="the directory knows every name",
        ),
        listing(
            "Partitions",
            "Up to which minute each partition of the log is counted. One that stands while others go on has no worker, "
            "or its breaker is open.",
            "SELECT partition, as_of AS `true up to`, next_offset AS `next offset` FROM progress FINAL ORDER BY partition",
            [TableColumn("partition", "none"), TableColumn("true up to", INSTANT), TableColumn("next offset", "none")],
            width=24,
            height=6,
        ),
    ],
    runbooks=[
        "FrontdeskNoWorker",
        "FrontdeskNoneReady",
        "FrontdeskClickHouseAway",
        "FrontdeskLagging",
        "FrontdeskStale",
        "FrontdeskBreakerOpen",
        "FrontdeskDeadLetters",
    ],
)
