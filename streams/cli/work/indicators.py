"""What `frontdesk indicators` shows: rows of the view `indicators`, as a table for people, JSON or CSV for programs."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from sinks.clickhouse import queries
from streams.cli.work.places import refuse_unknown
from streams.directory import directory_of
from streams.export import defused
from streams.settings import Settings
from streams.terminal.screen import remark, results
from streams.warehouse import clickhouse_of

Row = Mapping[str, Any]
"""Columns of the view: durations in ms, shares in 0..1, None where there was nothing; `as_of` in the district's own time."""

MOST_ROWS = 100_000
MS_PER_H, MS_PER_MIN = 3_600_000, 60_000
COLUMNS = (
    ("contacts", "contacts", "count"),
    ("people", "stakeholders", "count"),
    ("responses", "responses", "count"),
    ("mean", "response_mean_business_ms", "duration"),
    ("median", "response_p50_business_ms", "duration"),
    ("90 %", "response_p90_business_ms", "duration"),
    ("in time", "response_compliance", "share"),
    ("resolved", "resolutions", "count"),
    ("mean", "resolution_mean_business_ms", "duration"),
    ("median", "resolution_p50_business_ms", "duration"),
    ("in time", "resolution_compliance", "share"),
    ("ratings", "ratings", "count"),
    ("content", "csat", "share"),
    ("score", "score", "points"),
)
"""Heading, column of the view, how it is written."""


def read_indicators(settings: Settings, scope: str, window: str, district: str | None) -> list[Row]:
    """The rows of a scope and window, those with most contacts first. Raises `Stop` for a district of which nothing is known."""
    directory = directory_of(settings)
    with clickhouse_of(settings).connect() as client:
        refuse_unknown(client, directory, district)
        rows = queries.indicators(client, scope=scope, window=window, district=district, limit=MOST_ROWS)
    return [row | {"as_of": _local(row["as_of"], directory.zone(row["district"]))} for row in rows]


def _local(as_of: datetime, zone: str) -> datetime:
    return (as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)).astimezone(ZoneInfo(zone))


def counts_anything(rows: Sequence[Row]) -> bool:
    """A cell that was left by all that it counted has a row of zeros."""
    return any(row[column] for row in rows for _, column, kind in COLUMNS if kind == "count")


def newest_event(settings: Settings, district: str | None) -> datetime | None:
    """When what is newest happened, in the district's own time where one is named, else in UTC; None where nothing ever did."""
    with clickhouse_of(settings).connect() as client:
        newest = queries.newest_event(client, district)
    return None if newest is None else _local(newest, directory_of(settings).zone(district) if district is not None else "UTC")


def explain_emptiness(settings: Settings, district: str | None, window: str) -> None:
    """Say why there are no rows, and which command shows what there is."""
    newest = newest_event(settings, district)
    if newest is None:
        remark("nothing has been counted there yet: `frontdesk status` shows how far the workers are")
        return
    of = "" if district is None else f" --district {district}"
    command = f"frontdesk export indicators --format csv --from {newest:%Y-%m-%d} --to {newest:%Y-%m-%d}{of}"
    remark(f"nothing in the last {window}: the newest event is of {newest:%Y-%m-%d %H:%M %Z}; `{command}` shows that day")


def write_indicators(rows: Sequence[Row], form: str, scope: str, window: str) -> None:
    """Print the rows to standard output."""
    if form == "json":
        print(json.dumps([_plain(row) for row in rows], indent=1))
    elif form == "csv":
        _write_csv(rows)
    else:
        results().print(indicator_table(rows, scope, f"by {scope.replace('_', ' and ')}, last {window}"))


def _write_csv(rows: Sequence[Row]) -> None:
    """The view's columns as the heading; nothing at all where there are no rows. Texts are none that a spreadsheet would compute."""
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: defused(value) if isinstance(value, str) else value for name, value in _plain(row).items()} for row in rows)


def _plain(row: Row) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def indicator_table(rows: Sequence[Row], scope: str, title: str) -> Table:
    """For people. Districts are named where there are several, or where they are what is asked for."""
    several = len({row["district"] for row in rows}) > 1 or scope == "district"
    places = [*(["district"] if several else []), *(scope.split("_") if scope != "district" else [])]
    as_of = f", as of {max(row['as_of'] for row in rows):%Y-%m-%d %H:%M %Z}" if rows else ""
    caption = "durations in working time: first response | resolution; content: share of the two best ratings; score: of 28 days"
    table = Table(title=title + as_of, title_justify="left", caption=caption, caption_justify="left")
    for name in places:
        table.add_column(name, no_wrap=True)
    for heading, _, _ in COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[f"{name}_name"] for name in places), *(_written(row[column], kind) for _, column, kind in COLUMNS))
    return table


def _written(value: float | None, kind: str) -> str:
    if value is None:
        return "-"
    if kind == "count":
        return f"{value:,}"
    if kind == "share":
        return f"{value:.0%}"
    if kind == "points":
        return f"{value:.0f}"
    return f"{value / MS_PER_H:.1f} h" if value >= MS_PER_H else f"{value / MS_PER_MIN:.0f} min"
