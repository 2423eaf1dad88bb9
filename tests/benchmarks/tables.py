"""Tables of invented districts with a year of cases, written by SQL inside ClickHouse: 1,200 districts and five million cases, or fewer.

Sizes are heavy-tailed (Zipf): the largest of 1,200 districts has a tenth of all cases, half of them have a tenth together. A tenth of the
cases is written a second time with a newer version, in parts that are not merged, so that FINAL has something to do. Schools grow
with the district, and so do the cells of the windows. Whatever a query may read is here: events, cases, windows and their history,
progress, the directory, dead letters, and months that were released.
"""

import time
from dataclasses import dataclass
from typing import Final

from clickhouse_driver import Client

from events.directory import Directory
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.publication import COLUMNS
from tests.benchmarks.sizes import DRAWN_PLACE

AT_ONCE: Final = 250_000
DAYS: Final = 28
TOPIC_ID: Final = "topic"
DIRECTORY: Final = """
revision: 1
zone: America/Chicago
hours: {monday: 08:00-16:00, tuesday: 08:00-16:00, wednesday: 08:00-16:00, thursday: 08:00-16:00, friday: 08:00-16:00}
targets: {routine: {response: 8 business hours, resolution: 40 business hours}}
districts: {district-0000: {name: The largest (invented)}}
"""


@dataclass(frozen=True)
class Size:
    """How many districts, how many cases they have together, and in how many days these came."""

    districts: int
    cases: int
    days: int = 365


LARGE: Final = Size(1_200, 5_000_000)
SMALL: Final = Size(60, 200_000, 40)


def district_of(number: int) -> str:
    """District 0 is the largest."""
    return f"district-{number:04}"


_DISTRICT: Final = "concat('district-', leftPad(toString(place), 4, '0'))"
_SCHOOLS: Final = "toUInt32(greatest(3, 200 / sqrt(place + 1)))"
_DRAWN: Final = f"""
    {DRAWN_PLACE} AS place,
    {_DISTRICT} AS district,
    toDateTime64(%(now_s)s, 3, 'UTC') - toIntervalSecond(intHash32(number) %% (86400 * %(of_days)s)) AS opened,
    concat('case-', toString(number)) AS subject,
    concat('/bench ', toString(number)) AS episode,
    concat('school-', toString(intHash32(number + 4) %% {_SCHOOLS})) AS school,
    concat('department-', toString(intHash32(number + 2) %% 8)) AS department,
    concat('s-', toString(intHash32(number + 3) %% 100000)) AS stakeholder,
    intHash32(number + 1) %% 1000 AS luck,
    opened + toIntervalMinute(luck * 2 + 1) AS answer, opened + toIntervalMinute(luck * 6 + 1) AS end,
    opened + INTERVAL 24 HOUR AS response_due, opened + INTERVAL 5 DAY AS resolution_due,
    luck >= 5 AND answer < now64(3) AS is_answered, luck >= 10 AND end < now64(3) AS is_resolved,
    luck BETWEEN 10 AND 14 AND is_resolved AS is_asked_again
"""

