"""The directory in ClickHouse: when schedules are open and what is promised, so that SQL can check deadlines by itself.

A revision is written whole before it is named in `directory_revisions`, and never changed: readers take the newest there.
"""

from clickhouse_driver import Client

from events.directory import Directory

ONLY_SCHEDULE = "0"


def write_directory(client: Client, directory: Directory) -> bool:
    """Write this revision. False when it is there already."""
    known = client.execute(
        "SELECT count() FROM directory_revisions WHERE revision = %(revision)s AND content_hash = %(content_hash)s",
        {"revision": directory.revision, "content_hash": directory.content_hash},
    )
    if known[0][0]:
        return False
    revision = directory.revision
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
