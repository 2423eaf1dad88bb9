"""What the live page and the public one have in common: headers, files, the sign of life, and the token at the door.

Nothing can be changed from here. With a token every request needs it: in the address of the page once (`?token=`), then in a
cookie that scripts cannot read, or as a bearer.
"""

import hmac
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.http import Policy, Tries, application, as_sent, client_of

STATIC: Final = Path(__file__).parent / "static"
COOKIE: Final = "frontdesk"
COOKIE_S: Final = 30 * 86_400
ENTRANCE: Final = "/"
ALIVE: Final = "/health/live"
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def site(name: str, routes: Iterable[web.AbstractRouteDef], token: str, hosts: frozenset[str] = frozenset()) -> web.Application:
    """The page of that name (`NAME.html` between the head and the tail of both, with `NAME.js`) at `/`, and these routes.

    `token` '' lets everybody in who asks for this machine or for `hosts`.
    """
    app = application(
        Policy(hosts, frozenset({ENTRANCE})),
        [web.get(ENTRANCE, _page(name)), *routes, web.get(ALIVE, _alive), web.static("/static", STATIC)],
        credential=_asking(token, Tries(time.monotonic)) if token else None,
        free=frozenset({ALIVE}),
    )
    app.on_response_prepare.append(_add_headers)
    return app


def away() -> web.HTTPServiceUnavailable:
    """What whoever asks is told while ClickHouse does not answer."""
    return web.HTTPServiceUnavailable(text="the database does not answer: try again later\n", headers={"Retry-After": "30"})


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _page(name: str) -> Handler:
    parts = ((STATIC / f"{part}.html").read_text(encoding="utf-8") for part in ("head", name, "tail"))
    whole = "".join(parts).replace("NAME", name)

    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text=whole, content_type="text/html", charset="utf-8")

    return page


async def _alive(_: web.Request) -> web.StreamResponse:
    return web.json_response({"live": True})


def _asking(token: str, tries: Tries) -> Middleware:
    @web.middleware
    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        client = client_of(request)
        if wait_s := tries.wait_s(client):
            raise web.HTTPTooManyRequests(text="too many wrong tokens: try again later\n", headers={"Retry-After": str(wait_s)})
        given = _given(request)
        if not _same(given, token):
            if given:
                tries.failed(client, given)
            raise web.HTTPUnauthorized(text="this page needs its token: open it with ?token=...\n", headers={"WWW-Authenticate": "Bearer"})
        tries.succeeded(client)
        if request.path == ENTRANCE and "token" in request.query:
            raise _without_token(request, token)
        return await handler(request)

    return ask


def _given(request: web.Request) -> str:
    """The token as one tells it: what was typed counts before what was kept."""
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return (request.query.get("token", "") if request.path == ENTRANCE else "") or bearer or request.cookies.get(COOKIE, "")


def _without_token(request: web.Request, token: str) -> web.HTTPSeeOther:
    """The same page, from now on by the cookie: also for who comes by a link, and over TLS only where it came so, if to a proxy."""
    kept = web.HTTPSeeOther(str(request.rel_url.without_query_params("token")))
    is_secure = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    kept.set_cookie(COOKIE, token, max_age=COOKIE_S, httponly=True, samesite="Lax", secure=is_secure)
    return kept


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(as_sent(given), token.encode())
