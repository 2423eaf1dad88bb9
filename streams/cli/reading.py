"""What `frontdesk indicators` shows: the latest tallies of a window, as the three numbers, for a table, JSON or CSV."""

import csv
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from rich.table import Table

from events.directory import DEFAULT, Directory
from streams.cli.screen import remarks, results
from streams.settings import Settings
from streams.warehouse import clickhouse_of

TALLIES = """
SELECT district, school, department, as_of, contact_n, stakeholder_n,
       response_n, response_sum_business_ms, response_p50_business_ms, response_p90_business_ms, response_due_n, response_kept_n,
       resolution_n, resolution_sum_business_ms, resolution_p50_business_ms, resolution_p90_business_ms,
       resolution_due_n, resolution_kept_n,
       rating_n, rating_sum_bp, rating_satisfied_n
FROM windows FINAL
WHERE scope = %(scope)s AND window = %(window)s AND (district = %(district)s OR %(district)s = '')
ORDER BY contact_n DESC, district, school, department
"""
MS_PER_H, MS_PER_MIN = 3_600_000, 60_000
BP = 10_000

Number = float | None


@dataclass(frozen=True, slots=True)
class Indicators:
    """One place in one window. Durations in ms of working time, shares and ratings in 0..1; None where there was nothing."""

    district: str
    school: str
    department: str
    as_of: datetime
    contacts: int
    stakeholders: int
    responses: int
    response_mean_business_ms: Number
    response_p50_business_ms: Number
    response_p90_business_ms: Number
    response_in_time_share: Number
    resolutions: int
    resolution_mean_business_ms: Number
    resolution_p50_business_ms: Number
    resolution_p90_business_ms: Number
    resolution_in_time_share: Number
    ratings: int
    rating_mean: Number
    satisfied_share: Number


def read_indicators(settings: Settings, scope: str, window: str, district: str | None) -> list[Indicators]:
    """The rows of a scope and window, those with most contacts first; `as_of` in each district's own time."""
    directory = DEFAULT if settings.directory is None else Directory.parse(settings.directory.read_text())
    with clickhouse_of(settings).connect() as client:
        rows = client.execute(TALLIES, {"scope": scope, "window": window, "district": district or ""})
    return [_indicators(row, directory.zone) for row in rows]


def _indicators(row: tuple[object, ...], zone: Callable[[str], str]) -> Indicators:
    district, school, department, as_of, contacts, people, *numbers = row
    n, total, p50, p90, due, kept, m, total_m, p50_m, p90_m, due_m, kept_m, ratings, sum_bp, satisfied = map(float, map(str, numbers))
    moment = as_of if isinstance(as_of, datetime) else datetime.fromtimestamp(float(str(as_of)), UTC)
    return Indicators(
        str(district),
        str(school),
        str(department),
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(ZoneInfo(zone(str(district)))),
        int(str(contacts)),
        int(str(people)),
        int(n),
        _over(total, n),
        p50 if n else None,
        p90 if n else None,
        _over(kept, due),
        int(m),
        _over(total_m, m),
        p50_m if m else None,
        p90_m if m else None,
        _over(kept_m, due_m),
        int(ratings),
        _over(sum_bp / BP, ratings),
        _over(satisfied, ratings),
    )


def _over(part: float, whole: float) -> Number:
    return part / whole if whole else None


def write_indicators(rows: list[Indicators], form: str, scope: str, window: str) -> None:
    """Print the rows to standard output."""
    if form == "json":
        print(json.dumps([_plain(row) for row in rows], indent=1))
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, [field.name for field in fields(Indicators)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(_plain, rows))
    else:
        results().print(indicator_table(rows, scope, window))
    if not rows:
        remarks().print("no events have been counted there yet: `frontdesk status` shows how far the workers are", markup=False)


def _plain(row: Indicators) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(row).items()}


def indicator_table(rows: Iterable[Indicators], scope: str, window: str, title: str | None = None) -> Table:
    """For people: working time, shares in percent."""
    rows = list(rows)
    table = Table(
        title=title or f"by {scope}, last {window}{_as_of(rows)}",
        title_justify="left",
        caption="durations in working time",
        caption_justify="left",
    )
    several = len({row.district for row in rows}) > 1
    for name in (*(["district"] if several or scope == "district" else []), *([scope] if scope != "district" else [])):
        table.add_column(name, no_wrap=True)
    for name in (
        "contacts",
        "people",
        "responses",
        "mean",
        "p50",
        "p90",
        "in time",
        "resolved",
        "mean",
        "p50",
        "p90",
        "in time",
        "ratings",
        "content",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_places(row, scope, several=several), *_numbers(row))
    return table


def _as_of(rows: list[Indicators]) -> str:
    return f", as of {max(row.as_of for row in rows):%Y-%m-%d %H:%M %Z}" if rows else ""


def _places(row: Indicators, scope: str, *, several: bool) -> list[str]:
    place = [] if scope == "district" else [row.school if scope == "school" else row.department]
    return [row.district, *place] if several or scope == "district" else place


def _numbers(row: Indicators) -> list[str]:
    return [
        f"{row.contacts:,}",
        f"{row.stakeholders:,}",
        f"{row.responses:,}",
        _duration(row.response_mean_business_ms),
        _duration(row.response_p50_business_ms),
        _duration(row.response_p90_business_ms),
        _percent(row.response_in_time_share),
        f"{row.resolutions:,}",
        _duration(row.resolution_mean_business_ms),
        _duration(row.resolution_p50_business_ms),
        _duration(row.resolution_p90_business_ms),
        _percent(row.resolution_in_time_share),
        f"{row.ratings:,}",
        _percent(row.satisfied_share),
    ]


def _duration(ms: Number) -> str:
    if ms is None:
        return "-"
    return f"{ms / MS_PER_H:.1f} h" if ms >= MS_PER_H else f"{ms / MS_PER_MIN:.0f} min"


def _percent(share: Number) -> str:
    return "-" if share is None else f"{share:.0%}"
