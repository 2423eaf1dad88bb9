"""The directory in ClickHouse: when schedules are open and what is promised, so that SQL can check deadlines by itself.

A revision is written whole before it is named in `directory_revisions`, and never changed: readers take the newest there.
"""

from clickhouse_driver import Client

from events.directory import Directory

ONLY_SCHEDULE = "0"


class DirectoryRefused(Exception):
    """A directory that is older than the one in force, or other content under its revision."""


def write_directory(client: Client, directory: Directory) -> bool:
    """Write this revision. False when it is there already; `DirectoryRefused` when it must not be used."""
    revision = directory.revision
    newest = client.execute("SELECT revision, content_hash FROM directory_revisions ORDER BY revision DESC LIMIT 1")
    if newest == [(revision, directory.content_hash)]:
        return False
    if newest and newest[0][0] >= revision:
        raise DirectoryRefused(
            f"revision {newest[0][0]} of the directory is in force: give this one, which says {revision}, a higher revision, "
            "also where it goes back to what was before"
        )
    openings = directory.schedule_of("", "", "").openings()
    client.execute(
        "INSERT INTO openings (revision, schedule, opens_at, closes_at, open_before_ms) VALUES",
        [(revision, ONLY_SCHEDULE, *opening) for opening in openings],
    )
    client.execute(
        "INSERT INTO schedules (revision, district, department, school, schedule) VALUES", [(revision, "", "", "", ONLY_SCHEDULE)]
    )
    client.execute(
        "INSERT INTO targets (revision, district, department, priority, audience, channel,"
        " response_ms, response_clock, resolution_ms, resolution_clock) VALUES",
        [(revision, "", "", priority, "", "", *promise) for priority, *promise in directory.targets()],
    )
    client.execute("INSERT INTO directory_revisions (revision, content_hash) VALUES", [(revision, directory.content_hash)])
    return True