_CASES: Final = f"""
INSERT INTO cases (
    district, opened_at, subject, episode, school, department, stakeholder, audience, channel, language, topic, priority, needs_reply,
    status, received_at, first_response_at, responded_school, responded_department, response_warn_at, response_due_at, answered_at,
    waiting_since, first_resolved_at, resolved_at, resolved_school, resolved_department, reopens, resolution_warn_at, resolution_due_at,
    rating, rated_at, contacts, replies, resolutions, response_ms, response_business_ms, first_resolution_ms,
    first_resolution_business_ms, resolution_ms, resolution_business_ms, partition, last_offset, version)
WITH {_DRAWN}
SELECT district, opened, subject, episode, school, department, stakeholder,
    arrayElement(['family', 'student', 'staff', 'community'], 1 + luck %% 4),
    arrayElement(['web', 'email', 'phone', 'text', 'chat'], 1 + luck %% 5),
    arrayElement(['en', 'es', 'zh', 'vi', 'ar', 'so'], 1 + luck %% 6),
    concat('topic-', toString(luck %% 40)), if(luck %% 50 = 0, 'critical', 'routine'), 1,
    multiIf(is_asked_again, 'open', is_resolved, 'resolved', is_answered, 'answered', 'open'), opened, if(is_answered, answer, NULL),
    if(is_answered, school, ''), if(is_answered, department, ''), opened + INTERVAL 19 HOUR, response_due, if(is_answered, answer, NULL),
    multiIf(is_asked_again, end + INTERVAL 1 HOUR, is_answered, NULL, opened), if(is_resolved, end, NULL),
    if(is_resolved AND NOT is_asked_again, end, NULL), if(is_resolved, school, ''), if(is_resolved, department, ''), luck %% 20 = 0,
    opened + INTERVAL 4 DAY, resolution_due, if(is_resolved AND luck %% 5 = 0, (luck %% 11) / 10, NULL),
    if(is_resolved AND luck %% 5 = 0, end, NULL), 1 + is_asked_again, is_answered, is_resolved,
    if(is_answered, luck * 120000, NULL), if(is_answered, luck * 30000, NULL), if(is_resolved, luck * 360000, NULL),
    if(is_resolved, luck * 90000, NULL), if(is_resolved, luck * 360000, NULL), if(is_resolved, luck * 90000, NULL),
    place %% %(partitions)s, number, %(version)s
FROM numbers(%(first)s, %(rows)s) WHERE number %% %(every)s = 0"""

_EVENTS: Final = f"""
INSERT INTO events (
    district, subject, source, id, kind, time, school, department, stakeholder, channel, audience, language, priority, needs_reply, outcome,
    partition, offset, produced_at, version)
WITH {_DRAWN}
SELECT district, subject, '/bench', concat(toString(number), kind = 'contact' ? '' : '-end') AS id,
    arrayJoin(is_resolved ? ['contact', 'resolution'] : ['contact']) AS kind, kind = 'contact' ? opened : end AS at, school, department,
    kind = 'contact' ? stakeholder : '', 'web', 'family', 'en', kind = 'contact' ? 'routine' : '', kind = 'contact',
    kind = 'contact' ? '' : 'resolved', place %% %(partitions)s, number, at, 1
FROM numbers(%(first)s, %(rows)s)"""

_PLACES: Final = f"""
SELECT place, {_DISTRICT} AS district, of_school, of_department,
    if(of_school = 0, '', concat('school-', toString(of_school - 1))) AS school,
    if(of_department = 0, '', concat('department-', toString(of_department - 1))) AS department,
    multiIf(school = '' AND department = '', 'district', department = '', 'school', school = '', 'department', 'school_department') AS scope
FROM (SELECT number AS place FROM numbers(%(districts)s))
ARRAY JOIN range({_SCHOOLS} + 1) AS of_school
ARRAY JOIN range(9) AS of_department"""

_NUMBERS: Final = """
    contact_n, message_n, stakeholder_n, response_n, response_sum_ms, response_p50_ms, response_p90_ms, response_p50_business_ms,
    response_p90_business_ms, response_due_n, response_kept_n, resolution_n, resolution_p50_ms, resolution_p90_ms,
    resolution_p50_business_ms, resolution_p90_business_ms, resolution_due_n, resolution_kept_n, quality_n, quality_sum,
    rating_n, rating_sum_bp, rating_sum_squares_bp2, rating_satisfied_n, version"""
_SOME: Final = "90, 100, 80, 70, 7e8, 1e7, 2e7, 3e6, 6e6, 60, 55, 50, 3e7, 6e7, 9e6, 2e7, 40, 30, 40, 28, 30, 240000, 2000000000, 22, 1"

