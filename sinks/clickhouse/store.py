"""ClickHouse as a worker sees it: rows go in through the writer, a few questions come back, all without blocking the loop.

A question that meets an outage is asked again, like an insert: recovery waits for ClickHouse instead of failing.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import structlog
from clickhouse_driver import Client

from projections.archive import Archived
from sinks.clickhouse import queries
from sinks.clickhouse.advice import advice
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.queries import Cell
from sinks.clickhouse.retry import until_answered
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
        try:
            return await until_answered(partial(self._answer, question), self._wait)
        finally:
            if self._unanswered is not None:
                self._unanswered = None
                self._observer.paused(paused=False)

    def _wait(self, code: int, failure: Exception) -> None:
        self._observer.retried(code)
        why, next_step = told(failure), advice(code, passes=True)
        self._unanswered = f"a question: {why}. Next: {next_step}"
        self._observer.paused(paused=True)
        log.warning("question is asked again", code=code, why=why, next=next_step)

    def _answer(self, question: Callable[[Client], Answer]) -> Answer:
        with self._server.connect() as client:
            return question(client)
