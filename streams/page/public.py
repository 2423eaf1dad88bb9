"""The public page over HTTP: completed months of districts, schools and departments, without any number of few people.

It reads one view that holds nothing else, so that no address of it can tell more. Nothing moves here by itself: what was
read is given to everybody for ten minutes, and an address that names no published month asks the database nothing.
"""

import json
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from sinks.clickhouse import publication
from sinks.clickhouse.connection import AWAY
from streams.clock import Clock
from streams.page.answers import Answers, Pool
from streams.page.site import away, site

READ_EVERY_MS: Final = 600_000
MOST_MONTHS_KEPT: Final = 500


class Library:
    """What is published, as ClickHouse has it."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._months = Answers(pool, clock, READ_EVERY_MS)
        self._cells = Answers(pool, clock, READ_EVERY_MS, MOST_MONTHS_KEPT)

    async def months(self) -> dict[str, list[str]]:
        """See `publication.months`. Raises clickhouse-driver's errors and OSError while ClickHouse is away."""
        return await self._months.ask((), publication.months)

    async def cells(self, district: str, month: str) -> list[publication.Row]:
        """See `publication.cells`."""
        return await self._cells.ask((district, month), lambda client: publication.cells(client, district, month))


def public_application(library: Library, token: str = "", hosts: frozenset[str] = frozenset()) -> web.Application:
    """`token` '' lets everybody in, by one of the names in `hosts`; with one it can be looked at before it is opened."""
    return site("public", [web.get("/months", _months(library)), web.get("/numbers", _numbers(library))], token, hosts)


def _months(library: Library) -> Handler:
    async def months(_: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await library.months())
        except AWAY as failure:
            raise away() from failure

    return months


def _numbers(library: Library) -> Handler:
    async def numbers(request: web.Request) -> web.StreamResponse:
        district, month = request.query.get("district", ""), request.query.get("month", "")
        try:
            if month not in (await library.months()).get(district, ()):
                raise web.HTTPNotFound(text="district and month (YYYY-MM) are those of /months\n")
            cells = await library.cells(district, month)
        except AWAY as failure:
            raise away() from failure
        return web.json_response({"district": district, "month": month, "cells": cells}, dumps=_compact)

    return numbers


def _compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))
