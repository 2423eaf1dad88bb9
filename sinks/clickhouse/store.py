"""ClickHouse as a worker sees it: rows go in through the writer, a few questions come back, all without blocking the loop.

A question that meets an outage is asked again, like an insert: recovery waits for ClickHouse instead of failing.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import structlog
from clickhouse_driver import Client

from projections.archive import Archived
from sinks.clickhouse import queries
from sinks.clickhouse.advice import advice
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.queries import Cell
from sinks.clickhouse.retry import code_of, pause_s
from sinks.clickhouse.tables import Columns
from sinks.clickhouse.writer import Observer, RowWriter, told

Answer = TypeVar("Answer")

log = structlog.get_logger("clickhouse")


class Store:
    """One writing connection that stays, and one for each question."""

    def __init__(self, server: ClickHouse, observer: Observer) -> None:
        self._server = server
        self._observer = observer
        self._writer = RowWriter(server.connect, observer)
        self._unanswered: str | None = None

    @property
    def paused(self) -> str | None:
        """Why nothing is written at present; None while all is well."""
        return self._writer.paused or self._unanswered

    async def write(self, tables: Mapping[str, Columns]) -> None:
        """See `RowWriter.write`."""
        await self._writer.write(tables)

    async def cells_not_empty(self, partition: int) -> list[Cell]:
        return await self._ask(lambda client: queries.cells_not_empty(client, partition))

    async def newest_as_of(self, partition: int) -> int:
        return await self._ask(lambda client: queries.newest_as_of(client, partition))

    async def events_of(self, cases: Sequence[tuple[str, str]]) -> list[Archived]:
        return await self._ask(lambda client: queries.events_of(client, cases))

    async def close(self) -> None:
        await self._writer.close()

    async def _ask(self, question: Callable[[Client], Answer]) -> Answer:
        attempt = 0
        try:
            while True:
                try:
                    return await asyncio.to_thread(self._answer, question)
                except Exception as failure:
                    code = code_of(failure)
                    if code is None:
                        raise
                    self._observer.retried(code)
                    self._wait(code, told(failure))
                    await asyncio.sleep(pause_s(attempt, code, random.random))
                    attempt += 1
        finally:
            if self._unanswered is not None:
                self._unanswered = None
                self._observer.paused(paused=False)

    def _wait(self, code: int, why: str) -> None:
        next_step = advice(code, passes=True)
        self._unanswered = f"a question: {why}. Next: {next_step}"
        self._observer.paused(paused=True)
        log.warning("question is asked again", code=code, why=why, next=next_step)

    def _answer(self, question: Callable[[Client], Answer]) -> Answer:
        with self._server.connect() as client:
            return question(client)
