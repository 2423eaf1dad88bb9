"""The writer against a fake ClickHouse: what it sends, in which order, what it does when that fails."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from clickhouse_driver import errors

from projections.rows import window_version
from sinks.clickhouse import writer as module
from sinks.clickhouse.advice import AWAY, SLOW
from sinks.clickhouse.retry import MERGE_PAUSE_S, code_of, pause_s
from sinks.clickhouse.writer import Fatal, RowWriter

SIZE = 17
"""Bytes of every insert."""
TABLES = {"events": ("subject", "partition", "offset"), "windows": ("contact_n", "partition")}
ROWS = {"events": [["a", "b"], [3, 3], [7, 9]], "windows": [np.array([4]), [3]]}


@dataclass
class Server:
    """Remembers what was inserted; `failures` are raised first, one for each insert that is tried."""

    failures: list[Exception] = field(default_factory=list)
    tried: list[tuple[str, Any]] = field(default_factory=list)
    connections: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    before_answer: Callable[[], object] = field(default=lambda: None)

    def connect(self) -> "FakeClient":
        self.connections += 1
        return FakeClient(self)


class FakeClient:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.connection = self
        self.socket = None
        self.open = True
        self.connected = False
        self.sent_bytes = 0

    def connect(self) -> None:
        assert self.open
        assert not self.connected
        self.connected = True

    def disconnect(self) -> None:
        self.open = False

    def execute(self, query: str, columns: Any, **options: Any) -> None:
        assert self.open
        assert self.connected
        self.server.settings = options["settings"]
        self.server.tried.append((query, [list(c) for c in columns]))
        self.sent_bytes += SIZE
        if self.server.failures:
            raise self.server.failures.pop(0)
        self.server.before_answer()


@dataclass
class Seen:
    """An observer that writes down what it is told."""

    rows: dict[str, int] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    retries: list[int] = field(default_factory=list)
    pauses: list[bool] = field(default_factory=list)

    def inserted(self, table: str, rows: int, seconds: float, size: int) -> None:
        assert seconds >= 0
        assert size == SIZE
        self.rows[table] = self.rows.get(table, 0) + rows

    def insert_failed(self, table: str, rows: int, seconds: float, size: int, code: int) -> None:
        assert (rows, size) == (len(ROWS[table][0]), SIZE)
        assert seconds >= 0
        self.codes.append(code)

    def retried(self, code: int) -> None:
        self.retries.append(code)

    def paused(self, paused: bool) -> None:
        self.pauses.append(paused)


def failure(code: int) -> errors.ServerException:
    return errors.ServerException("DB::Exception: no\nStack trace: ...", code)


def writer(server: Server, seen: Seen, sleeps: list[float]) -> RowWriter:
    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        await asyncio.sleep(0)

    return RowWriter(server.connect, seen, tables=TABLES, sleep=sleep, chance=lambda: 1.0)


async def test_tables_are_written_in_the_order_given_and_counted() -> None:
    server, seen = Server(), Seen()
    await writer(server, seen, []).write(ROWS)
    assert [q for q, _ in server.tried] == [
        "INSERT INTO events (`subject`, `partition`, `offset`) VALUES",
        "INSERT INTO windows (`contact_n`, `partition`) VALUES",
    ]
    assert server.tried[1][1] == [[4], [3]]
    assert seen.rows == {"events": 2, "windows": 1}
    assert server.connections == 1


async def test_what_an_upgrade_might_change_is_pinned_on_every_insert() -> None:
    server = Server()
    await writer(server, Seen(), []).write(ROWS)
    assert server.settings["async_insert"] == 0
    assert server.settings["insert_deduplicate"] == 0


async def test_nothing_is_sent_for_no_rows() -> None:
    server = Server()
    await writer(server, Seen(), []).write({"events": [], "windows": [[], []]})
    assert server.tried == []


@pytest.mark.parametrize(
    "trouble", [failure(241), ConnectionResetError("reset"), EOFError("gone"), TimeoutError("slow"), errors.NetworkError("away")]
)
async def test_a_failure_that_passes_is_retried_with_the_same_block_on_a_new_connection(trouble: Exception) -> None:
    server, seen, sleeps = Server([trouble, trouble]), Seen(), []
    await writer(server, seen, sleeps).write(ROWS)
    assert server.tried[0] == server.tried[1] == server.tried[2]
    assert server.connections == 3
    assert seen.rows == {"events": 2, "windows": 1}
    assert len(seen.codes) == 2
    assert seen.retries == seen.codes
    assert sleeps == sorted(sleeps)
    assert seen.pauses == [True, True, False]


async def test_it_says_why_it_waits_and_stops_saying_so() -> None:
    server, reasons = Server([failure(210)]), []

    async def sleep(_: float) -> None:
        reasons.append(it.paused)

    it = RowWriter(server.connect, Seen(), tables=TABLES, sleep=sleep)
    await it.write(ROWS)
    assert reasons == [f"events: ServerException: Code: 210. DB::Exception: no. Next: {AWAY}"]
    assert it.paused is None


async def test_an_insert_without_an_answer_is_a_pause_until_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT_S", 0.01)
    server, seen, answer = Server(), Seen(), threading.Event()
    server.before_answer = answer.wait
    it = writer(server, seen, [])
    writing = asyncio.create_task(it.write(ROWS))
    async with asyncio.timeout(10):
        while it.paused is None:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
        assert it.paused == f"events: no answer for 0 s. Next: {SLOW}"
        assert seen.pauses == [True]
        answer.set()
        await writing
    assert it.paused is None
    assert seen.pauses[-1] is False


def test_a_window_says_after_which_records_it_was_written() -> None:
    it = RowWriter(Server().connect, Seen(), tables={"windows": ("partition", "version")})
    versions = [window_version(29_000_000, 117, 5), window_version(29_000_001, 116, 5)]
    assert it._position("windows", [[3, 3], versions]) == "partition 3, after the records before offset 117"


@pytest.mark.parametrize("trouble", [failure(117), failure(53), failure(16), failure(60), ValueError("not a number")])
async def test_a_failure_that_stays_names_table_code_and_position(trouble: Exception) -> None:
    server = Server([trouble])
    seen = Seen()
    with pytest.raises(Fatal, match="events: rows of partition 3, offsets 7 to 9") as fatal:
        await writer(server, seen, []).write(ROWS)
    assert (len(seen.codes), seen.retries) == (1, [])
    assert fatal.value.table == "events"
    assert fatal.value.code == getattr(trouble, "code", 0)
    assert len(server.tried) == 1


async def test_a_write_can_be_cancelled_during_an_outage_and_another_one_made_later() -> None:
    server = Server([failure(210)] * 1_000_000)
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.sleep(0)

    it = RowWriter(server.connect, Seen(), tables=TABLES, sleep=sleep)
    task = asyncio.create_task(it.write(ROWS))
    await asyncio.wait_for(waiting.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert it.paused is None
    server.failures, server.tried = [], []
    await it.write(ROWS)
    assert len(server.tried) == 2
    await it.close()


def test_too_many_parts_waits_longer_than_anything_else() -> None:
    assert pause_s(0, 252, lambda: 0.0) >= MERGE_PAUSE_S
    assert pause_s(0, 210, lambda: 1.0) < 1
    assert pause_s(100, 210, lambda: 1.0) <= 10


@pytest.mark.parametrize("code", [3, 75, 76, 107, 159, 164, 202, 203, 209, 210, 241, 242, 243, 252, 285, 319, 394, 425, 774, 999])
def test_codes_that_pass(code: int) -> None:
    assert code_of(failure(code)) == code


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("filesystem error: in create_directories: Read-only file system", True),
        ("No space left on device", True),
        ("std::out_of_range", False),
    ],
)
def test_what_the_operating_system_says_of_a_disk_passes_and_other_mistakes_of_the_server_do_not(said: str, passes: bool) -> None:
    assert (code_of(errors.ServerException(f"DB::Exception: {said}", 1001)) is not None) == passes
