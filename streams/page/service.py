"""The page as a process: listens until SIGTERM or SIGINT, then lets go of every viewer."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

from streams.clock import WallClock
from streams.directory import directory_of
from streams.http_site import answer
from streams.loopback import is_loopback
from streams.page.hub import Hub
from streams.page.reading import Reader
from streams.page.server import application
from streams.settings import Settings
from streams.warehouse import clickhouse_of


class NeedsToken(Exception):
    """Whoever can reach another address than this machine's own could read the numbers."""


def run_page(settings: Settings, say: Callable[[str], None]) -> int:
    """Serve until told to stop; `say` hears the address once it is open. Raises `NeedsToken`, or OSError where the port is taken."""
    if not settings.page_token.get_secret_value() and not is_loopback(settings.page_host):
        raise NeedsToken(f"{settings.page_host} can be reached from elsewhere: set FRONTDESK_PAGE_TOKEN, or listen on 127.0.0.1")
    return asyncio.run(_run(settings, say))


async def _run(settings: Settings, say: Callable[[str], None]) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        hub, port = await serve_page(stack, settings)
        say(f"http://{_in_address(settings.page_host)}:{port}/")
        stopped, failed = asyncio.create_task(stop.wait()), asyncio.create_task(hub.failure())
        await asyncio.wait({stopped, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        failed.cancel()
    return 0


async def serve_page(stack: AsyncExitStack, settings: Settings) -> tuple[Hub, int]:
    """Answer until the stack unwinds; returns who reads, and the port."""
    server, directory, clock = clickhouse_of(settings), directory_of(settings), WallClock()
    hub = Hub(lambda view: Reader(view, server, directory, clock), clock, settings.stale_after_s)
    app = application(hub, server, settings.page_token.get_secret_value())
    stack.push_async_callback(hub.close)
    return hub, await answer(stack, app, settings.page_port, settings.page_host)


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
