"""Threads that read ClickHouse, each over a connection of its own: nobody else reads, uses or closes it.

A viewer who goes away in the middle of a read leaves it to its thread, so that no connection is ever closed under a
reader. However many look, the database sees as many connections as there are threads; what comes meanwhile waits its turn.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from clickhouse_driver import Client

from sinks.clickhouse.connection import AWAY
from sinks.page_metrics import PageMetrics, Read

READERS: Final = 8

Answer = TypeVar("Answer")


class Database(Protocol):
    """What is asked of `sinks.clickhouse.connection.ClickHouse`."""

    def connect(self) -> Client: ...


class ReadingPool:
    """Reads for the loop that made it. `close` waits for the reads under way."""

    def __init__(self, server: Database, metrics: PageMetrics, readers: int = READERS) -> None:
        self._server = server
        self._metrics = metrics
        self._own = threading.local()
        self._clients: list[Client] = []
        self._threads = ThreadPoolExecutor(readers, "page-reader")

    async def ask(self, read: Callable[[Client], Answer]) -> Answer:
        """Raises what `read` does: clickhouse-driver's errors and OSError while ClickHouse is away; the next read connects again."""
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._read, read)
        except AWAY:
            self._metrics.read(Read.AWAY)
            raise
        except Exception:
            self._metrics.read(Read.MISTAKE)
            raise
        self._metrics.read(Read.GOOD)
        return answer

    def _read(self, read: Callable[[Client], Answer]) -> Answer:
        client = self._client()
        try:
            return read(client)
        except BaseException:
            client.disconnect()  # what is left of its answer is nobody's
            raise

    def _client(self) -> Client:
        if not hasattr(self._own, "client"):
            self._own.client = self._server.connect()
            self._clients.append(self._own.client)
        return self._own.client

    async def close(self) -> None:
        """Begin no read any more, wait for those that have begun, and hang up."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        for client in self._clients:
            client.disconnect()
