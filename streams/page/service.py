"""The page as a process: listens until SIGTERM or SIGINT, then lets go of every viewer."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from streams.clock import WallClock
from streams.directory import directory_of
from streams.http.application import answer
from streams.http.host import is_loopback
from streams.page.hub import Hub
from streams.page.public import Library, public_application
from streams.page.reading import Reader
from streams.page.server import application
from streams.settings import Settings
from streams.warehouse import clickhouse_of


class NeedsToken(Exception):
    """Whoever can reach another address than this machine's own could read the numbers."""


def run_page(settings: Settings, say: Callable[[str], None], *, public: bool = False) -> int:
    """Serve until told to stop; `say` hears the address once it is open. Raises `NeedsToken`, or OSError where the port is taken.

    The public page holds what anybody may know, and needs no token anywhere; where one is set it asks for it all the same.
    """
    if not public and not settings.page_token.get_secret_value() and not is_loopback(settings.page_host):
        raise NeedsToken(f"{settings.page_host} can be reached from elsewhere: set FRONTDESK_PAGE_TOKEN, or listen on 127.0.0.1")
    return asyncio.run(_run(settings, say, public=public))


async def _run(settings: Settings, say: Callable[[str], None], *, public: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ends: set[asyncio.Task[Any]] = {asyncio.create_task(stop.wait())}
    async with AsyncExitStack() as stack:
        if public:
            port = await serve_public_page(stack, settings)
        else:
            hub, port = await serve_page(stack, settings)
            ends.add(asyncio.create_task(hub.failure()))
        say(f"http://{_in_address(settings.page_host)}:{port}/")
        ended, others = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
        for task in others:
            task.cancel()
    return 0


async def serve_page(stack: AsyncExitStack, settings: Settings) -> tuple[Hub, int]:
    """Answer until the stack unwinds; returns who reads, and the port."""
    server, directory, clock = clickhouse_of(settings), directory_of(settings), WallClock()
    hub = Hub(lambda view: Reader(view, server, directory, clock), clock, settings.stale_after_s)
    app = application(hub, server, settings.page_token.get_secret_value(), settings.allowed_hosts)
    stack.push_async_callback(hub.close)
    return hub, await answer(stack, app, settings.page_port, settings.page_host)


async def serve_public_page(stack: AsyncExitStack, settings: Settings) -> int:
    """Answer with what is public until the stack unwinds; returns the port."""
    app = public_application(Library(clickhouse_of(settings), WallClock()), settings.page_token.get_secret_value(), settings.allowed_hosts)
    return await answer(stack, app, settings.page_port, settings.page_host)


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
