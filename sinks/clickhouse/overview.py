"""What the live page asks: the cells of a district, who waits, how many came on each day, and up to when that is true.

Rows come as plain dictionaries ready for JSON: instants in milliseconds since the epoch, durations in milliseconds,
shares in 0..1, None where there was nothing to divide by.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from clickhouse_driver import Client

from sinks.clickhouse.queries import dictionaries

Row = dict[str, Any]

WAITING_LISTED: Final = 100
"""Questions that are listed, those that wait longest first."""
CELL_COLUMNS: Final = (
    "scope",
    "school",
    "department",
    "district_name",
    "school_name",
    "department_name",
    "contacts",
    "messages",
    "stakeholders",
    "responses",
    "response_p50_ms",
    "response_p50_business_ms",
    "response_p90_ms",
    "response_p90_business_ms",
    "responses_due",
    "response_compliance",
    "resolutions",
    "resolution_p50_ms",
    "resolution_p50_business_ms",
    "resolution_p90_ms",
    "resolution_p90_business_ms",
    "resolutions_due",
    "resolution_compliance",
    "ratings",
    "rating_mean_of_10",
    "csat",
    "score",
    "score_low",
    "score_high",
    "score_reason",
    "promised_share",
)
"""Of the view `indicators`, as they are shown."""


def districts(client: Client) -> list[str]:
    """Every district that has numbers."""
    return [name for (name,) in client.execute("SELECT DISTINCT district FROM windows ORDER BY district")]


def cells(client: Client, district: str, window: str) -> list[Row]:
    """The district, its schools and its departments over a window; the ones with most contacts first."""
    query = f"""
        SELECT {", ".join(CELL_COLUMNS)}
        FROM indicators
        WHERE district = %(district)s AND window = %(window)s AND scope IN ('district', 'school', 'department')
        ORDER BY contacts DESC, scope, school, department"""
    return _plain_rows(client, query, {"district": district, "window": window})


def waiting(client: Client, district: str) -> tuple[int, list[Row]]:
    """How many questions wait for a reply, and those that have waited longest."""
    query = """
        SELECT subject, school, department, topic, priority, channel, language, waiting_since,
            answered_at IS NOT NULL AS follow_up, follow_up ? NULL : response_due_at AS due_at, count() OVER () AS all_waiting
        FROM open_cases(district = %(district)s)
        WHERE waiting_since IS NOT NULL
        ORDER BY waiting_since, subject
        LIMIT %(limit)s"""
    rows = _plain_rows(client, query, {"district": district, "limit": WAITING_LISTED})
    count = int(rows[0]["all_waiting"]) if rows else 0
    return count, [{name: value for name, value in row.items() if name != "all_waiting"} for row in rows]


def days(client: Client, district: str, zone: str, first: str) -> list[Row]:
    """Questions received on each day of the district's own calendar from `first` (YYYY-MM-DD) on; days without any are left out."""
    query = """
        SELECT toString(toDate(received_at, %(zone)s)) AS day, count() AS contacts
        FROM cases FINAL
        WHERE district = %(district)s AND is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam'
            AND opened_at >= toStartOfDay(toDate(%(first)s), %(zone)s)
        GROUP BY day
        ORDER BY day"""
    return _plain_rows(client, query, {"district": district, "zone": zone, "first": first})


def true_as_of(client: Client, district: str) -> int | None:
    """Up to which instant, in ms, the numbers of a district are complete; None where no worker has said so yet."""
    query = """
        SELECT toUnixTimestamp(max(as_of)) FROM progress
        WHERE partition IN (SELECT partition FROM windows WHERE district = %(district)s LIMIT 1)"""
    [(seconds,)] = client.execute(query, {"district": district})
    return int(seconds) * 1000 or None


def _plain_rows(client: Client, query: str, parameters: Mapping[str, Any]) -> list[Row]:
    return [{name: _plain(value) for name, value in row.items()} for row in dictionaries(client, query, parameters)]


def _plain(value: Any) -> Any:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value
