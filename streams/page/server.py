"""The live page over HTTP: the list of districts, and one stream of events for each viewer.

Only districts that have numbers can be looked at: an address that somebody made up costs the database nothing.
"""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError
from aiohttp.typedefs import Handler

from sinks.clickhouse import overview
from sinks.clickhouse.connection import AWAY
from sinks.page_metrics import PageMetrics, RefusedViewer
from streams.clock import Clock
from streams.page.answers import Answers, Pool
from streams.page.hub import Broadcast, Full, Hub
from streams.page.reading import WINDOWS, View
from streams.page.site import away, site

KEEP_ALIVE_S: Final = 15.0
TAKEN_WITHIN_S: Final = 15.0
"""Who has not taken what was sent by then does not look."""
DISTRICTS_READ_EVERY_MS: Final = 5_000


class KnownDistricts:
    """Which districts have numbers. Mutable; of one event loop."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._answers = Answers(pool, clock, DISTRICTS_READ_EVERY_MS)
        self._last: frozenset[str] = frozenset()

    async def districts(self) -> list[str]:
        """See `overview.districts`. Raises clickhouse-driver's errors and OSError while ClickHouse is away."""
        known = await self._answers.ask((), overview.districts)
        self._last = frozenset(known)
        return known

    async def knows(self, district: str) -> bool:
        """Whether it has numbers; one that was read last needs no ClickHouse."""
        return district in self._last or district in await self.districts()


def application(
    hub: Hub, register: KnownDistricts, metrics: PageMetrics, token: str = "", hosts: frozenset[str] = frozenset()
) -> web.Application:
    """`token` '' lets everybody in, which is for this machine only; with one, its sign of life may be asked for by `hosts` too."""
    routes = [web.get("/districts", _districts(register)), web.get("/live", _live(hub, register, metrics))]
    return site("page", routes, token, hosts if token else frozenset())


def _districts(register: KnownDistricts) -> Handler:
    async def districts(_: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await register.districts())
        except AWAY as failure:
            raise away() from failure

    return districts


def _live(hub: Hub, register: KnownDistricts, metrics: PageMetrics) -> Handler:
    async def live(request: web.Request) -> web.StreamResponse:
        view = await _view(request, register)
        try:
            with hub.watching(view) as channel:
                return await _stream(request, channel)
        except Full as full:
            metrics.refused(RefusedViewer.FULL)
            raise web.HTTPServiceUnavailable(text=f"{full}: try again later\n", headers={"Retry-After": "30"}) from full

    return live


async def _stream(request: web.Request, channel: Broadcast) -> web.StreamResponse:
    """Tell what is new until the viewer has gone."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    seen = sent = 0
    try:
        await response.prepare(request)
        while True:
            try:
                news = await asyncio.wait_for(channel.next(seen), KEEP_ALIVE_S)
            except TimeoutError:
                news = channel.news  # sent again, so that a browser can tell silence from a broken line
            message = f"event: state\ndata: {news.state}\n\n" if news.state else ": reading\n\n"
            if news.content_edition > sent:
                message = f"event: numbers\ndata: {news.content}\n\n{message}"
            seen, sent = news.edition, news.content_edition
            async with asyncio.timeout(TAKEN_WITHIN_S):
                await response.write(message.encode())
    except (ConnectionResetError, ClientConnectionResetError):
        return response
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()  # what waits in it is for nobody
        return response


async def _view(request: web.Request, register: KnownDistricts) -> View:
    district, window = request.query.get("district", ""), request.query.get("window", "24h")
    if window not in WINDOWS:
        raise web.HTTPBadRequest(text=f"window is one of {', '.join(WINDOWS)}\n")
    try:
        is_known = await register.knows(district)
    except AWAY as failure:
        raise away() from failure
    if not is_known:
        raise web.HTTPNotFound(text="district is one of /districts\n")
    return View(district, window)
