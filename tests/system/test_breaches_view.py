"""`breaches` in SQL, at any moment: one row for each episode, target and stage, as the plain rules have it; and compliance by due time."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sinks.clickhouse
from events.directory import DEFAULT
from projections.partition import Entry, Partition
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.queries import indicators
from sinks.clickhouse.writer import RowWriter
from streams.worker.tables import tables_of
from tests.oracles.plain_facts import plain_facts
from tests.support.observers import Deaf
from tests.unit.test_breach_times import DAY, HOUR, UNTIL, history, late

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer
    from events.event import Event

pytestmark = pytest.mark.embedded

VIEW = Path(sinks.clickhouse.__file__).with_name("views") / "05_breaches.sql"
NOW = "now64(3, 'UTC') AS at"
MOMENTS = (UNTIL, UNTIL - 30 * 60_000, UNTIL - 2 * DAY, UNTIL - 9 * DAY - 5 * HOUR)
Row = tuple[str, str, str, str, int, int, int | None, int]
"""Subject, episode, target, stage, reached_at, due_at, ended_at, late_ms."""


async def write(server: ClickHouse, partition: Partition) -> None:
    writer = RowWriter(server.connect, Deaf())
    await writer.write(tables_of([partition.drain()], [], "topic"))
    await writer.close()


@pytest.fixture(scope="module")
def server(clickhouse: "ClickHouseServer") -> ClickHouse:
    """Four weeks out of order, written by a worker that died once after its rows and began again."""
    server = ClickHouse(port=clickhouse.native_port, database="breaches_view")
    migrate(server)
    log = late()

    async def counted() -> None:
        dead, heir = Partition(0, DEFAULT), Partition(0, DEFAULT)
        dead.fold(log[: len(log) // 2])
        await write(server, dead)
        for begin in range(0, len(log), 700):
            heir.fold(log[begin : begin + 700])
            await write(server, heir)

    asyncio.run(counted())
    return server


@pytest.fixture
def client(server: ClickHouse) -> "Iterator[Client]":
    with server.connect() as client:
        yield client


@pytest.fixture
def at(client: "Client") -> Callable[[int], list[Row]]:
    """The rows of the view as if it were read at this moment."""
    definition = VIEW.read_text("utf-8")
    assert definition.count(NOW) == 1
    select = definition[definition.index("WITH") :].rstrip().removesuffix(";")

    def ms(column: str) -> str:
        return f"toUnixTimestamp64Milli({column})"

    def read(moment: int) -> list[Row]:
        told = select.replace(NOW, f"fromUnixTimestamp64Milli({moment}, 'UTC') AS at")
        columns = f"subject, episode, target, stage, {ms('reached_at')}, {ms('due_at')}, {ms('ended_at')}, late_ms"
        rows: list[Row] = client.execute(f"SELECT {columns} FROM ({told})")
        return sorted(rows, key=str)

    return read


def plainly(moment: int) -> list[Row]:
    """The same from the events alone."""
    cases: dict[str, list[Event]] = {}
    for _, _, _, district, subject, event in history():
        cases.setdefault(f"{district} {subject}", []).append(event)
    rows: list[Row] = []
    for name, events in cases.items():
        district, _, subject = name.partition(" ")
        for facts in plain_facts(events, DEFAULT, district):
            if facts["received_at"] is not None and facts["status"] != "spam":
                rows += of_episode(subject, facts, moment)
    return sorted(rows, key=str)


def of_episode(subject: str, facts: dict[str, Any], moment: int) -> Iterator[Row]:
    for target, ended_at in (("response", facts["answered_at"]), ("resolution", facts["first_resolved_at"])):
        due_at = facts[f"{target}_due_at"]
        for stage, reached_at in (("warning", facts[f"{target}_warn_at"]), ("breach", due_at)):
            if reached_at is not None and reached_at < moment and (ended_at is None or ended_at > reached_at):
                late_ms = (moment if ended_at is None else ended_at) - due_at
                yield subject, facts["episode"], target, stage, reached_at, due_at, ended_at, late_ms


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_view_is_what_the_rules_say_at_any_moment(at: Callable[[int], list[Row]], moment: int) -> None:
    rows = at(moment)
    assert len(rows) > 100
    assert rows == plainly(moment)


def test_there_is_one_row_for_each_episode_target_and_stage(client: "Client") -> None:
    [(rows, names)] = client.execute("SELECT count(), uniqExact(district, subject, episode, target, stage) FROM breaches")
    assert rows == names > 100


def test_a_breach_has_been_warned_of(client: "Client") -> None:
    promise = "district, subject, episode, target"
    unwarned = f"SELECT {promise} FROM breaches WHERE stage = 'breach' EXCEPT SELECT {promise} FROM breaches WHERE stage = 'warning'"
    assert client.execute(unwarned) == []


# -- compliance by due time ---------------------------------------------------------------------------------------------
MONDAY = 1_789_999_200_000
"""9:00 in Chicago; a critical contact is to be answered by 11:00."""
MINUTE = 60_000


def test_an_unanswered_contact_is_missed_at_its_deadline_and_its_answer_changes_nothing(clickhouse: "ClickHouseServer") -> None:
    #  9:00 asked, twice    9:30 one is answered    11:00 both are due    11:01 that counts: one kept, one missed    14:00 the other answer
    from events.event import Contacted, Replied  # noqa: PLC0415 - only this story

    server = ClickHouse(port=clickhouse.native_port, database="compliance_by_due_time")
    migrate(server)
    partition = Partition(0, DEFAULT)

    def seen(minute: int, *events: Entry) -> tuple[int, int, float | None, int]:
        """(due, kept, compliance, open breaches) of a day, as SQL tells it at this minute after nine."""
        partition.fold(events)
        partition.advance(MONDAY + minute * MINUTE)
        asyncio.run(write(server, partition))
        with server.connect() as client:
            [row] = indicators(client, scope="district", window="24h")
            [(breached,)] = client.execute(
                "SELECT countIf(response_due_at < fromUnixTimestamp64Milli(%(now)s, 'UTC') AND answered_at IS NULL) FROM cases FINAL",
                {"now": MONDAY + minute * MINUTE},
            )
        return row["responses_due"], row["responses_in_time"], row["response_compliance"], breached

    def asked(offset: int) -> Entry:
        event = Contacted(MONDAY, "/helpdesk", f"c{offset}", priority="critical")
        return offset, MONDAY, False, "riverside", f"case-{offset}", event

    def answered(offset: int, case: int, minute: int) -> Entry:
        at = MONDAY + minute * MINUTE
        return offset, at, False, "riverside", f"case-{case}", Replied(at, "/helpdesk", f"r{offset}")

    assert seen(0, asked(0), asked(1)) == (0, 0, None, 0)
    assert seen(30, answered(2, 0, 30)) == (0, 0, None, 0)
    assert seen(119) == (0, 0, None, 0)
    assert seen(121) == (2, 1, 0.5, 1)
    assert seen(299) == (2, 1, 0.5, 1)
    assert seen(300, answered(3, 1, 300)) == (2, 1, 0.5, 0)
