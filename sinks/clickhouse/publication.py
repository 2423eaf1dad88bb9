"""What the public page asks: which months there are, and what may be seen of one. It reads the view `public_indicators` alone.

Rows come as plain dictionaries ready for JSON: days as YYYY-MM-DD, durations in milliseconds, shares in 0..1, None where a number
is hidden.
"""

from typing import Any, Final

from clickhouse_driver import Client

from sinks.clickhouse.queries import dictionaries

Row = dict[str, Any]

COLUMNS: Final = (
    "scope",
    "school",
    "department",
    "district_name",
    "school_name",
    "department_name",
    "period",
    "first_day",
    "last_day",
    "suppressed",
    "stakeholders",
    "contacts",
    "response_p50_ms",
    "response_p50_business_ms",
    "response_compliance",
    "resolution_p50_ms",
    "resolution_p50_business_ms",
    "resolution_compliance",
    "csat",
)
"""Of the view, as they are shown."""


def months(client: Client) -> dict[str, list[str]]:
    """The months (YYYY-MM) that each district has published, the newest first."""
    query = """
        SELECT district, formatDateTime(month, '%Y-%m') AS name FROM public_indicators
        WHERE scope = 'district' AND period = 'month'
        ORDER BY district, month DESC"""
    published: dict[str, list[str]] = {}
    for district, month in client.execute(query):
        published.setdefault(district, []).append(month)
    return published


def cells(client: Client, district: str, month: str) -> list[Row]:
    """The district, its weeks, its schools and its departments in a month, by name: the order tells nothing of the numbers."""
    query = f"""
        SELECT {", ".join(COLUMNS)} FROM public_indicators
        WHERE district = %(district)s AND month = toDate(%(first)s)
        ORDER BY scope, period, first_day, school_name, department_name"""
    rows = dictionaries(client, query, {"district": district, "first": f"{month}-01"})
    return [row | {day: str(row[day]) for day in ("first_day", "last_day")} for row in rows]
