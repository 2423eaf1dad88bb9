"""What the live page and the public one have in common: headers, files, the sign of life, and the token at the door.

Nothing can be changed from here. With a token every request needs it: in the address once (`?token=`), then in a cookie that
scripts cannot read, or as a bearer.
"""

import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.header import as_sent

STATIC: Final = Path(__file__).parent / "static"
COOKIE: Final = "frontdesk"
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def site(page: str, routes: Iterable[web.AbstractRouteDef], token: str) -> web.Application:
    """`page` of the static files at `/`, and these routes. `token` '' lets everybody in."""
    app = web.Application(middlewares=[_guarded(token)] if token else [])
    app.on_response_prepare.append(_add_headers)
    app.add_routes([web.get("/", _file(page)), *routes, web.get("/health/live", _alive), web.static("/static", STATIC)])
    return app


def away() -> web.HTTPServiceUnavailable:
    """What whoever asks is told while ClickHouse does not answer."""
    return web.HTTPServiceUnavailable(text="the database does not answer: try again later\n", headers={"Retry-After": "30"})


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _file(name: str) -> Handler:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / name, headers={"Content-Type": "text/html; charset=utf-8"})

    return page


async def _alive(_: web.Request) -> web.StreamResponse:
    return web.json_response({"live": True})


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
    return hmac.compare_digest(as_sent(given), token.encode())
