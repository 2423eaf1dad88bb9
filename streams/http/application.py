"""An application of aiohttp behind the policy of all doors."""

from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.http.policy import Policy

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: it is kept nowhere, and no other site's page may make anything of it."""


def application(
    policy: Policy,
    routes: Iterable[web.AbstractRouteDef],
    *,
    credential: Middleware | None = None,
    free: frozenset[str] = frozenset(),
) -> web.Application:
    """Answers by these routes whom the policy lets in and, but for the paths in `free`, the `credential` where there is one."""
    app = web.Application(middlewares=[_guarded(policy, lambda path: credential is not None and path not in free)])
    if credential is not None:
        app.middlewares.append(_but_for(free, credential))
    app.on_response_prepare.append(_add_headers)
    app.add_routes(routes)
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _guarded(policy: Policy, asks: Callable[[str], bool]) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        objection = policy.objection(request, credential=asks(request.path))
        if objection is not None:
            return web.Response(text=f"{objection.detail}\n", status=objection.status)
        return await handler(request)

    return guard


def _but_for(free: frozenset[str], credential: Middleware) -> Middleware:
    @web.middleware
    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request) if request.path in free else await credential(request, handler)

    return ask
