"""Four weeks of a district, and of two more that share its partitions, through two workers that come and go: every number of
every cell and window is what plain SQL computes from the raw events; and where one is altered, exactly that is found.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from heapq import merge
from pathlib import Path

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import Child, tail
from events.partition import partition_of
from sinks.clickhouse.verification import Difference, differences
from streams.clock import WallClock
from streams.kafka.publisher import STRUCTURED, Publisher
from streams.settings import Settings
from streams.simulation import Occurrence, Plan, simulate
from streams.warehouse import clickhouse_of
from tests.support.workers import committed, fresh_settings, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]

STUDENTS, FEWER, DAYS, PARTITIONS = 2_000, 300, 28, 2
PARTS = 6
"""Pieces of the log: after each, something happens to a worker, or nothing."""
WITHIN_S = 240.0
NOW = "SETTINGS mutations_sync = 2"


def traffic() -> list[Occurrence]:
    """Up to now, in the order of time: one larger district, and two of another plan that are smaller."""
    now = WallClock().now()
    large = simulate(Plan(now, STUDENTS, DAYS))
    [name] = {each.district for each in simulate(Plan(now, 20, 2))}
    small = (each for each in simulate(Plan(now, FEWER, DAYS, seed=2, districts=3)) if each.district != name)
    return list(merge(large, small, key=lambda each: each.time))


@dataclass(frozen=True)
class Counted:
    """What was sent and has been counted. No worker runs any more."""

    settings: Settings
    sent: list[Occurrence]

    def districts(self) -> set[str]:
        return {each.district for each in self.sent}

    def distinct(self) -> int:
        return len(
            {(each.district, event["subject"], event["source"], event["id"]) for each in self.sent for event in [json.loads(each.value)]}
        )

    def differences(self) -> list[Difference]:
        with clickhouse_of(self.settings).connect() as client:
            return differences(client)

    def execute(self, statement: str) -> None:
        query(self.settings, statement)


@pytest.fixture(scope="module")
def counted(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Counted:
    """Counted by two workers, of which one is killed and the other one restarted while the log comes in."""
    settings = fresh_settings("exactness", kafka, clickhouse, partitions=PARTITIONS, session_timeout_s=6)
    logs, sent = tmp_path_factory.mktemp("exactness"), traffic()
    with ExitStack() as stack:

        def started(name: str) -> Child:
            return stack.enter_context(worker(settings, logs / f"{name}.log"))

        asyncio.run(_send(settings, sent[: len(sent) // PARTS]))
        killed, stopped = started("killed"), started("stopped")
        _wait_for_progress(settings, [killed, stopped], logs)
        for part in range(1, PARTS):
            asyncio.run(_send(settings, sent[part * len(sent) // PARTS : (part + 1) * len(sent) // PARTS]))
            if part == 2:
                assert committed(settings) < len(sent) * 3 // PARTS, "killed too late: everything was counted"
                killed.kill()
                third = started("third")
            if part == 4:
                assert stopped.stop(), "it did not end by itself"
                started("fourth")
        wait_until_counted(settings, third, logs / "third.log", WITHIN_S)
    return Counted(settings, sent)


async def _send(settings: Settings, occurrences: list[Occurrence]) -> None:
    async with Publisher(settings) as publisher:
        for each in occurrences:
            await publisher.send(each.district, each.value, STRUCTURED)


def _wait_for_progress(settings: Settings, workers: list[Child], logs: Path) -> None:
    """Until something is committed, so that what follows happens in the middle."""
    deadline = time.monotonic() + WITHIN_S
    while not committed(settings):
        assert all(child.alive() for child in workers), tail(logs / "killed.log") + tail(logs / "stopped.log")
        assert time.monotonic() < deadline
        time.sleep(0.05)


# -- all is as the events say ------------------------------------------------------------------------------------------
def test_districts_share_a_partition(counted: Counted) -> None:
    homes = {district: partition_of(district, PARTITIONS) for district in counted.districts()}
    assert len(homes) == 3
    assert len(set(homes.values())) < 3
    assert dict(query(counted.settings, "SELECT DISTINCT district, partition FROM events FINAL")) == homes


def test_every_number_of_every_cell_and_window_is_what_the_events_say(counted: Counted) -> None:
    assert counted.differences() == []
    cells = query(counted.settings, "SELECT scope, window, count(), sum(contact_n) FROM windows FINAL GROUP BY ALL")
    assert {(scope, window) for scope, window, *_ in cells} == {
        (scope, window) for scope in ("district", "school", "department", "school_department") for window in ("1h", "24h", "7d", "28d")
    }
    assert all(contacts > 0 for _, window, _, contacts in cells if window in {"7d", "28d"})


def test_each_event_of_the_topic_is_there_once(counted: Counted) -> None:
    assert query(counted.settings, "SELECT count() FROM events FINAL") == [(counted.distinct(),)]
    assert query(counted.settings, "SELECT count() FROM dead_letters FINAL") == [(0,)]
    assert dict(query(counted.settings, "SELECT district, count() FROM events FINAL GROUP BY district")) == {
        district: sum(each.district == district for each in counted.sent) for district in counted.districts()
    }


ADDITIVE = ("contact_n", "message_n", "response_due_n", "response_kept_n", "resolution_due_n", "resolution_kept_n", "response_sum_ms")


@pytest.mark.parametrize(
    ("parts", "whole", "of"),
    [
        ("department", "district", "district"),
        ("school_department", "school", "district, school"),
    ],
)
def test_the_parts_add_up_where_every_event_names_one(counted: Counted, parts: str, whole: str, of: str) -> None:
    """Every simulated contact names a department; replies and resolutions that name none are the contact's."""
    sums = ", ".join(f"sum({column})" for column in ADDITIVE)

    def added(scope: str) -> list[tuple[object, ...]]:
        return query(
            counted.settings, f"SELECT {of}, window, {sums} FROM windows FINAL WHERE scope = '{scope}' GROUP BY {of}, window ORDER BY ALL"
        )

    assert len(added(whole)) >= 3 * len(counted.districts()), "every window but the last hour, in which nobody may have written"
    assert added(parts) == added(whole)


