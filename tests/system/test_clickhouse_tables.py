"""Rows in real tables: the newest version stays whatever comes in which order, what is written comes back."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from events.directory import DEFAULT
from events.event import Contacted, Event, Rated, Replied, Resolved
from projections.partition import Entry, Partition
from projections.rows import CASE_COLUMNS, WINDOW_COLUMNS, event_row, row_version
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import DirectoryRefused, write_directory
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.queries import LogChanged, cells_not_empty, claim, events_of, indicators, log_identity, newest_as_of
from sinks.clickhouse.writer import RowWriter
from tests.support.observers import Deaf

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

T = 1_795_000_000_000
ASKED = Contacted(T, "/helpdesk", "1", "north", "bus", "s-1", "family", "web", "es", "bus-late", "urgent", True)
TOLD: list[Event] = [
    ASKED,
    Replied(T + 1, "/helpdesk", "2", author="a"),
    Resolved(T + 2, "/helpdesk", "3"),
    Rated(T + 3, "/helpdesk", "4", score=4.0),
]
NULLS = {c for c in CASE_COLUMNS if c.endswith(("_at", "_ms"))} - {"opened_at", "turns_sum_ms"} | {"waiting_since", "rating"}


@pytest.fixture
def server(clickhouse: "ClickHouseServer", request: pytest.FixtureRequest) -> ClickHouse:
    server = ClickHouse(port=clickhouse.native_port, database=f"tables_{abs(hash(request.node.name))}")
    migrate(server)
    return server


@pytest.fixture
def client(server: ClickHouse) -> "Iterator[Client]":
    with server.connect() as client:
        yield client


def write(server: ClickHouse, **tables: Any) -> None:
    async def once() -> None:
        writer = RowWriter(server.connect, Deaf())
        await writer.write(tables)
        await writer.close()

    asyncio.run(once())


def told(events: list[Event], offset: int = 0) -> list[Any]:
    rows = [event_row("riverside", "case-1", e, (3, offset + i, T, 0, row_version(1, offset + i, 0))) for i, e in enumerate(events)]
    return [list(column) for column in zip(*rows, strict=True)]


def case(version: int, **known: Any) -> list[Any]:
    names = {
        "district": "riverside",
        "opened_at": T,
        "subject": "case-1",
        "episode": "/helpdesk 1",
        "partition": 3,
        "version": version,
        **known,
    }
    texts = {
        "district",
        "subject",
        "episode",
        "school",
        "department",
        "stakeholder",
        "audience",
        "channel",
        "language",
        "topic",
        "priority",
    }
    texts |= {"status", "responded_school", "responded_department", "resolved_school", "resolved_department", "outcome"}
    return [[names.get(c, "" if c in texts else None if c in NULLS else 0)] for c in CASE_COLUMNS]


def window(version: int, **numbers: Any) -> list[Any]:
    cell = {"district": "riverside", "scope": "district", "school": "", "department": "", "window": "28d", "as_of": T // 1000}
    row = {**cell, "partition": 3, "version": version, **numbers}
    return [[row.get(c, 0)] for c in WINDOW_COLUMNS]


def test_what_is_sent_is_counted_in_bytes(server: ClickHouse) -> None:
    sizes = []
    for count in (1, 1_000):
        with server.connect() as client:
            client.execute("SELECT 1")
            before = client.sent_bytes
            assert before > 0
            client.execute(
                "INSERT INTO acceptances (topic_id, partition, until) VALUES", [["t" * 9] * count, [1] * count, [2] * count], columnar=True
            )
            sizes.append(client.sent_bytes - before)
    a_row = 10 + 2 + 8  # a text with its length, a UInt16, a UInt64
    assert sizes[1] - sizes[0] == pytest.approx(999 * a_row, abs=20)


def test_events_come_back_as_they_were(server: ClickHouse, client: "Client") -> None:
    write(server, events=told(TOLD))
    [(district, subject, offset, events, _)] = events_of(client, [("riverside", "case-1"), ("riverside", "no'such\\case")])
    assert (district, subject, offset) == ("riverside", "case-1", 3)
    assert sorted(events, key=lambda event: event.time) == TOLD


def test_an_event_delivered_twice_is_one_row_and_both_sides_of_a_conflict_stay(server: ClickHouse, client: "Client") -> None:
    other = Contacted(T, "/helpdesk", "1", "south")
    write(server, events=told([ASKED, other]))
    write(server, events=told([ASKED, other], offset=7))
    [(_, _, offset, events, _)] = events_of(client, [("riverside", "case-1")])
    assert offset == 8
    assert sorted(events, key=lambda event: event.school) == [ASKED, other]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_the_newest_version_of_a_case_stays(server: ClickHouse, client: "Client", order: tuple[int, ...]) -> None:
    for version in order:
        write(server, cases=case(row_version(1, 1 << 60, version), reopens=version, rating=0.75, rated_at=T))
    assert client.execute("SELECT reopens, rating, toUnixTimestamp64Milli(rated_at) FROM cases FINAL") == [(3, 0.75, T)]


def test_a_deleted_episode_is_gone_and_an_older_row_does_not_bring_it_back(server: ClickHouse, client: "Client") -> None:
    write(server, cases=case(5))
    write(server, cases=case(6, is_deleted=1))
    write(server, cases=case(5))
    assert client.execute("SELECT count() FROM cases FINAL WHERE is_deleted = 0") == [(0,)]


def test_old_events_of_many_months_fit_into_one_insert(server: ClickHouse, client: "Client") -> None:
    months = [Contacted(T - i * 31 * 86_400_000, "/helpdesk", str(i)) for i in range(150)]
    write(server, events=told(months))
    assert client.execute("SELECT count() FROM events") == [(150,)]


def test_a_long_insert_goes_in_several_blocks(server: ClickHouse, client: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.clickhouse.columns.ROWS_A_BLOCK", 2)
    write(server, events=told([Contacted(T + i, "/helpdesk", str(i)) for i in range(5)]))
    assert client.execute("SELECT id FROM events ORDER BY time") == [(str(i),) for i in range(5)]


@pytest.mark.parametrize("crash_after", ["nothing", "the history", "the rows"])
def test_history_keeps_the_last_row_of_each_quarter_of_an_hour(server: ClickHouse, client: "Client", crash_after: str) -> None:
    #  contacts at 0:00   0:07   0:14 | 0:15 | (nothing at 0:30) | 0:50, and whoever writes then may die before or after its rows
    quarter, worker = T // 900_000 * 900_000, Partition(3, DEFAULT)
    times = [quarter + minute * 60_000 for minute in (0, 7, 14, 15, 50)]
    log: list[Entry] = [(i, at, False, "riverside", f"case-{i}", Contacted(at, "/helpdesk", str(i))) for i, at in enumerate(times)]
    for offset, entry in enumerate(log):
        worker.fold([entry])
        changes = worker.drain()
        if crash_after != "nothing":
            write(server, windows_history=changes.history, windows=changes.windows if crash_after == "the rows" else [])
            worker = Partition(3, DEFAULT)
            worker.fold(log[: offset + 1])
            worker.start_rows_at(newest_as_of(client, 3))
            changes = worker.drain()
        write(server, windows_history=changes.history, windows=changes.windows)
    worker.advance(quarter + 3_600_000)
    write(server, windows_history=worker.drain().history)
    history = client.execute(
        "SELECT toUnixTimestamp(slot) * 1000, contact_n FROM windows_history FINAL WHERE scope = 'district' AND window = '24h' ORDER BY 1"
    )
    assert history == [(quarter, 3), (quarter + 900_000, 4), (quarter + 2_700_000, 5)]
    [(copied,)] = client.execute("SELECT count() FROM windows_history WHERE scope = 'district' AND window = '24h'")
    assert crash_after != "nothing" or copied == 3, "of each quarter of an hour one row, not those of every turn"


def test_windows_may_come_as_arrays(server: ClickHouse, client: "Client") -> None:
    row = window(1 << 96, contact_n=3, response_p50_ms=2.5, rating_sum_squares_bp2=1 << 40)
    arrays = [
        np.array(column) if c.endswith(("_n", "_ms", "_sum", "bp2")) or c == "as_of" else column
        for c, column in zip(WINDOW_COLUMNS, row, strict=True)
    ]
    write(server, windows=arrays)
    numbers = "contact_n, response_p50_ms, rating_sum_squares_bp2, toUnixTimestamp(as_of), window, version"
    assert client.execute(f"SELECT {numbers} FROM windows FINAL") == [(3, 2.5, 1 << 40, T // 1000, "28d", 1 << 96)]


def test_only_cells_that_show_a_number_are_named(server: ClickHouse, client: "Client") -> None:
    write(server, windows=window(1, message_n=1))
    write(server, windows=window(1, district="empty"))
    assert cells_not_empty(client, 3) == [("riverside", "district", "", "")]
    write(server, windows=window(2))
    assert cells_not_empty(client, 3) == []
    assert cells_not_empty(client, 4) == []


def test_the_log_is_claimed_once_and_another_one_is_refused(client: "Client") -> None:
    assert log_identity(client) is None
    identity = claim(client, "topic-a", 8)
    assert identity.epoch == 1
    assert claim(client, "topic-a", 8) == identity == log_identity(client)
    for topic, partitions in [("topic-b", 8), ("topic-a", 16)]:
        with pytest.raises(LogChanged, match="`frontdesk rebuild` counts it anew"):
            claim(client, topic, partitions)


def test_indicators_divide_only_where_there_is_something(server: ClickHouse, client: "Client") -> None:
    write(server, windows=window(1, contact_n=4, response_n=2, response_sum_ms=300, response_due_n=4, response_kept_n=3))
    [row] = indicators(client, scope="district")
    assert row["contacts"] == 4
    assert row["response_mean_ms"] == 150
    assert row["response_compliance"] == 0.75
    assert row["resolution_mean_ms"] is row["rating_mean"] is row["csat"] is row["score"] is None
    assert row["score_reason"] == "fewer than 10 ratings in 28 days"


def test_the_score_is_half_satisfaction_and_a_quarter_each_for_promises(server: ClickHouse, client: "Client") -> None:
    ratings = {"rating_n": 20, "rating_sum_bp": 20 * 9_000, "rating_sum_squares_bp2": 20 * 9_000**2, "rating_satisfied_n": 20}
    write(server, windows=window(1, **ratings, response_due_n=28, response_kept_n=14, quality_n=8, quality_sum=8))
    [row] = indicators(client, scope="district")
    satisfaction, responses, quality = (20 * 0.9 + 12 * 0.7) / 32, (14 + 12 * 0.7) / 40, (8 + 12 * 0.7) / 20
    assert row["score"] == pytest.approx(50 * satisfaction + 25 * responses + 25 * quality)
    assert row["score"] == pytest.approx(sum(row[f"score_{part}_points"] for part in ("satisfaction", "response", "quality")))
    assert row["score_low"] < row["score"] < row["score_high"]
    assert row["rating_mean_of_10"] == pytest.approx(9)


def test_promises_that_were_missed_are_breaches(server: ClickHouse, client: "Client") -> None:
    promised = {"received_at": T, "response_due_at": T + 10, "resolution_due_at": T + 20, "status": "open"}
    write(server, cases=case(1, **promised, answered_at=T + 15, first_response_at=T + 15))
    breaches = client.execute(
        "SELECT target, is_open, late_ms >= 0, if(is_open, 0, late_ms) FROM breaches WHERE stage = 'breach' ORDER BY 1"
    )
    assert breaches == [("resolution", 1, 1, 0), ("response", 0, 1, 5)]
    assert client.execute("SELECT response_promise, resolution_promise FROM open_cases(district = 'riverside')") == [("missed", "missed")]
    write(server, cases=case(2, **{**promised, "status": "spam"}))
    assert client.execute("SELECT count() FROM breaches") == [(0,)]


def test_a_revision_of_the_directory_is_written_once(client: "Client") -> None:
    assert write_directory(client, DEFAULT)
    assert not write_directory(client, DEFAULT)
    assert client.execute("SELECT count() FROM targets FINAL") == [(3,)]
    assert client.execute("SELECT count() > 5000, min(open_before_ms), max(closes_at > opens_at) FROM openings FINAL") == [(1, 0, 1)]


def test_an_older_directory_and_other_content_under_one_revision_are_refused(client: "Client") -> None:
    second = replace(DEFAULT, revision=2)
    write_directory(client, DEFAULT)
    assert write_directory(client, second)
    for refused in (DEFAULT, replace(second, content_hash="other")):
        with pytest.raises(DirectoryRefused, match="revision 2 of the directory is in force"):
            write_directory(client, refused)
    assert write_directory(client, replace(DEFAULT, revision=3))
