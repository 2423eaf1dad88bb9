"""The page over HTTP: what stands in `static`, the list of districts, and one stream of events for each viewer.

Nothing can be changed from here. Where it listens beyond this machine every request needs the token: in the address once
(`?token=`), then in a cookie that scripts cannot read, or as a bearer.
"""

import asyncio
import hmac
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError
from aiohttp.typedefs import Handler, Middleware

from sinks.clickhouse import overview
from sinks.clickhouse.connection import ClickHouse
from streams.page.hub import Hub
from streams.page.reading import WINDOWS, View

STATIC: Final = Path(__file__).parent / "static"
COOKIE: Final = "frontdesk"
KEEP_ALIVE_S: Final = 15.0
MOST_VIEWERS: Final = 2_000
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def application(hub: Hub, server: ClickHouse, token: str = "") -> web.Application:
    """`token` '' lets everybody in, which is for this machine only."""
    app = web.Application(middlewares=[_guarded(token)] if token else [])
    app.on_response_prepare.append(_add_headers)
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/districts", _districts(server)),
            web.get("/live", _live(hub)),
            web.get("/health/live", _alive),
            web.static("/static", STATIC),
        ]
    )
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


async def _page(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / "page.html", headers={"Content-Type": "text/html; charset=utf-8"})


async def _alive(_: web.Request) -> web.StreamResponse:
    return web.json_response({"live": True})


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


def _guarded(token: str) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/health/live":
            return await handler(request)
        asked = request.query.get("token", "")
        if asked and _same(asked, token):
            answer = web.HTTPSeeOther(str(request.rel_url.update_query({}).without_query_params("token")))
            answer.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
            raise answer
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not (_same(request.cookies.get(COOKIE, ""), token) or _same(bearer, token)):
            raise web.HTTPUnauthorized(text="this page needs its token: open it with ?token=...\n", headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return guard


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())
