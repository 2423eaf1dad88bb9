"""How long each query of each dashboard takes: 28 days of the largest of ten districts, in tables with two million cases.

Rows are written by SQL: a year of cases in twelve partitions by month, a tenth of them a second time with a newer version, in
parts that are not merged, so that FINAL has something to do; the cells of the windows; what the windows were in 28 days.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from clickhouse_driver import Client

from deploy.embedded.clickhouse import ClickHouseServer
from events.directory import Directory
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.migration import migrate
from tests.grafana import ALL, Chosen, Look, queries

CASES, QUICK_CASES, AT_ONCE, RUNS, DAYS = 2_000_000, 50_000, 100_000, 20, 28
LARGEST: Final = "d0"
SETTINGS: Final = {"do_not_merge_across_partitions_select_final": 1}
"""As the provisioned data source has them."""
DIRECTORY: Final = """
revision: 1
zone: America/Chicago
hours: {monday: 08:00-16:00, tuesday: 08:00-16:00, wednesday: 08:00-16:00, thursday: 08:00-16:00, friday: 08:00-16:00}
targets: {routine: {response: 8 business hours, resolution: 40 business hours}}
districts: {d0: {name: The largest (invented)}}
"""

_DRAWN: Final = """
    toDateTime64(%(now_s)s, 3, 'UTC') - toIntervalSecond(intHash32(number) %% 31536000) AS opened,
    concat('d', toString(if(number %% 10 < 4, 0, number %% 10))) AS district,
    concat('case-', toString(number)) AS subject,
    intHash32(number + 1) %% 1000 AS luck,
    opened + toIntervalMinute(luck * 2) AS answer, opened + toIntervalMinute(luck * 6) AS end,
    opened + INTERVAL 24 HOUR AS response_due, opened + INTERVAL 5 DAY AS resolution_due,
    luck >= 5 AND answer < now64(3) AS is_answered, luck >= 10 AND end < now64(3) AS is_resolved
"""

_CASES: Final = f"""
INSERT INTO cases (
    district, opened_at, subject, episode, school, department, stakeholder, audience, channel, language, topic, priority, needs_reply,
    status, received_at, first_response_at, response_warn_at, response_due_at, answered_at, waiting_since, first_resolved_at, resolved_at,
    reopens, resolution_warn_at, resolution_due_at, rating, rated_at, contacts, replies, resolutions,
    response_ms, response_business_ms, resolution_ms, resolution_business_ms, version)
WITH {_DRAWN}
SELECT district, opened, subject, subject, concat('school-', toString(number %% 40)),
    concat('department-', toString(intHash32(number + 2) %% 10)),
    concat('s-', toString(intHash32(number + 3) %% 300000)),
    arrayElement(['family', 'student', 'staff', 'community'], 1 + luck %% 4),
    arrayElement(['web', 'email', 'phone', 'text', 'chat'], 1 + luck %% 5),
    arrayElement(['en', 'es', 'zh', 'vi', 'ar', 'so'], 1 + luck %% 6),
    concat('topic-', toString(luck %% 40)), if(luck %% 50 = 0, 'critical', 'routine'), 1,
    multiIf(is_resolved, 'resolved', is_answered, 'answered', 'open'), opened, if(is_answered, answer, NULL),
    opened + INTERVAL 19 HOUR, response_due, if(is_answered, answer, NULL), if(is_answered, NULL, opened),
    if(is_resolved, end, NULL), if(is_resolved, end, NULL), luck %% 20 = 0, opened + INTERVAL 4 DAY, resolution_due,
    if(is_resolved AND luck %% 5 = 0, (luck %% 11) / 10, NULL), if(is_resolved AND luck %% 5 = 0, end, NULL), 1, is_answered, is_resolved,
    if(is_answered, luck * 120000, NULL), if(is_answered, luck * 30000, NULL), if(is_resolved, luck * 360000, NULL),
    if(is_resolved, luck * 90000, NULL), %(version)s
