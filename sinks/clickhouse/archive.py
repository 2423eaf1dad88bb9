"""The archive of events as a rebuild reads it: which districts there are, and each district's cases in the order of the table.

The key of `events` begins with district and subject, so the events of a case come together, and one case is read from one
state of the table.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from clickhouse_driver import Client

from events.event import Event
from projections.archive import Archived
from sinks.clickhouse.cluster import catch_up
from sinks.clickhouse.queries import EVENT_FIELDS, event_of

ROWS_A_BLOCK: Final = 20_000
LARGEST_DELAY: Final = "INTERVAL 5 MINUTE"
"""A record whose timestamp was further ahead of the clock did not move a partition's."""


def districts(client: Client, after: str = "") -> list[tuple[str, int]]:
    """(district, rows) of those that come after `after`, by name. Rows that are replaced and not merged yet count, too."""
    catch_up(client, "events", "windows")
    query = "SELECT district, count() FROM events WHERE district > %(after)s GROUP BY district ORDER BY toString(district)"
    return list(client.execute(query, {"after": after}))


def cases_of(client: Client, district: str) -> Iterator[Archived]:
    """All cases of a district. Read it to its end: the connection is taken meanwhile."""
    query = f"SELECT subject, offset, {EVENT_FIELDS} FROM events FINAL WHERE district = %(district)s ORDER BY subject"
    rows: Iterator[tuple[Any, ...]] = client.execute_iter(
        query, {"district": district}, settings={"max_block_size": ROWS_A_BLOCK, "optimize_read_in_order": 1}
    )
    for subject, group in groupby(rows, key=lambda row: row[0]):
        found = list(group)
        yield Archived(district, subject, max(row[1] for row in found), [event_of(row[2:]) for row in found])


def lacking(client: Client, beside: str, district: str) -> list[tuple[str, Event]]:
    """(subject, event) of each row of a district that the archive in the database `beside` does not have."""
    key = "subject, source, id, time, content_hash"
    query = f"""
        SELECT subject, {EVENT_FIELDS}
        FROM events FINAL
        WHERE district = %(district)s AND ({key}) NOT IN (SELECT {key} FROM {beside}.events WHERE district = %(district)s)
        ORDER BY time"""
    return [(row[0], event_of(row[1:])) for row in client.execute(query, {"district": district})]


def clocks(client: Client, partitions: int) -> list[int]:
    """By partition: the instant, in ms, up to which its windows count now; that of its newest event where it has none."""
    newest = f"max(toUnixTimestamp64Milli(if(produced_at <= ingested_at + {LARGEST_DELAY}, produced_at, toDateTime64(0, 3, 'UTC'))))"
    shown = dict(client.execute("SELECT partition, toUnixTimestamp(max(as_of)) * 1000 FROM windows GROUP BY partition"))
    known = dict(client.execute(f"SELECT partition, {newest} FROM events GROUP BY partition"))
    return [shown.get(number) or known.get(number, 0) for number in range(partitions)]
