"""The directory in ClickHouse: names for answers, and when schedules are open and what is promised, so that SQL can check deadlines.

A revision is written whole before it is named in `directory_revisions`, and never changed: readers take the newest there.
The openings of a schedule bear the hash of what they are, so those that a revision leaves alone are there already.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice
from typing import Any

from clickhouse_driver import Client

from events.directory import Directory
from events.exit_code import ExitCode
from events.schedule import Schedule
from events.zone import midnight
from sinks.clickhouse.cluster import catch_up

Openings = list[tuple[int, int, int]]
SCHEDULES_AT_ONCE = 50
"""Their openings are one block, which is there whole or not at all."""


class DirectoryRefused(Exception):
    """A directory that is older than the one in force, or other content under its revision."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class InForce:
    """The newest revision that is here in full, and the file that it was, as a text."""

    revision: int
    content_hash: str
    content: str


def in_force(client: Client) -> InForce | None:
    """The newest directory; None where no worker has written one yet."""
    catch_up(client, "directory_revisions")
    rows = client.execute("SELECT revision, content_hash, content FROM directory_revisions FINAL ORDER BY revision DESC LIMIT 1")
    return InForce(*rows[0]) if rows else None


def refusal(newest: InForce | None, directory: Directory) -> str | None:
    """Why a directory must not follow the one in force; None when it may, or is the same."""
    if newest is None or directory.revision > newest.revision or is_same(newest, directory):
        return None
    if directory.revision == newest.revision:
        what = f"revision {newest.revision} of the directory is in force with other content (or other tables of time zones and holidays)"
    else:
        what = f"revision {newest.revision} of the directory is in force, and this one says {directory.revision}"
    return f"{what}: write `revision: {newest.revision + 1}`, also where it goes back to what was before"


def is_same(newest: InForce, directory: Directory) -> bool:
    return (newest.revision, newest.content_hash) == (directory.revision, directory.content_hash)


def write_directory(client: Client, directory: Directory) -> bool:
    """Write this revision. False when it is there already; `DirectoryRefused` when it must not be used."""
    newest = in_force(client)
    if newest is not None and is_same(newest, directory):
        return False
    if why := refusal(newest, directory):
        raise DirectoryRefused(why)
    revision = directory.revision
    _insert(client, "schedules", [(revision, *row) for row in _schedules(client, directory)])
    _insert(client, "targets", [(revision, *row) for row in directory.targets()])
    for table, rows in _names(directory).items():
        _insert(client, table, [(revision, *row) for row in rows])
    _insert(client, "directory_revisions", [(revision, directory.content_hash, directory.content)])
    return True


COLUMNS = {
    "schedules": "revision, district, department, school, valid_from, schedule",
    "targets": (
        "revision, district, department, priority, audience, channel, valid_from,"
        " response_ms, response_clock, resolution_ms, resolution_clock"
    ),
    "districts": "revision, district, name, zone, nces_id, route",
    "schools": "revision, district, school, name, nces_id, level",
    "departments": "revision, district, department, name, route",
    "score_weights": "revision, district, valid_from, satisfaction, response, resolution, m",
    "promised_shares": "revision, district, promised_share",
    "openings": "schedule, opens_at, closes_at, open_before_ms",
    "directory_revisions": "revision, content_hash, content",
}


def _insert(client: Client, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        client.execute(f"INSERT INTO {table} ({COLUMNS[table]}) VALUES", rows)


def _schedules(client: Client, directory: Directory) -> Iterator[tuple[str, str, str, int, str]]:
    """Yield the rows of `schedules`; the openings of those that are not there yet are written on the way."""
    known = {name for (name,) in client.execute("SELECT DISTINCT schedule FROM openings")}
    names: dict[Schedule, str] = {}
    rows = directory.schedules()
    while some := list(islice(rows, SCHEDULES_AT_ONCE)):
        new: dict[str, Openings] = {}
        for *_, schedule in some:
            if schedule not in names:
                openings = schedule.openings()
                names[schedule] = _hash(openings)
                new[names[schedule]] = openings
        _write_openings(client, {name: openings for name, openings in new.items() if name not in known})
        known |= new.keys()
        for district, department, school, begins, schedule in some:
            yield district, department, school, begins, names[schedule]


def _write_openings(client: Client, openings: Mapping[str, Openings]) -> None:
    _insert(client, "openings", [(name, *opening) for name, rows in openings.items() for opening in rows])


def _hash(openings: Openings) -> str:
    return sha256(array("q", chain.from_iterable(openings)).tobytes()).hexdigest()[:32]


def _names(directory: Directory) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the tables that only say what there is."""
    listed = directory.file.districts
    return {
        "districts": [
            (key, directory.name(key), directory.zone(key), district.nces_id or "", directory.route(key, ""))
            for key, district in listed.items()
        ],
        "schools": [
            (key, name, school.name or name, school.nces_id or "", school.level or "")
            for key, district in listed.items()
            for name, school in district.schools.items()
        ],
        "departments": [
            (key, name, department.name or name, directory.route(key, name))
            for key, district in listed.items()
            for name, department in district.departments.items()
        ],
        "promised_shares": [(key, directory.promised_share(key)) for key in ("", *listed)],
        "score_weights": [
            (
                key,
                0 if weights.valid_from is None else midnight(directory.zone(key), weights.valid_from),
                weights.satisfaction,
                weights.response,
                weights.resolution,
                weights.m,
            )
            for key in ("", *listed)
            for weights in directory.weights(key)
        ],
    }