FROM numbers(%(first)s, %(rows)s) WHERE number %% %(every)s = 0"""

_EVENTS: Final = f"""
INSERT INTO events (district, subject, source, id, kind, time, channel, audience, language, version)
WITH {_DRAWN}
SELECT district, subject, '/bench', toString(number), 'contact', opened, 'web', 'family', 'en', 1
FROM numbers(%(first)s, %(rows)s)"""

_CELLS: Final = """
SELECT
    concat('d', toString(number % 10)) AS district, intDiv(number, 10) AS cell, cell % 41 AS s, intDiv(cell, 41) AS d,
    if(s = 0, '', concat('school-', toString(s - 1))) AS school, if(d = 0, '', concat('department-', toString(d - 1))) AS department,
    multiIf(s = 0 AND d = 0, 'district', d = 0, 'school', s = 0, 'department', 'school_department') AS scope
FROM numbers(4510)"""

_NUMBERS: Final = """
    contact_n, message_n, stakeholder_n, response_n, response_sum_ms, response_p50_ms, response_p90_ms, response_p50_business_ms,
    response_p90_business_ms, response_due_n, response_kept_n, resolution_n, resolution_p50_ms, resolution_p90_ms,
    resolution_p50_business_ms, resolution_p90_business_ms, resolution_due_n, resolution_kept_n, quality_n, quality_sum,
    rating_n, rating_sum_bp, rating_sum_squares_bp2, rating_satisfied_n, version"""
_SOME: Final = "90, 100, 80, 70, 7e8, 1e7, 2e7, 3e6, 6e6, 60, 55, 50, 3e7, 6e7, 9e6, 2e7, 40, 30, 40, 28, 30, 240000, 2000000000, 22, 1"

_WINDOWS: Final = f"""
INSERT INTO windows (district, scope, school, department, window, as_of, {_NUMBERS})
SELECT district, scope, school, department, arrayJoin(['1h', '24h', '7d', '28d']), now(), {_SOME} FROM ({_CELLS})"""

_HISTORY: Final = f"""
INSERT INTO windows_history (slot, district, scope, school, department, window, as_of, {_NUMBERS})
SELECT toStartOfFifteenMinutes(now() - toIntervalMinute(15 * slot_number)), district, scope, school, department, '7d', now(), {_SOME}
FROM ({_CELLS}) AS cells
CROSS JOIN (SELECT number AS slot_number FROM numbers({DAYS * 96})) AS slots
WHERE district = '{LARGEST}' AND scope != 'school_department'"""


@dataclass(frozen=True)
class Slow:
    """How long a query takes, in milliseconds."""

    query: str
    p50_ms: float
    p95_ms: float


def measure(cases: int = CASES) -> list[Slow]:
    """Each query of each dashboard, the slowest first."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder, ClickHouseServer(Path(folder)) as running:
        server = ClickHouse(port=running.native_port, database="frontdesk")
        migrate(server)
        with server.connect() as client:
            write_directory(client, Directory.parse(DIRECTORY))
            fill(client, cases)
            look = at_the_largest()
            return sorted((_timed(client, str(asked), look.expand(asked.sql)) for asked in queries()), key=lambda slow: -slow.p95_ms)


def fill(client: Client, cases: int) -> None:
    now_s = int(time.time())
    for first in range(0, cases, AT_ONCE):
        some = {"now_s": now_s, "first": first, "rows": min(AT_ONCE, cases - first)}
        client.execute(_CASES, some | {"version": 1, "every": 1})
        client.execute(_CASES, some | {"version": 2, "every": 10})
        client.execute(_EVENTS, some)
    client.execute(_WINDOWS)
    client.execute(_HISTORY)


def at_the_largest() -> Look:
    known = {"district": LARGEST, "window": "28d", "clock": "business", "case": "case-1000"}
    known |= dict.fromkeys(("school", "department", "status", "priority", "channel", "audience", "language"), ALL)
    now = int(time.time())
    return Look({name: Chosen(value, ("a", "b")) for name, value in known.items()}, now - DAYS * 86_400, now)


def _timed(client: Any, name: str, sql: str) -> Slow:
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        client.execute(sql, settings=SETTINGS)
        took.append((time.perf_counter() - began) * 1000)
    cuts = quantiles(took, n=20)
    return Slow(name, cuts[9], cuts[18])


if __name__ == "__main__":
    for slow in measure():
        print(f"{slow.p50_ms:8.0f} {slow.p95_ms:8.0f} ms  {slow.query}")
