"""One HTTP request and its response, as the thread that works on it sees them: plain calls that block.

The event loop owns the connection; the engine's calls block. Each request is worked on in a thread of its own, and every
piece of body crosses between the two here, one at a time, so that nothing piles up in between.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from typing import Any

import lz4.frame
from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError
from aiohttp.web_protocol import RequestPayloadError

from deploy.embedded.clickhouse.failure import refused
from deploy.embedded.clickhouse.frame import unpacked
from deploy.embedded.clickhouse.wire import ProtocolError
from events.exit_code import ExitCode

PIECE_TIMEOUT_S = 300
KNOWN_ENCODINGS = ("", "identity", "gzip", "deflate", "br", "zstd")
NOT_IMPLEMENTED = 48
Receive = Callable[[], bytes]


class Gone(Exception):
    """The client is not there any more, or does not move."""

    exit_code = ExitCode.MISTAKE


class Exchange:
    """Made in the event loop; used from one other thread."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.response: web.StreamResponse | None = None
        self._loop = asyncio.get_running_loop()
        self._pending: Future[Any] | None = None
        self._gone = False

    def receive(self) -> bytes:
        """The next piece of the body, empty at its end."""
        return bytes(self._run(self.request.content.readany()))

    def form(self) -> dict[str, bytes]:
        """The fields of a multipart body."""
        return dict(self._run(self._form()))

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.response = web.StreamResponse(status=status, headers=headers)
        self._run(self.response.prepare(self.request))

    def send(self, data: bytes) -> None:
        if self.response is None:
            raise RuntimeError("a body before its head")
        self._run(self.response.write(data))

    def break_off(self) -> None:
        """Ends the connection without the proper end of the body, so that the client sees that it is not whole."""
        if self.request.transport:
            self._loop.call_soon_threadsafe(self.request.transport.abort)

    def give_up(self) -> None:
        """From the event loop: the client is gone, and whoever waits for it need not."""
        self._gone = True
        if self._pending:
            self._pending.cancel()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._gone:
            work.close()
            raise Gone
        self._pending = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return self._pending.result(PIECE_TIMEOUT_S)
        except (RequestPayloadError, ContentEncodingError) as error:
            raise ProtocolError(f"the body cannot be decoded: {error}") from error
        except (CancelledError, TimeoutError, ConnectionError, web.HTTPException) as error:
            raise Gone from error

    async def _form(self) -> dict[str, bytes]:
        reader = await self.request.multipart()
        fields: dict[str, bytes] = {}
        while (part := await reader.next()) is not None:
            fields[getattr(part, "name", "") or ""] = bytes(await part.read())  # type: ignore[union-attr]  # nested multiparts have no read; none are sent
        return fields


def decoded(receive: Receive, encoding: str) -> Receive:
    """The plain bytes of a body in a Content-Encoding; aiohttp has undone those that it knows. Failure for one that nobody knows."""
    if encoding.lower() == "lz4":
        return unpacked_lz4(receive)
    if encoding.lower() not in KNOWN_ENCODINGS:
        raise refused(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", f"Unknown Content-Encoding: {encoding}")
    return receive


def unpacked_lz4(receive: Receive) -> Receive:
    decompressor = lz4.frame.LZ4FrameDecompressor()

    def next_piece() -> bytes:
        plain = b""
        while not plain and not decompressor.eof:
            piece = receive()
            if not piece:
                raise ProtocolError("the body ends within an LZ4 frame")
            try:
                plain = decompressor.decompress(piece)
            except RuntimeError as error:
                raise ProtocolError(f"the body is not LZ4: {error}") from error
        return plain

    return next_piece


def unframed(receive: Receive) -> Receive:
    """The plain bytes of a body made of the native protocol's compressed frames."""
    rest = bytearray()

    def read(count: int) -> bytes:
        while len(rest) < count:
            piece = receive()
            if not piece:
                raise EOFError("the body ends within a compressed frame")
            rest.extend(piece)
        taken = bytes(rest[:count])
        del rest[:count]
        return taken

    def next_frame() -> bytes:
        if not rest:
            rest.extend(receive())
        return unpacked(read) if rest else b""

    return next_frame
