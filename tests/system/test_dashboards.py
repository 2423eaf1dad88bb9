"""Every query of every dashboard on the real engine, over 28 invented days: rows, columns, units, and numbers
counted once more from the events."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from events.codec import Decoder
from events.directory import Directory
from projections.partition import Entry, Partition
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.writer import Writer
from streams.clock import WallClock
from streams.simulation import Plan, simulate
from streams.tables import tables_of
from tests.grafana import ALL, Asked, Chosen, Look, queries
from tests.system.observers import Deaf
from tests.unit.plain_facts import plain_facts

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer
    from events.event import Event

pytestmark = pytest.mark.embedded

HOUR, DAY = 3_600_000, 86_400_000
DISTRICT, ZONE = "riverside", "America/Chicago"
DIRECTORY = Directory.parse("""
revision: 1
zone: America/Chicago
hours: {monday: 08:00-16:00, tuesday: 08:00-16:00, wednesday: 08:00-16:00, thursday: 08:00-16:00, friday: 08:00-16:00}
targets:
  critical: {response: 2 business hours, resolution: 8 business hours}
  urgent: {response: 4 business hours, resolution: 24 business hours}
  routine: {response: 8 business hours, resolution: 40 business hours}
districts:
  riverside:
    name: Riverside Unified (invented)
    departments:
      transportation:
        name: Transportation
        targets:
          routine: {response: 3 business hours}
""")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Scene:
    """An invented district of four weeks up to `now` (ms) beside another one, as it was written while it happened."""

    server: ClickHouse
    now: int
    events: Mapping[str, "list[Event]"]
    """Of the district, by case."""

    def look(self, **chosen: str) -> Look:
        known = {"district": DISTRICT, "window": "28d", "clock": "calendar", "case": next(iter(self.events))}
        known |= dict.fromkeys(("school", "department", "status", "priority", "channel", "audience", "language"), ALL)
        variables = {name: Chosen(value, ("a", "b")) for name, value in (known | chosen).items()}
        return Look(variables, (self.now - 28 * DAY) // 1000, self.now // 1000)

    def facts(self) -> Iterator[dict[str, Any]]:
        """Of each question, from the events alone."""
        for subject, events in self.events.items():
            for facts in plain_facts(events, DIRECTORY, DISTRICT):
                if facts["received_at"] is not None:
                    yield facts | {"subject": subject}


@pytest.fixture(scope="module")
def scene(clickhouse: "ClickHouseServer") -> Scene:
    server = ClickHouse(port=clickhouse.native_port, database="dashboards")
    migrate(server)
    with server.connect() as client:
        write_directory(client, DIRECTORY)
    now = WallClock().now()
    log = list(entries(now))

    async def written() -> None:
        partition, writer = Partition(0, DIRECTORY), Writer(server.connect, Deaf())
        for _, part in itertools.groupby(log, key=lambda entry: entry[1] // (12 * HOUR)):
            partition.fold(list(part))
            await writer.write(tables_of([partition.drain()], [], "topic"))
        partition.advance(now)
        await writer.write(tables_of([partition.drain()], [], "topic"))
        await writer.close()

    asyncio.run(written())
    events: dict[str, list[Event]] = {}
    for _, _, _, district, subject, event in log:
        if district == DISTRICT:
            events.setdefault(subject, []).append(event)
    return Scene(server, now, events)


def entries(now: int) -> Iterator[Entry]:
    decoder = Decoder()
    for i, each in enumerate(simulate(Plan(now, students=150, days=28, districts=2))):
        decoded = decoder.decode(each.value, [("content-type", b"application/cloudevents+json")], each.time)
        assert isinstance(decoded, tuple), decoded
        yield (i, each.time, False, *decoded)


@pytest.fixture(scope="module")
def client(scene: Scene) -> "Iterator[Client]":
    with scene.server.connect() as client:
        yield client


@pytest.fixture(scope="module")
def ask(client: "Client", scene: Scene) -> Callable[..., Rows]:
    """The rows of one panel of a dashboard, for what somebody has chosen."""
    known = {(each.dashboard, each.name): each for each in queries()}

    def asked(dashboard: str, name: str, **chosen: str) -> Rows:
        return rows_of(client, scene.look(**chosen).expand(known[f"frontdesk-{dashboard}", name].sql))

    return asked


def rows_of(client: "Client", sql: str) -> Rows:
    rows, columns = client.execute(sql, with_column_types=True, settings={"do_not_merge_across_partitions_select_final": 1})
    return [dict(zip([name for name, _ in columns], row, strict=True)) for row in rows]


# -- every one of them ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("asked", list(queries()), ids=str)
def test_it_gives_rows_with_the_columns_that_are_shown(client: "Client", scene: Scene, asked: Asked) -> None:
    rows = rows_of(client, scene.look().expand(asked.sql))
    assert rows
    shown = {override["matcher"]["options"] for override in asked.panel.get("fieldConfig", {}).get("overrides", [])}
    assert shown <= rows[0].keys()
