"""An application of aiohttp at an address of this process, until whoever started it is done.

What strangers can hold is bounded: so many connections, and none that is silent for long. Who comes beyond that is told
to come again, before a byte of what it says is read.
"""

import asyncio
import resource
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

MOST_CONNECTIONS: Final = 200
SILENT_S: Final = 20.0
"""After which a connection without a request under way is closed."""
LINGER_S: Final = 2.0
MOST_TURNED_AWAY: Final = 50
"""At a time, that there are too many; further ones are cut off."""
OTHER_FILES: Final = 100
"""That the process holds beside these connections."""
CROWDED: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def answer(
    stack: AsyncExitStack,
    app: web.Application,
    port: int,
    host: str = "127.0.0.1",
    *,
    most_connections: int = MOST_CONNECTIONS,
    crowded: Callable[[], None] = lambda: None,
) -> int:
    """Answer until the stack unwinds; returns the port (0 lets the system choose). Raises OSError where it is taken.

    `crowded` hears of each connection that is one too many. A request whose client has gone is cancelled.
    """
    most = _that_the_system_allows(most_connections)
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        handler_cancellation=True,
        shutdown_timeout=1.0,
        keepalive_timeout=SILENT_S,
        lingering_time=LINGER_S,
    )
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    server = runner.server
    assert server is not None, "the runner is set up"  # noqa: S101 - for the type

    turned_away: set[asyncio.Transport] = set()

    def connection() -> asyncio.Protocol:
        if len(server.connections) < most:
            return server()
        crowded()
        return _Crowded(turned_away)

    listening = await asyncio.get_running_loop().create_server(connection, host, port)
    stack.callback(listening.close)
    return int(listening.sockets[0].getsockname()[1])


def _that_the_system_allows(connections: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(connections, soft - OTHER_FILES)


class _Crowded(asyncio.Protocol):
    """Tells a client that there are too many, and lets it read that: a connection that is closed while it sends is reset."""

    def __init__(self, turned_away: set[asyncio.Transport]) -> None:
        """`turned_away` are those that are being told."""
        self._turned_away = turned_away

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type
        self._transport = transport
        if len(self._turned_away) >= MOST_TURNED_AWAY:
            transport.abort()
            return
        self._turned_away.add(transport)
        transport.write(CROWDED)
        transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._turned_away.discard(self._transport)
