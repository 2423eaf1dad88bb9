"""What Frontdesk itself asks ClickHouse: cells with a number, forgotten cases, whose log this is, the indicators, who waits.

Reads are FINAL. Events come back as the records that the fold works on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from clickhouse_driver import Client

from events.event import Contacted, Event, Rated, Replied, Resolved
from events.exit_code import ExitCode
from projections.archive import Archived
from projections.case_store import Key
from projections.rows import WINDOW_COLUMNS
from sinks.clickhouse.cluster import catch_up

Cell = tuple[str, str, str, str]
"""(district, scope, school, department)."""

COUNTS = tuple(c for c in WINDOW_COLUMNS if c.endswith("_n"))
KEYS_A_QUERY = 1000
EVERY_DISTRICT = ""
"""As the parameter of `open_cases`."""
EVENT_FIELDS = """kind, toUnixTimestamp64Milli(time), source, id, school, department, stakeholder, audience,
            channel, language, topic, priority, needs_reply, author, author_kind, visibility, outcome, score, worst, best"""
"""What `event_of` makes an event of, in its order."""
LONG_QUERY = {"max_query_size": 16 << 20, "do_not_merge_across_partitions_select_final": 1}


class LogChanged(Exception):
    """The rows come from another topic than the one that is there now."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class LogIdentity:
    """Which Kafka topic the rows come from, and its incarnation: `epoch` leads the version of every row."""

    topic_id: str
    partitions: int
    epoch: int


def log_identity(client: Client) -> LogIdentity | None:
    """The topic that the rows come from; None where no worker has written yet."""
    catch_up(client, "log")
    rows = client.execute("SELECT topic_id, partitions, epoch FROM log ORDER BY epoch DESC, claimed_at LIMIT 1")
    return LogIdentity(*rows[0]) if rows else None


def claim(client: Client, topic_id: str, partitions: int) -> LogIdentity:
    """Say that the rows come from this topic. Raises `LogChanged` when they come from another one."""
    known = log_identity(client)
    if known is None:
        client.execute("INSERT INTO log (epoch, topic_id, partitions) VALUES", [(1, topic_id, partitions)])
        known = log_identity(client) or LogIdentity(topic_id, partitions, 1)  # whoever claimed first
    if (known.topic_id, known.partitions) != (topic_id, partitions):
        raise LogChanged(
            f"the tables were filled from topic {known.topic_id} with {known.partitions} partitions, "
            f"but the topic is now {topic_id} with {partitions}: `frontdesk rebuild` counts it anew in tables beside the old ones"
        )
    return known


def cells_not_empty(client: Client, partition: int) -> list[Cell]:
    """Cells of a partition that show anything but zeros in some window."""
    catch_up(client, "windows")
    query = (
        "SELECT DISTINCT district, scope, school, department FROM windows FINAL"
        f" WHERE partition = %(partition)s AND ({' OR '.join(f'{count} > 0' for count in COUNTS)})"
    )
    return list(client.execute(query, {"partition": partition}))


def newest_as_of(client: Client, partition: int) -> int:
    """The latest instant, in ms, that a window's row of the partition speaks of; 0 where there is none."""
    catch_up(client, "windows")
    query = "SELECT toUnixTimestamp(max(as_of)) FROM windows WHERE partition = %(partition)s"
    [(seconds,)] = client.execute(query, {"partition": partition})
    return int(seconds) * 1000


def events_of(client: Client, cases: Sequence[tuple[str, str]]) -> list[Archived]:
    """What there is of each of these cases, (district, subject), of which the archive holds any event."""
    catch_up(client, "events", "cases")
    found = []
    for first in range(0, len(cases), KEYS_A_QUERY):
        asked = {"cases": tuple(cases[first : first + KEYS_A_QUERY])}
        keys = _keys_of(client, asked)
        rows = client.execute(EVENTS_OF, asked, settings=LONG_QUERY)
        for (district, subject), group in groupby(rows, key=lambda row: (row[0], row[1])):
            told = list(group)
            events = [event_of(row[3:]) for row in told]
            found.append(Archived(district, subject, max(row[2] for row in told), events, keys.get((district, subject), ())))
    return found


