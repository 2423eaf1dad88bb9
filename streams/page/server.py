"""The live page over HTTP: the list of districts, and one stream of events for each viewer."""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError
from aiohttp.typedefs import Handler

from sinks.clickhouse import overview
from sinks.clickhouse.connection import ClickHouse
from streams.page.hub import Hub
from streams.page.reading import WINDOWS, View
from streams.page.site import site

KEEP_ALIVE_S: Final = 15.0
MOST_VIEWERS: Final = 2_000


def application(hub: Hub, server: ClickHouse, token: str = "", hosts: frozenset[str] = frozenset()) -> web.Application:
    """`token` '' lets everybody in, which is for this machine only; with one, its sign of life may be asked for by `hosts` too."""
    routes = [web.get("/districts", _districts(server)), web.get("/live", _live(hub))]
    return site("page.html", routes, token, hosts if token else frozenset())


def _districts(server: ClickHouse) -> Handler:
    def asked() -> list[str]:
        with server.connect() as client:
            return overview.districts(client)

    async def districts(_: web.Request) -> web.StreamResponse:
        return web.json_response(await asyncio.to_thread(asked))

    return districts


def _live(hub: Hub) -> Handler:
    async def live(request: web.Request) -> web.StreamResponse:
        view = _view(request)
        if hub.viewers >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text="too many viewers\n", headers={"Retry-After": "30"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        async with hub.watching(view) as channel:
            seen = told = 0
            while True:
                try:
                    news = await asyncio.wait_for(channel.next(seen), KEEP_ALIVE_S)
                except TimeoutError:
                    news = channel.news  # said again, so that a browser can tell silence from a broken line
                message = f"event: state\ndata: {news.state}\n\n" if news.state else ": reading\n\n"
                if news.content_edition > told:
                    message = f"event: numbers\ndata: {news.content}\n\n{message}"
                seen, told = news.edition, news.content_edition
                try:
                    await response.write(message.encode())
                except (ConnectionResetError, ClientConnectionResetError):
                    return response  # the viewer has gone

    return live


def _view(request: web.Request) -> View:
    district, window = request.query.get("district", ""), request.query.get("window", "24h")
    if window not in WINDOWS:
        raise web.HTTPBadRequest(text=f"window is one of {', '.join(WINDOWS)}\n")
    if not 1 <= len(district) <= 128:  # noqa: PLR2004 - as in the contract of an event
        raise web.HTTPBadRequest(text="district is the name of a district, as events give it\n")
    return View(district, window)