def test_stakeholders_of_the_parts_are_no_fewer_than_of_the_whole(counted: Counted) -> None:
    """Somebody who wrote to two schools is one person in the district: distinct counts do not add up."""
    found = query(
        counted.settings,
        "SELECT district, sumIf(stakeholder_n, scope = 'department') AS parts, sumIf(stakeholder_n, scope = 'district') AS whole"
        " FROM windows FINAL WHERE window = '28d' GROUP BY district",
    )
    assert all(parts > whole > 0 for _, parts, whole in found)


# -- what is altered is found --------------------------------------------------------------------------------------------
@contextmanager
def altered(counted: Counted, table: str, change: str, where: str) -> Iterator[None]:
    """One row with another number, as a newer version; put right again afterwards."""
    row = f"SELECT * FROM {table} FINAL WHERE {where}"
    counted.execute(f"CREATE TABLE kept_{table} ENGINE = Memory AS {row}")
    assert query(counted.settings, f"SELECT count() FROM kept_{table}") == [(1,)]
    try:
        counted.execute(f"INSERT INTO {table} SELECT * REPLACE ({change}, version + 1 AS version) FROM kept_{table}")
        yield
    finally:
        counted.execute(f"INSERT INTO {table} SELECT * REPLACE (version + 2 AS version) FROM kept_{table}")
        counted.execute(f"DROP TABLE kept_{table}")
        assert counted.differences() == []


def test_one_number_of_a_window_that_is_altered_is_found(counted: Counted) -> None:
    columns = "district, scope, school, department, window"
    [(*key, stored)] = query(
        counted.settings,
        f"SELECT {columns}, response_sum_ms FROM windows FINAL WHERE scope = 'school_department' AND window = '7d'"
        " ORDER BY contact_n DESC, district, school, department LIMIT 1",
    )
    with altered(counted, "windows", "response_sum_ms + 1 AS response_sum_ms", f"({columns}) = {tuple(key)}"):
        [found] = counted.differences()
    assert (found.table, found.key, found.column) == ("windows", " ".join(key), "response_sum_ms")
    assert (found.stored, found.recomputed) == (str(stored + 1), str(stored))


def test_one_number_of_a_case_that_is_altered_is_found(counted: Counted) -> None:
    [(district, subject, turns)] = query(
        counted.settings,
        "SELECT district, subject, turns_n FROM cases FINAL WHERE turns_n > 0 AND is_deleted = 0 ORDER BY district, subject LIMIT 1",
    )
    with altered(counted, "cases", "turns_n + 1 AS turns_n", f"(district, subject) = ('{district}', '{subject}')"):
        [found] = counted.differences()
    assert (found.table, found.column, found.stored, found.recomputed) == ("cases", "turns_n", str(turns + 1), str(turns))
    assert found.key.startswith(f"{district} ")
    assert f" {subject} " in found.key


def test_an_event_that_is_deleted_is_found(counted: Counted) -> None:
    """A follow-up without which the case has one contact less, and its places one message less."""
    [(district, subject, source, name)] = query(
        counted.settings,
        "SELECT district, subject, source, id FROM events FINAL"
        " WHERE kind = 'contact' AND (district, subject, concat(source, ' ', id)) NOT IN"
        " (SELECT district, subject, episode FROM cases FINAL) AND time > now() - INTERVAL 6 DAY ORDER BY time LIMIT 1",
    )
    where = f"(district, subject, source, id) = ('{district}', '{subject}', '{source}', '{name}')"
    counted.execute(f"CREATE TABLE kept_events ENGINE = Memory AS SELECT * FROM events FINAL WHERE {where}")
    counted.execute(f"ALTER TABLE events DELETE WHERE {where} {NOW}")
    try:
        found = counted.differences()
        assert query(counted.settings, "SELECT count() FROM events FINAL") == [(counted.distinct() - 1,)]
    finally:
        counted.execute("INSERT INTO events SELECT * FROM kept_events")
        counted.execute("DROP TABLE kept_events")
    of_cases = [each for each in found if each.table == "cases"]
    of_windows = [each for each in found if each.table == "windows"]
    assert {each.column for each in of_cases} >= {"contacts"}
    assert all(f" {subject} " in each.key for each in of_cases)
    assert all(each.key.startswith(f"{district} ") for each in of_windows)
    messages = {each.key: int(each.stored) - int(each.recomputed) for each in of_windows if each.column == "message_n"}
    assert f"{district} district   7d" in messages
    assert f"{district} district   28d" in messages
    assert set(messages.values()) == {1}
    assert counted.differences() == []
