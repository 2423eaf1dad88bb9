"""A connection belongs to the thread that reads over it: nobody else uses or closes it, whoever goes away meanwhile."""

import asyncio
import threading
from collections import Counter

import pytest
from prometheus_client import CollectorRegistry

from sinks.page_metrics import PageMetrics
from streams.page.pool import ReadingPool
from tests.support.waiting import until

WITHIN_S = 30


class Connection:
    """Notes who uses it, and whether anybody did while another one read."""

    def __init__(self, crossed: list[str]) -> None:
        self.threads: set[int] = set()
        self.hung_up = 0
        self._crossed = crossed
        self._reading = threading.Lock()

    def read(self, go_on: threading.Event | None = None) -> str:
        if not self._reading.acquire(blocking=False):
            self._crossed.append("read while another one read")
        self.threads.add(threading.get_ident())
        assert go_on is None or go_on.wait(WITHIN_S)
        self._reading.release()
        return "read"

    def disconnect(self) -> None:
        self.hung_up += 1
        if self._reading.locked():
            self._crossed.append("closed while somebody read")


class Server:
    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.crossed: list[str] = []

    def connect(self) -> Connection:
        self.connections.append(Connection(self.crossed))
        return self.connections[-1]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def metrics() -> PageMetrics:
    return PageMetrics(CollectorRegistry())


def reads(metrics: PageMetrics) -> Counter[str]:
    return Counter(
        {outcome: int(metrics.registry.get_sample_value("frontdesk_page_reads_total", {"outcome": outcome}) or 0)
         for outcome in ("good", "away", "mistake")}
    )  # fmt: skip


async def test_who_goes_away_in_the_middle_of_a_read_closes_nothing(server: Server, metrics: PageMetrics) -> None:
    pool, go_on = ReadingPool(server, metrics, readers=2), threading.Event()
    impatient = [asyncio.create_task(pool.ask(lambda connection: connection.read(go_on))) for _ in range(2)]
    await until(lambda: len(server.connections) == 2)
    for each in impatient:
        each.cancel()
    await asyncio.wait(impatient)
    later = [asyncio.create_task(pool.ask(Connection.read)) for _ in range(50)]
    go_on.set()
    assert await asyncio.gather(*later) == ["read"] * 50
    await pool.close()
    assert server.crossed == []
    assert [len(each.threads) for each in server.connections] == [1, 1]
    assert [each.hung_up for each in server.connections] == [1, 1]


async def test_after_a_failure_it_connects_again_and_counts_why(server: Server, metrics: PageMetrics) -> None:
    pool = ReadingPool(server, metrics, readers=1)

    def fails(failure: Exception) -> None:
        raise failure

    with pytest.raises(ConnectionRefusedError):
        await pool.ask(lambda _: fails(ConnectionRefusedError()))
    assert server.connections[0].hung_up == 1, "what is left of an answer would be the next one's"
    with pytest.raises(KeyError):
        await pool.ask(lambda _: fails(KeyError()))
    assert await pool.ask(Connection.read) == "read"
    assert reads(metrics) == {"good": 1, "away": 1, "mistake": 1}
    await pool.close()


async def test_what_has_not_begun_when_it_closes_never_begins(server: Server, metrics: PageMetrics) -> None:
    pool, go_on = ReadingPool(server, metrics, readers=1), threading.Event()
    first = asyncio.create_task(pool.ask(lambda connection: connection.read(go_on)))
    waits = asyncio.create_task(pool.ask(Connection.read))
    await until(lambda: server.connections)
    closing = asyncio.create_task(pool.close())
    await until(waits.done)
    go_on.set()
    await closing
    assert waits.cancelled()
    assert await first == "read"
    assert server.crossed == []
