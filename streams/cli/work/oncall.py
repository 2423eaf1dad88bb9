"""What `frontdesk oncall` shows: one line for each contact that waits, with its promise in words, signs and colours.

At a terminal the list fills the screen and is read anew until Ctrl-C; elsewhere it is printed once. A server that goes away
meanwhile is told below the list that was read last, with the time of it: an old list says that it is old.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from events.directory import Directory
from sinks.clickhouse import queries
from streams.cli.work.places import refuse_unknown
from streams.directory import directory_of
from streams.settings import Settings
from streams.terminal.outcome import ExitCode, one_line, outcome_of
from streams.terminal.screen import remark, results
from streams.warehouse import clickhouse_of

Row = Mapping[str, Any]
"""Columns of `queries.waiting`; instants in the district's own time."""

INSTANTS: Final = ("received_at", "waiting_since", "due_at", "as_of")
LOOKS: Final = {
    "missed": ("!!", "bold red"),
    "due soon": ("! ", "yellow"),
    "in time": ("  ", "green"),
    "kept": ("  ", "dim"),
    "no promise": ("  ", "dim"),
}
"""Sign and colour of a promise, beside its words: nobody has to tell colours apart."""
FRAME_LINES: Final = 8
"""Of a screen: title, heading, frame, caption."""
S_PER_MIN, MIN_PER_H, H_PER_DAY = 60, 60, 24


@dataclass(frozen=True)
class OncallFilter:
    """Which contacts; None is any."""

    district: str | None
    school: str | None
    department: str | None
    limit: int


@dataclass(frozen=True)
class Waiting:
    """Who waits, as of the last time that it could be read. `trouble` says why it could not since."""

    rows: Sequence[Row]
    trouble: str = ""

    @property
    def total(self) -> int:
        return self.rows[0]["total"] if self.rows else 0


def show(settings: Settings, wanted: OncallFilter, form: str) -> None:
    """Print the list once to standard output."""
    waiting = read(settings, wanted, directory_of(settings))
    if form == "json":
        print(json.dumps([plain(row) for row in waiting.rows], indent=1))
        return
    results().print(listed(waiting, len(waiting.rows)))
    if not waiting.rows:
        remark("nobody waits there; `frontdesk status` shows whether all is counted")


def follow(settings: Settings, wanted: OncallFilter, every_s: float) -> None:
    """Show the list and read it anew, until Ctrl-C; once where nobody would see it move."""
    if not sys.stdout.isatty():
        show(settings, wanted, "table")
        return
    console, directory = results(), directory_of(settings)
    waiting = read(settings, wanted, directory)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(fitting(waiting, console), refresh=True)
            time.sleep(every_s)
            waiting = read_again(waiting, settings, wanted, directory)


def read(settings: Settings, wanted: OncallFilter, directory: Directory) -> Waiting:
    """Ask ClickHouse. Raises `Stop` for a place of which nothing is known."""
    with clickhouse_of(settings).connect() as client:
        refuse_unknown(client, directory, wanted.district, school=wanted.school, department=wanted.department)
        rows = queries.waiting(client, district=wanted.district, school=wanted.school, department=wanted.department, limit=wanted.limit)
    return Waiting([_local(row, directory.zone(row["district"])) for row in rows])


def read_again(known: Waiting, settings: Settings, wanted: OncallFilter, directory: Directory) -> Waiting:
    """Ask once more; a server that is away for now leaves what is known, and says so."""
    try:
        return read(settings, wanted, directory)
    except Exception as error:
        outcome = outcome_of(error)
        if outcome is None or outcome.code is not ExitCode.UNAVAILABLE:
            raise
        return replace(known, trouble=one_line(outcome.message))


def _local(row: Row, zone: str) -> Row:
    return {name: _in_zone(value, zone) if name in INSTANTS and value is not None else value for name, value in row.items()}


def _in_zone(instant: datetime, zone: str) -> datetime:
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(ZoneInfo(zone))


def plain(row: Row) -> dict[str, object]:
    """A row as JSON knows it."""
    return {name: value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value for name, value in row.items()}


# -- for people --------------------------------------------------------------------------------------------------------
def fitting(waiting: Waiting, console: Console) -> RenderableType:
    """As many lines as the screen has, each of one line."""
    return listed(waiting, max(1, console.size.height - FRAME_LINES))


def listed(waiting: Waiting, lines: int) -> Table:
    """The list; districts are named where there are several."""
    shown = waiting.rows[:lines]
    several = len({row["district"] for row in shown}) > 1
    table = Table(title=_title(waiting), title_justify="left", caption=_caption(waiting, len(shown)), caption_justify="left")
    for heading in ("promise", "due", "left", "priority", *(["district"] if several else []), "school", "department", "case", "topic"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "left" else "left")
    table.add_column("waits", no_wrap=True, justify="right")
    for row in shown:
        sign, colour = LOOKS[row["promise"]]
        places = [*([row["district"]] if several else []), row["school"] or "-", row["department"] or "-"]
        cells = [f"{sign} {row['promise']}", due(row), left(row), row["priority"], *places, row["subject"], row["topic"] or "-"]
        table.add_row(*map(Text, (*cells, duration(row["waiting_ms"]))), style=colour)  # a subject like [red] is no markup
    return table


def _title(waiting: Waiting) -> str:
    of_each = [sum(row["promise"] == promise for row in waiting.rows) for promise in ("missed", "due soon")]
    as_of = f", as of {waiting.rows[0]['as_of']:%Y-%m-%d %H:%M:%S %Z}" if waiting.rows else ""
    return f"{waiting.total:,} wait: {of_each[0]:,} missed, {of_each[1]:,} due soon{as_of}"


def _caption(waiting: Waiting, shown: int) -> str:
    more = f"and {waiting.total - shown:,} more" if waiting.total > shown else ""
    return "\n".join(filter(None, (more, waiting.trouble and f"not read since: {waiting.trouble}")))


def due(row: Row) -> str:
    """When, in the district's time; the day only where it is another one. An asterisk where it is the resolution that is due."""
    due_at, as_of = row["due_at"], row["as_of"]
    if due_at is None:
        return "-"
    mark = "*" if row["target"] == "resolution" else ""
    return f"{due_at:%H:%M}{mark}" if due_at.date() == as_of.date() else f"{due_at:%a %d %b %H:%M}{mark}"


def left(row: Row) -> str:
    """Until it is due, or since."""
    if row["left_ms"] is None:
        return "-"
    return f"{duration(row['left_ms'])}" if row["left_ms"] >= 0 else f"{duration(-row['left_ms'])} late"


def duration(ms: int) -> str:
    """In its largest unit and the next one, rounded down."""
    seconds = max(0, ms) // 1000
    minutes, hours = seconds // S_PER_MIN, seconds // S_PER_MIN // MIN_PER_H
    if hours >= H_PER_DAY:
        return f"{hours // H_PER_DAY} d {hours % H_PER_DAY} h"
    if hours:
        return f"{hours} h {minutes % MIN_PER_H:02} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
