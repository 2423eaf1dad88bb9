"""The public page over HTTP: completed months of districts, schools and departments, without any number of few people.

It reads one view that holds nothing else, so that no address of it can tell more. Nothing moves here by itself: what was
read is given to everybody for ten minutes, and an address that names no published month asks the database nothing.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler
from clickhouse_driver import Client
from clickhouse_driver.errors import Error

from sinks.clickhouse import publication
from sinks.clickhouse.connection import ClickHouse
from streams.clock import Clock
from streams.page.site import site

READ_EVERY_MS: Final = 600_000
MOST_MONTHS_KEPT: Final = 500

Question = tuple[str, ...]


class Library:
    """Answers of ClickHouse, each read once for all who ask within ten minutes. Mutable; of one event loop."""

    def __init__(self, server: ClickHouse, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._answers: dict[Question, tuple[int, asyncio.Task[Any]]] = {}

    async def months(self) -> dict[str, list[str]]:
        """See `publication.months`. Raises clickhouse-driver's errors and OSError while ClickHouse is away."""
        known: dict[str, list[str]] = await self._ask((), publication.months)
        return known

    async def cells(self, district: str, month: str) -> list[publication.Row]:
        """See `publication.cells`."""
        rows: list[publication.Row] = await self._ask((district, month), lambda client: publication.cells(client, district, month))
        return rows

    async def _ask(self, question: Question, read: Callable[[Client], Any]) -> Any:
        asked_at, task = self._answers.get(question, (0, None))
        if task is None or self._clock.now() - asked_at >= READ_EVERY_MS or _failed(task):
            task = asyncio.create_task(asyncio.to_thread(self._read, read))
            self._answers.pop(question, None)
            self._answers[question] = self._clock.now(), task
            while len(self._answers) > MOST_MONTHS_KEPT:
                del self._answers[next(iter(self._answers))]
        return await asyncio.shield(task)

    def _read(self, read: Callable[[Client], Any]) -> Any:
        with self._server.connect() as client:
            return read(client)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def public_application(library: Library, token: str = "", hosts: frozenset[str] = frozenset()) -> web.Application:
    """`token` '' lets everybody in, by one of the names in `hosts`; with one it can be looked at before it is opened."""
    return site("public.html", [web.get("/months", _months(library)), web.get("/numbers", _numbers(library))], token, hosts)


def _months(library: Library) -> Handler:
    async def months(_: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await library.months())
        except (Error, OSError, EOFError) as failure:
            raise _away() from failure

    return months


def _numbers(library: Library) -> Handler:
    async def numbers(request: web.Request) -> web.StreamResponse:
        district, month = request.query.get("district", ""), request.query.get("month", "")
        try:
            if month not in (await library.months()).get(district, ()):
                raise web.HTTPNotFound(text="district and month (YYYY-MM) are those of /months\n")
            cells = await library.cells(district, month)
        except (Error, OSError, EOFError) as failure:
            raise _away() from failure
        return web.json_response({"district": district, "month": month, "cells": cells}, dumps=_compact)

    return numbers


def _compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def _away() -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(text="the database does not answer: try again later\n", headers={"Retry-After": "30"})
