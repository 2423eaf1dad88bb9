"""ClickHouse goes away in the middle of the work and comes back: nothing is lost, nobody falls over, and it can be left."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from projections.rows import WINDOW_COLUMNS
from sinks.clickhouse.advice import AWAY
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.store import Store

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

DEADLINE_S = 60


class Counted:
    """Rows that were acknowledged, and inserts that failed."""

    def __init__(self) -> None:
        self.rows = 0
        self.failures = 0
        self.is_paused = False

    def inserted(self, table: str, rows: int, seconds: float, size: int) -> None:  # noqa: ARG002 - the observer's signature
        self.rows += rows

    def insert_failed(self, table: str, rows: int, seconds: float, size: int, code: int) -> None:  # noqa: ARG002 - as above
        self.failures += 1

    def retried(self, code: int) -> None: ...

    def paused(self, paused: bool) -> None:
        self.is_paused = paused


@pytest.fixture
def clickhouse_of_its_own(tmp_path: Path) -> "Iterator[ClickHouseServer]":
    from deploy.embedded.clickhouse import ClickHouseServer  # noqa: PLC0415 - pure tests need no server's code

    with ClickHouseServer(tmp_path) as server:
        yield server


def rows(contacts: int) -> list[Any]:
    cell = {"district": f"district-{contacts}", "scope": "district", "school": "", "department": "", "window": "28d", "as_of": 60}
    return [[{**cell, "contact_n": contacts}.get(c, 0)] for c in WINDOW_COLUMNS]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def test_rows_wait_for_clickhouse_and_so_do_questions(clickhouse_of_its_own: "ClickHouseServer") -> None:
    server = ClickHouse(port=clickhouse_of_its_own.native_port)
    migrate(server)
    seen = Counted()
    store = Store(server, seen)
    await store.write({"windows": rows(1)})

    clickhouse_of_its_own.kill()
    writing = asyncio.create_task(store.write({"windows": rows(2)}))
    asking = asyncio.create_task(store.cells_not_empty(0))
    await until(lambda: store._unanswered is not None)
    await until(lambda: store.paused is not None and seen.failures > 1)
    assert not writing.done()

    clickhouse_of_its_own.start()
    async with asyncio.timeout(DEADLINE_S):
        await writing
        await asking
        assert sorted(cell[0] for cell in await store.cells_not_empty(0)) == ["district-1", "district-2"]
    assert store.paused is None
    assert not seen.is_paused
    assert seen.rows == 2
    await store.close()


async def test_a_question_without_an_answer_is_a_pause_with_a_reason() -> None:
    """As in a recovery, when nothing is inserted that could say so."""
    seen, line = Counted(), await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    store = Store(ClickHouse(port=line.sockets[0].getsockname()[1]), seen)
    asking = asyncio.create_task(store.newest_as_of(0))
    await until(lambda: store.paused is not None)
    assert str(store.paused).startswith("a question: ")
    assert str(store.paused).endswith(f"Next: {AWAY}")
    assert seen.is_paused
    asking.cancel()
    await asyncio.wait({asking})
    assert store.paused is None
    assert not seen.is_paused
    line.close()


async def test_a_worker_can_leave_during_an_outage(clickhouse_of_its_own: "ClickHouseServer") -> None:
    server = ClickHouse(port=clickhouse_of_its_own.native_port)
    store = Store(server, Counted())
    clickhouse_of_its_own.stop()
    writing = asyncio.create_task(store.write({"windows": rows(1)}))
    await until(lambda: store.paused is not None)
    writing.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await writing
        await store.close()
    assert store.paused is None


async def test_a_worker_can_leave_while_clickhouse_is_silent() -> None:
    """A server that takes the connection and never says a word, as a stopped one does."""
    greeted = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.set()
        await reader.read()

    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    store = Store(ClickHouse(port=silent.sockets[0].getsockname()[1]), Counted())
    writing = asyncio.create_task(store.write({"windows": rows(1)}))
    async with asyncio.timeout(10):
        await greeted.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await store.close()
    silent.close()
