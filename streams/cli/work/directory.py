"""What `frontdesk directory` does: files on one side, what is in force in ClickHouse on the other."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.table import Table

from events.directory import Directory
from events.directory_diff import told_differences
from events.directory_mistake import DirectoryError
from events.directory_model import WEEKDAYS
from events.schedule import Intervals, Schedule
from events.target import Target
from events.zone import day_number
from sinks.clickhouse import directory as stored
from streams.clock import WallClock
from streams.directory import parsed
from streams.settings import Settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import remark, results
from streams.warehouse import clickhouse_of

MS_PER_MIN = 60_000
MIN_PER_HOUR = 60
NEXT_OPENINGS = 3


# -- check, diff, apply ---------------------------------------------------------------------------------------------------
def check_file(settings: Settings, file: Path | None) -> int:
    """Print the mistakes of a file, a line each, or what it is about."""
    named = _named(settings, file)
    try:
        directory = parsed(named)
    except DirectoryError as error:
        for line in str(error).splitlines():
            remark(line if line.startswith(str(named)) else f"{named}: {line}")
        return ExitCode.USAGE
    results().print(f"{named}: nothing is wrong with it: {_summary(directory)}", markup=False)
    return ExitCode.OK


def show_differences(settings: Settings, file: Path | None, other: Path | None) -> int:
    new = parsed(_named(settings, file))
    old = _in_force(settings) if other is None else parsed(other)
    differences = told_differences(old, new)
    for line in differences:
        results().print(line, markup=False, soft_wrap=True)
    what = f"{len(differences)} differences" if differences else "no difference"
    remark(f"{what} from revision {old.revision} to revision {new.revision}")
    return ExitCode.DIFFERENCE if differences else ExitCode.OK


def apply_file(settings: Settings, file: Path | None) -> None:
    """Raises `DirectoryError` for a wrong file, `DirectoryRefused` for one that must not follow the one in force."""
    directory = parsed(_named(settings, file))
    with clickhouse_of(settings).connect() as client:
        newest = stored.in_force(client)
        is_new = stored.write_directory(client, directory)
    if not is_new:
        remark(f"revision {directory.revision} is in force already, nothing is changed")
        return
    if newest is not None:
        for line in told_differences(Directory.parse(newest.content), directory):
            results().print(line, markup=False, soft_wrap=True)
    remark(f"revision {directory.revision} is in force: {_summary(directory)}. Workers take it at SIGHUP, when their file says the same")


def _named(settings: Settings, file: Path | None) -> Path:
    named = file or settings.directory
    if named is None:
        raise Stop(ExitCode.USAGE, "name a file, or set FRONTDESK_DIRECTORY")
    return named


def _in_force(settings: Settings) -> Directory:
    with clickhouse_of(settings).connect() as client:
        newest = stored.in_force(client)
    if newest is None:
        raise Stop(ExitCode.UNAVAILABLE, "no directory is in force yet: start a worker, or `frontdesk directory apply` one")
    return Directory.parse(newest.content)


def _summary(directory: Directory) -> str:
    listed = directory.file.districts.values()
    schools, departments = sum(len(one.schools) for one in listed), sum(len(one.departments) for one in listed)
    counts = (_count(len(listed), "district"), _count(schools, "school"), _count(departments, "department"))
    return f"revision {directory.revision}, {', '.join(counts)}, {_count(len(directory.targets()), 'target')}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


# -- show -----------------------------------------------------------------------------------------------------------------
def show_directory(settings: Settings, file: Path | None, wanted: Sequence[str], at: datetime | None) -> None:
    """Print a directory as of an instant; `at` is by each district's own clock, None is now."""
    directory = _in_force(settings) if file is None else parsed(file)
    if strange := [name for name in wanted if name not in directory.districts()]:
        raise Stop(ExitCode.USAGE, f"{strange[0]} is not listed; these are: {', '.join(directory.districts()) or 'none'}")
    console = results()
    console.print(_summary(directory), markup=False)
    for name in wanted or ["", *directory.districts()]:
        moment = _moment(directory.zone(name), at)
        title = f"{directory.name(name)} ({name}), {directory.zone(name)}" if name else f"Any other district, {directory.zone('')}"
        console.print(f"\n{title}, as of {moment:%A, %Y-%m-%d %H:%M}", markup=False, style="bold")
        console.print(_hours_table(directory, name, moment))
        console.print(_targets_table(directory, name, moment))
        if name and directory.file.districts[name].schools:
            console.print(_schools_table(directory, name, moment))


