"""What `frontdesk publication` does: looks how months stand, and publishes them or takes them back."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.table import Table

from events.directory import Directory
from sinks.clickhouse.releases import MonthStatus, month_statuses, published, release, withdraw
from streams.cli.work.places import refuse_unknown
from streams.directory import directory_of
from streams.terminal.configuration import load_settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import remark, results
from streams.warehouse import clickhouse_of


def show(folder: Path | None, district: str | None, *, as_json: bool) -> None:
    settings = load_settings(folder)
    with clickhouse_of(settings).connect() as client:
        refuse_unknown(client, directory_of(settings), district)
        known = month_statuses(client, district)
    if as_json:
        print(json.dumps([_plain(each) for each in known], indent=1))
    else:
        results().print(_table(known, directory_of(settings)))


def publish(folder: Path | None, district: str | None, months: Sequence[str], *, dry_run: bool) -> None:
    """Raises `Stop` for a month that is not complete."""
    settings, wanted = load_settings(folder), [_month(name) for name in months]
    with clickhouse_of(settings).connect() as client:
        refuse_unknown(client, directory_of(settings), district)
        known = month_statuses(client, district)
        _refuse_incomplete(known, district, wanted)
        states = {"ready", "withdrawn"} if district is not None and wanted else {"ready"}
        chosen = [each for each in known if each.state in states and (not wanted or each.month in wanted) and each.has_cells]
        if chosen and not dry_run:
            released = {each.key for each in chosen}
            release(client, released)
            chosen = [each for each in published(client, district) if each.key in released]
    results().print(_table(chosen, directory_of(settings)))
    remark(f"{'would become' if dry_run else 'became'} public: {len(chosen)}")


def take_back(folder: Path | None, district: str, month: str) -> None:
    """Raises `Stop` where that month is not public."""
    settings, wanted = load_settings(folder), (district, _month(month))
    with clickhouse_of(settings).connect() as client:
        refuse_unknown(client, directory_of(settings), district)
        if wanted not in {each.key for each in published(client, district)}:
            raise Stop(ExitCode.REFUSED, f"{month} of {district} is not public: `frontdesk publication list` shows what is")
        withdraw(client, wanted)
    remark(f"{month} of {district} is withdrawn; a page that has just read it shows it for ten minutes more")


def _refuse_incomplete(known: Sequence[MonthStatus], district: str | None, months: Sequence[date]) -> None:
    """A name that is mistyped must not pass for a month that is public already."""
    where = "" if district is None else f" of {district}"
    missing = [_name(month) for month in months if not any(each.month == month and each.has_cells for each in known)]
    if missing or (district is not None and not known):
        what = f"{', '.join(missing)}{where} is not complete" if missing else f"no month{where} is complete"
        raise Stop(ExitCode.REFUSED, f"{what}: `frontdesk publication list` shows what is ready")


def _month(name: str) -> date:
    try:
        return datetime.strptime(name, "%Y-%m").date()  # noqa: DTZ007 - a month of a calendar has no zone
    except ValueError:
        raise Stop(ExitCode.USAGE, f"--month {name}: write it as 2026-10") from None


def _name(month: date) -> str:
    return f"{month:%Y-%m}"


def _plain(status: MonthStatus) -> dict[str, object]:
    return {
        "district": status.district,
        "month": _name(status.month),
        "state": status.state,
        "since": status.since and status.since.isoformat(timespec="milliseconds"),
        "cells_shown": status.shown,
        "cells_hidden": status.hidden,
    }


def _table(month_statuses: Sequence[MonthStatus], directory: Directory) -> Table:
    """Times are the district's own."""
    table = Table()
    for heading in ("district", "month", "state", "since"):
        table.add_column(heading)
    for heading in ("cells shown", "hidden"):
        table.add_column(heading, justify="right")
    for each in month_statuses:
        zone = ZoneInfo(directory.zone(each.district))
        since = "" if each.since is None else f"{each.since.astimezone(zone):%Y-%m-%d %H:%M}"
        table.add_row(each.district, _name(each.month), each.state, since, str(each.shown), str(each.hidden))
    return table