def _keys_of(client: Client, asked: Mapping[str, Any]) -> dict[tuple[str, str], list[Key]]:
    """Keys of their rows that stand in `cases`. One of a case's events has opened each of its episodes: so the table's order helps."""
    keys: dict[tuple[str, str], list[Key]] = {}
    for district, subject, *key in client.execute(KEYS_OF, asked, settings=LONG_QUERY):
        keys.setdefault((district, subject), []).append((key[0], key[1]))
    return keys


EVENTS_OF = f"""
    SELECT district, subject, offset, {EVENT_FIELDS}
    FROM events FINAL
    WHERE (district, subject) IN %(cases)s
    ORDER BY district, subject"""
KEYS_OF = """
    SELECT district, subject, toUnixTimestamp64Milli(opened_at), episode
    FROM cases FINAL
    WHERE (district, subject) IN %(cases)s AND is_deleted = 0
        AND (district, opened_at) IN (SELECT district, time FROM events WHERE (district, subject) IN %(cases)s)"""


def event_of(row: tuple[Any, ...]) -> Event:
    """The event of a row of `EVENT_FIELDS`."""
    kind, head = row[0], row[1:6]
    make, rest = {
        "contact": (Contacted, (*row[6:12], bool(row[12]))),
        "reply": (Replied, (row[13], row[14] == "human", row[15] == "public")),
        "resolution": (Resolved, row[16:17]),
        "rating": (Rated, row[17:20]),
    }[kind]
    fields = head + rest
    event: Event = make(*fields)
    return event


def indicators(
    client: Client, *, scope: str = "department", window: str = "28d", district: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Rows of the view `indicators` for one scope and window, as dictionaries, the busiest cells first."""
    return dictionaries(
        client,
        f"""
        SELECT * FROM indicators
        WHERE scope = %(scope)s AND window = %(window)s {"AND district = %(district)s" if district is not None else ""}
        ORDER BY contacts DESC, district, school, department
        LIMIT %(limit)s""",
        {"scope": scope, "window": window, "district": district, "limit": limit},
    )


def newest_event(client: Client, district: str | None) -> datetime | None:
    """When the newest event happened; None where there is none."""
    query = f"SELECT max(time), count() > 0 FROM events {'' if district is None else 'WHERE district = %(district)s'}"
    [(newest, is_any)] = client.execute(query, {"district": district})
    return newest if is_any else None


def waiting(
    client: Client, *, district: str | None = None, school: str | None = None, department: str | None = None, limit: int = 1000
) -> list[dict[str, Any]]:
    """Episodes in which somebody waits for a reply, as dictionaries: what is due soonest first, what nothing is owed on last.

    Due is what the view `open_cases` calls the next promise; where both have ended, `promise` tells how the resolution's did.
    `total` counts those beyond the limit too.
    """
    places = {"school": school, "department": department}
    wanted = "".join(f" AND {name} = %({name})s" for name, place in places.items() if place is not None)
    return dictionaries(
        client,
        f"""
        WITH now64(3, 'UTC') AS at
        SELECT district, school, department, subject, priority, channel, language, topic, received_at, waiting_since, waiting_ms,
            next_promise AS target, next_due_at AS due_at, dateDiff('millisecond', at, due_at) AS left_ms,
            if(target = 'response', response_promise, resolution_promise) AS promise,
            at AS as_of,
            count() OVER () AS total
        FROM open_cases(district = %(district)s)
        WHERE waiting_since IS NOT NULL{wanted}
        ORDER BY due_at ASC NULLS LAST, waiting_since, district, subject
        LIMIT %(limit)s""",
        {**places, "district": district or EVERY_DISTRICT, "limit": limit},
    )


def dictionaries(client: Client, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of an answer by the names of its columns."""
    rows, columns = client.execute(query, parameters, with_column_types=True)
    names = [name for name, _ in columns]
    return [dict(zip(names, row, strict=True)) for row in rows]