_WINDOWS: Final = f"""
INSERT INTO windows (district, scope, school, department, window, as_of, partition, {_NUMBERS})
SELECT district, scope, school, department, arrayJoin(['1h', '24h', '7d', '28d']), toDateTime(%(now_s)s), place %% %(partitions)s, {_SOME}
FROM ({_PLACES})"""

_HISTORY: Final = f"""
INSERT INTO windows_history (slot, district, scope, school, department, window, as_of, partition, {_NUMBERS})
SELECT arrayJoin(arrayMap(back -> toStartOfFifteenMinutes(toDateTime(%(now_s)s) - toIntervalHour(back)), range(24 * %(days)s))) AS slot,
    district, scope, school, department, '7d', slot + INTERVAL 14 MINUTE, place %% %(partitions)s, {_SOME}
FROM ({_PLACES}) WHERE scope = 'district'"""

_DISTRICTS: Final = f"""
INSERT INTO districts (revision, district, name, zone)
SELECT 1, {_DISTRICT} AS district, district, 'America/Chicago' FROM (SELECT number AS place FROM numbers(%(districts)s)) WHERE place > 0"""

_SCHOOL_NAMES: Final = f"""
INSERT INTO schools (revision, district, school, name)
SELECT 1, district, school, school FROM ({_PLACES}) WHERE scope = 'school' AND of_school > 1"""

_DEPARTMENT_NAMES: Final = f"""
INSERT INTO departments (revision, district, department, name)
SELECT 1, district, department, department FROM ({_PLACES}) WHERE scope = 'department'"""

_PROGRESS: Final = """
INSERT INTO progress SELECT number, toDateTime(%(now_s)s) - toIntervalMinute(back), 1, 100 - back
FROM numbers(%(partitions)s) ARRAY JOIN range(100) AS back"""

_DEAD_LETTERS: Final = """
INSERT INTO dead_letters (topic_id, topic, partition, offset, produced_at, reason, path, message, bytes, source, state)
SELECT %(topic_id)s, 'frontdesk.events', number %% %(partitions)s, number, toDateTime64(%(now_s)s, 3) - toIntervalSecond(number), 'invalid',
    '$.data', 'wrong', 100, '/bench', number %% 10 = 0 ? 'open' : 'discarded'
FROM numbers(%(dead_letters)s)"""

_RELEASES: Final = f"""
INSERT INTO releases (district, month, acted_at, act, {", ".join(COLUMNS)})
SELECT district, toStartOfMonth(addMonths(toDate(%(now_s)s), -arrayJoin(range(1, 13)))) AS month, toDateTime64(%(now_s)s, 3), 'released',
    scope, school, department, district, school, department, 'month', month, month + 27, 0, 90, 100, 1e7, 3e6, 0.9, 3e7, 9e6, 0.8, 0.7
FROM ({_PLACES}) WHERE scope != 'school_department'"""


def fill(client: Client, size: Size, *, partitions: int = 8) -> None:
    """Fill the empty tables of a migrated database."""
    known = {
        "now_s": int(time.time()),
        "districts": size.districts,
        "partitions": partitions,
        "days": DAYS,
        "topic_id": TOPIC_ID,
        "of_days": size.days,
    }
    known["dead_letters"] = size.cases // 100
    write_directory(client, Directory.parse(DIRECTORY))
    for statement in (_DISTRICTS, _SCHOOL_NAMES, _DEPARTMENT_NAMES, _WINDOWS, _HISTORY, _PROGRESS, _DEAD_LETTERS, _RELEASES):
        client.execute(statement, known)
    for first in range(0, size.cases, AT_ONCE):
        some = known | {"first": first, "rows": min(AT_ONCE, size.cases - first)}
        client.execute(_CASES, some | {"version": 1, "every": 1})
        client.execute(_CASES, some | {"version": 2, "every": 10})
        client.execute(_EVENTS, some)
