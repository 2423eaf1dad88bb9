"""The page as a process: listens until SIGTERM or SIGINT, then lets go of every viewer."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from events.exit_code import ExitCode
from sinks.page_metrics import PageGauges, PageMetrics, RefusedViewer
from streams.clock import WallClock
from streams.directory import directory_of
from streams.host import is_loopback
from streams.http import Policy, answer
from streams.http import application as guarded
from streams.page.hub import MOST_VIEWERS, Hub
from streams.page.pool import ReadingPool
from streams.page.public import Library, public_application
from streams.page.reading import Reader
from streams.page.server import KnownDistricts, application
from streams.settings import Settings
from streams.warehouse import clickhouse_of

MOST_CONNECTIONS: Final = MOST_VIEWERS + 200
"""A viewer's stream is one; the others are for whoever comes."""
ANSWERED_WITHIN_S: Final = 15.0
"""A look at ClickHouse that takes longer has failed: somebody waits for it."""


class NeedsToken(Exception):
    """Whoever can reach another address than this machine's own could read the numbers."""

    exit_code = ExitCode.USAGE


def run_page(settings: Settings, announce: Callable[[str], None], *, public: bool = False) -> int:
    """Serve until told to stop; `announce` hears the address once it is open. Raises `NeedsToken`, or OSError where the port is taken.

    The public page holds what anybody may know, and needs no token anywhere; where one is set it asks for it all the same.
    """
    if not public and not settings.page_token.get_secret_value() and not is_loopback(settings.page_host):
        raise NeedsToken(f"{settings.page_host} can be reached from elsewhere: set FRONTDESK_PAGE_TOKEN, or listen on 127.0.0.1")
    return asyncio.run(_run(settings, announce, public=public))


async def _run(settings: Settings, announce: Callable[[str], None], *, public: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        port = await (serve_public_page if public else serve_page)(stack, settings)
        announce(f"http://{_in_address(settings.page_host)}:{port}/")
        await stop.wait()
    return 0


async def serve_page(stack: AsyncExitStack, settings: Settings) -> int:
    """Answer until the stack unwinds; returns the port."""
    metrics, clock = PageMetrics(CollectorRegistry()), WallClock()
    pool, directory = await _pool(stack, settings, metrics), directory_of(settings)
    hub = Hub(lambda view: Reader(view, directory.zone(view.district), clock), pool, clock, stale_after_s=settings.stale_after_s)
    stack.push_async_callback(hub.close)
    app = application(hub, KnownDistricts(pool, clock), metrics, settings.page_token.get_secret_value(), settings.allowed_hosts)
    await _expose(stack, settings, metrics, hub)
    return await _answer(stack, settings, app, metrics)


async def serve_public_page(stack: AsyncExitStack, settings: Settings) -> int:
    """Answer with what is public until the stack unwinds; returns the port."""
    metrics = PageMetrics(CollectorRegistry())
    library = Library(await _pool(stack, settings, metrics), WallClock())
    await _expose(stack, settings, metrics)
    return await _answer(
        stack, settings, public_application(library, settings.page_token.get_secret_value(), settings.allowed_hosts), metrics
    )


async def _pool(stack: AsyncExitStack, settings: Settings, metrics: PageMetrics) -> ReadingPool:
    pool = ReadingPool(replace(clickhouse_of(settings), receive_timeout_s=ANSWERED_WITHIN_S), metrics)
    stack.push_async_callback(pool.close)
    return pool


async def _answer(stack: AsyncExitStack, settings: Settings, app: web.Application, metrics: PageMetrics) -> int:
    return await answer(
        stack,
        app,
        settings.page_port,
        settings.page_host,
        most_connections=MOST_CONNECTIONS,
        crowded=lambda: metrics.refused(RefusedViewer.CROWDED),
    )


async def _expose(stack: AsyncExitStack, settings: Settings, metrics: PageMetrics, hub: Hub | None = None) -> None:
    """Answer `/metrics` at a port of its own, where the settings name one: the page's own may be open to people."""
    if not settings.metrics_port:
        return

    async def exposed(request: web.Request) -> web.StreamResponse:
        if hub is not None:
            metrics.set_gauges(PageGauges(hub.viewers, hub.views))
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics.registry), headers={"Content-Type": kind})

    app = guarded(Policy(settings.allowed_hosts), [web.get("/metrics", exposed)])
    await answer(stack, app, settings.metrics_port, settings.metrics_host)


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
