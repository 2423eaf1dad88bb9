"""aiohttp's low-level server with bounds: on connections, on how long one may be silent, and on what its errors say.

A connection that does not bring the head of a request in time is closed by aiohttp's keep-alive timer, which runs from
the first moment; so clients that send one byte a second hold nothing but a socket, and that not for long. What a refused
client still sends is dropped without being parsed.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from streams.intake.problem import Problem, Refusal

MOST_CONNECTIONS: Final = 800
SILENT_S: Final = 15.0
LINGER_S: Final = 2.0
LINGER_BYTES: Final = 4 << 20
READ_BYTES: Final = 64 * 1024
LARGEST_HEADER: Final = 8 * 1024

Refused = Callable[[web.BaseRequest, Problem], web.Response]


class HttpConnection(RequestHandler):
    """One client. What is no HTTP is refused like everything else, and its bytes are logged nowhere."""

    def __init__(self, server: "HttpServer", *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server, loop=loop, **options)
        self._refused = server.refused
        self._gone = loop.create_future()
        self._droppable_bytes: int | None = None

    def data_received(self, data: bytes) -> None:
        if self._droppable_bytes is None:
            super().data_received(data)
            return
        self._droppable_bytes -= len(data)
        if self._droppable_bytes < 0:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._gone.set_result(None)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        if not (resp.keep_alive or request.content.is_eof()):
            await self._drop_the_rest()
        return finished

    async def _drop_the_rest(self) -> None:
        """Let the client read its answer: a connection that is closed while it sends is reset, and what it was told is lost."""
        if self.transport is not None and not self.transport.is_closing():
            self._droppable_bytes = LINGER_BYTES
            self.transport.write_eof()
            self.resume_reading(resume_parser=False)
            await asyncio.wait([self._gone], timeout=LINGER_S)
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request
    ) -> web.StreamResponse:
        if request.writer.output_size > 0 or isinstance(exc, OSError):
            raise ConnectionError("the client has gone, or has a part of its answer")
        refusal = Refusal.UNREADABLE if status < 500 else Refusal.MISTAKE  # noqa: PLR2004 - HTTP's own border
        return self._refused(request, Problem(refusal, "this is no request of HTTP", closes=True))


class HttpServer(web.Server):
    """Makes connections, up to a number."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Any],
        refused: Refused,
        overcrowded: Callable[[], None],
        *,
        silent_s: float = SILENT_S,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        super().__init__(handler)
        self.refused = refused
        self._overcrowded = overcrowded
        self._silent_s = silent_s
        self._most_connections = most_connections

    def __call__(self) -> HttpConnection:
        return HttpConnection(
            self,
            loop=self._loop,
            keepalive_timeout=self._silent_s,
            lingering_time=LINGER_S,
            read_bufsize=READ_BYTES,
            max_line_size=LARGEST_HEADER,
            max_field_size=LARGEST_HEADER,
            auto_decompress=False,
            access_log=None,
        )

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > self._most_connections:
            self._overcrowded()
            transport.abort()