def _moment(zone: str, at: datetime | None) -> datetime:
    return datetime.fromtimestamp(WallClock().now() / 1000, ZoneInfo(zone)) if at is None else at.replace(tzinfo=ZoneInfo(zone))


def _hours_table(directory: Directory, district: str, moment: datetime) -> Table:
    """A row for each department; the first is for any other."""
    table = _table("department", "name", "route", "week", "that day", "next openings")
    departments = list(directory.file.districts[district].departments) if district else []
    for department in ["", *departments]:
        schedule = directory.schedule_of(district, department, "", _ms(moment))
        name = directory.name(district, "", department) if department else ""
        coming = ", ".join(_next_openings(schedule, moment))
        today = _intervals(schedule.hours_on(day_number(moment.date())))
        table.add_row(department or "(any other)", name, directory.route(district, department), _week(schedule), today, coming)
    return table


def _schools_table(directory: Directory, district: str, moment: datetime) -> Table:
    table = _table("school", "name", "level", "NCES id", "that day")
    for key, school in directory.file.districts[district].schools.items():
        today = directory.schedule_of(district, "", key, _ms(moment)).hours_on(day_number(moment.date()))
        table.add_row(key, school.name or "", school.level or "", school.nces_id or "", _intervals(today))
    return table


def _targets_table(directory: Directory, district: str, moment: datetime) -> Table:
    """Targets in force, the most specific first."""
    table = _table("department", "priority", "audience", "channel", "response", "resolution", "since")
    rows = [row for row in directory.targets() if row.district in {"", district} and row.valid_from <= _ms(moment)]
    for row in sorted(rows, key=Target.weight, reverse=True):
        since = datetime.fromtimestamp(row.valid_from / 1000, moment.tzinfo).date().isoformat() if row.valid_from else ""
        whose = row.department or ("" if row.district else "(of the file)")
        response, resolution = _promised(row.response_ms, row.response_clock), _promised(row.resolution_ms, row.resolution_clock)
        table.add_row(whose, row.priority, row.audience, row.channel, response, resolution, since)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _promised(ms: int | None, clock: str) -> str:
    if ms is None:
        return clock
    minutes = ms // MS_PER_MIN
    amount = f"{minutes // MIN_PER_HOUR} h" if minutes % MIN_PER_HOUR == 0 else f"{minutes} min"
    return f"{amount} {clock}"


def _intervals(intervals: Intervals) -> str:
    return " ".join(f"{_time(opens)}-{_time(closes)}" for opens, closes in intervals) or "closed"


def _week(schedule: Schedule) -> str:
    """Weekly hours, days that are alike in one: `mon-thu 07:30-16:30, fri 07:30-15:00`."""
    days = [(WEEKDAYS[day][:3], _intervals(schedule.weekly(day))) for day in range(len(WEEKDAYS)) if schedule.weekly(day)]
    alike = [(hours, [name for name, _ in group]) for hours, group in groupby(days, key=itemgetter(1))]
    return ", ".join(f"{names[0]}{f'-{names[-1]}' if len(names) > 1 else ''} {hours}" for hours, names in alike)


def _time(ms: int) -> str:
    return f"{ms // MS_PER_MIN // MIN_PER_HOUR:02}:{ms // MS_PER_MIN % MIN_PER_HOUR:02}"


def _next_openings(schedule: Schedule, moment: datetime) -> Iterator[str]:
    """Yield when it opens next, by the wall clock."""
    at = _ms(moment)
    coming = (opens for opens, _, _ in schedule.openings() if opens > at)
    for opens, _ in zip(coming, range(NEXT_OPENINGS), strict=False):
        yield f"{datetime.fromtimestamp(opens / 1000, moment.tzinfo):%a %b %d %H:%M}"


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
