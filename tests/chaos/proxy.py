"""A TCP proxy that injects faults between a client and a real server on this machine: down, silent, slow, and worse.

`ClickHouseProxy` knows an INSERT of the native protocol when it sees one: it can lose the answer after the rows have landed,
or answer with an exception of its own. `KafkaProxy` knows requests from their answers and delays those of chosen kinds.
The proxy runs in a thread of its own; it is a context manager for synchronous tests, and every fault is set from outside.
`seen` counts what was really done, so that a test can say that its fault happened.
"""

import asyncio
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Protocol, Self

HOST: Final = "127.0.0.1"
CHUNK_BYTES: Final = 1 << 16
WAITING_PIECES: Final = 256
"""In each direction; a sender that is further ahead has to wait, as on a real line."""
CONNECT_S: Final = 5.0

OFFSET_FETCH: Final = 9
"""Kafka's API key of the question for a group's committed offsets."""


@dataclass
class Seen:
    """What the proxy has done so far. `inserts` were acknowledged to the client, by table in `tables`."""

    connections: int = 0
    refused: int = 0
    inserts: int = 0
    lost_replies: int = 0
    answers: int = 0
    delayed: int = 0
    tables: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Verdict:
    """What becomes of some bytes: sent `onward`, answered with `back`, or the line is cut; `late_s` adds to the latency."""

    onward: bytes = b""
    back: bytes = b""
    cut: bool = False
    late_s: float = 0.0


class Conversation(Protocol):
    """One connection, as far as its protocol is understood."""

    def pieces(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """What belongs together, in order, until the line ends."""

    def from_client(self, piece: bytes) -> Verdict: ...
    def from_server(self, piece: bytes) -> Verdict: ...


class Opaque:
    """A connection of which nothing is understood."""

    async def pieces(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while piece := await reader.read(CHUNK_BYTES):
            yield piece

    def from_client(self, piece: bytes) -> Verdict:
        return Verdict(onward=piece)

    def from_server(self, piece: bytes) -> Verdict:
        return Verdict(onward=piece)


class Proxy:
    """ForwardedRecords connections on `port` to `target_port`, both on the loopback address, until told otherwise.

    `target_port` may be set later, and changed: it counts for connections from then on.
    """

    def __init__(self, target_port: int = 0) -> None:
        self.target_port = target_port
        self.port = 0
        self.seen = Seen()
        self._delay_s = 0.0
        self._refusing = False
        self._lines: set[asyncio.Task[Any]] = set()
        self._mistakes: list[BaseException] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy", daemon=True)
        self._started = threading.Event()

    # -- faults -------------------------------------------------------------------------------------------------------
    def refuse(self) -> None:
        """Down: connections are cut, new ones are reset."""

        def begin() -> None:
            self._refusing = True
            self._cut_all()

        self._in_loop(begin)

    def hold(self) -> None:
        """Silent: connections are taken and nothing is forwarded, until `restore` sends all of it on."""
        self._in_loop(self._flowing.clear)

    def delay(self, seconds: float) -> None:
        """Slow: so much latency each way."""
        self._delay_s = seconds

    def cut(self) -> None:
        """Cut the connections that there are; new ones are welcome."""
        self._in_loop(self._cut_all)

    def restore(self) -> None:
        """Forward everything again."""

        def end() -> None:
            self._refusing = False
            self._delay_s = 0.0
            self._flowing.set()
            self._forget_faults()

        self._in_loop(end)

    def _forget_faults(self) -> None:
        """What a kind of proxy adds."""

    def _conversation(self) -> Conversation:
        return Opaque()

    # -- the thread ---------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._in_loop(self._ended.set)
        self._thread.join()
        for mistake in self._mistakes:
            raise mistake

    def _in_loop(self, work: Callable[[], None]) -> None:
        """Do it between two steps of the loop, and wait until it is done."""

        async def done() -> None:
            work()

        asyncio.run_coroutine_threadsafe(done(), self._loop).result()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()
        self._cut_all()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            self.seen.refused += 1
            _reset(writer)
            return
        self.seen.connections += 1
        line = asyncio.current_task()
        if line is not None:
            self._lines.add(line)
            line.add_done_callback(self._lines.discard)
        try:
            await self._forward(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # a line that ends, breaks or is cut is what a proxy is for
        except BaseException as mistake:  # noqa: BLE001 - asyncio would only log it; whoever leaves the proxy gets it
            self._mistakes.append(mistake)
        _reset(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(CONNECT_S):
            server_reader, server_writer = await asyncio.open_connection(HOST, self.target_port)
        conversation = self._conversation()
        up, down = Direction(server_writer), Direction(writer)
        tasks = [
            asyncio.create_task(self._listen(conversation.pieces(reader), conversation.from_client, up, down)),
            asyncio.create_task(self._listen(conversation.pieces(server_reader), conversation.from_server, down, up)),
            asyncio.create_task(up.send(self._flowing)),
            asyncio.create_task(down.send(self._flowing)),
        ]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            _reset(server_writer)

    async def _listen(
        self, pieces: AsyncIterator[bytes], judge: Callable[[bytes], Verdict], onward: "Direction", back: "Direction"
    ) -> None:
        with suppress(OSError):  # the end of this direction, like any other
            async for piece in pieces:
                verdict = judge(piece)
                due = self._loop.time() + self._delay_s + verdict.late_s
                await onward.put(verdict.onward, due)
                await back.put(verdict.back, due)
                if verdict.cut:
                    break
        await onward.end()

    def _cut_all(self) -> None:
        for line in self._lines:
            line.cancel()


class Direction:
    """What is on its way to one side: pieces with the time at which they are due there."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._queue: asyncio.Queue[tuple[bytes, float] | None] = asyncio.Queue(WAITING_PIECES)

    async def put(self, piece: bytes, due: float) -> None:
        if piece:
            await self._queue.put((piece, due))

    async def end(self) -> None:
        await self._queue.put(None)

    async def send(self, flowing: asyncio.Event) -> None:
        """Nothing while the proxy is held. Raises EOFError when all is sent, OSError when the other side is gone."""
        loop = asyncio.get_running_loop()
        while (waiting := await self._queue.get()) is not None:
            piece, due = waiting
            await asyncio.sleep(max(0.0, due - loop.time()))
            await flowing.wait()
            self._writer.write(piece)
            await self._writer.drain()
        raise EOFError


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close, and take what was not delivered along, as a server that dies does."""
    if writer.transport.get_write_buffer_size():
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()


# -- ClickHouse -----------------------------------------------------------------------------------------------------------
QUERY, DATA, EXCEPTION, END_OF_STREAM = 1, 2, 2, 5
NO_QUOTA_KEY: Final = 0
"""A client's last word of the greeting, which comes with its first query: an empty string."""
INSERT: Final = re.compile(rb"INSERT INTO `?([\w.]+)")


class ClickHouseProxy(Proxy):
    """Before a server that speaks the native protocol without compression, as the embedded one does with our client."""

    def __init__(self, target_port: int = 0) -> None:
        super().__init__(target_port)
        self._losing = 0
        self._answering: tuple[int, str] | None = None
        self._answers_left: int | None = None

    def lose_replies(self, count: int = 1) -> None:
        """The next `count` INSERTs reach the server whole, but the reply is dropped and the connection cut."""
        self._losing = count

    def answer(self, code: int, name: str, count: int | None = None) -> None:
        """INSERTs do not reach the server: they are answered with this exception, `count` of them or all until `restore`."""
        self._answering, self._answers_left = (code, name), count

    def _forget_faults(self) -> None:
        self._losing, self._answering, self._answers_left = 0, None, None

    def _conversation(self) -> Conversation:
        return _Native(self)

    def exception(self) -> bytes | None:
        """The packet to answer the INSERT at hand with, if it is to be answered."""
        if self._answering is None or self._answers_left == 0:
            return None
        if self._answers_left is not None:
            self._answers_left -= 1
        self.seen.answers += 1
        code, name = self._answering
        text = (b"DB::Exception", f"DB::Exception: injected ({name})".encode(), b"")
        return struct.pack("<Bi", EXCEPTION, code) + b"".join(_varint(len(part)) + part for part in text) + b"\0"

    def loses(self) -> bool:
        """Whether the reply at hand is to be lost."""
        if not self._losing:
            return False
        self._losing -= 1
        self.seen.lost_replies += 1
        return True


class _Native(Opaque):
    """Follows a connection as far as to know when an INSERT begins and when it is acknowledged.

    A client says nothing before the server has answered, so a query begins a piece; the acknowledgement is the last byte of one.
    """

    def __init__(self, proxy: ClickHouseProxy) -> None:
        self._proxy = proxy
        self._table = ""
        self._refused = False

    def from_client(self, piece: bytes) -> Verdict:
        if self._table:
            return Verdict(onward=piece)
        if self._refused and piece[0] == DATA:  # the empty block that follows every query
            return Verdict()
        self._refused = False
        found = INSERT.search(piece) if piece[0] in {NO_QUOTA_KEY, QUERY} else None
        if found is None:
            return Verdict(onward=piece)
        exception = self._proxy.exception()
        if exception is not None:
            self._refused = True
            return Verdict(onward=piece[:1] if piece[0] == NO_QUOTA_KEY else b"", back=exception)
        self._table = found[1].decode()
        return Verdict(onward=piece)

    def from_server(self, piece: bytes) -> Verdict:
        if self._table and piece[0] == EXCEPTION:
            self._table = ""
        if not self._table or piece[-1] != END_OF_STREAM:
            return Verdict(onward=piece)
        if self._proxy.loses():
            return Verdict(cut=True)
        self._proxy.seen.inserts += 1
        self._proxy.seen.tables[self._table] += 1
        self._table = ""
        return Verdict(onward=piece)


def _varint(number: int) -> bytes:
    """Seven bits a byte, least first."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


# -- Kafka ----------------------------------------------------------------------------------------------------------------
class KafkaProxy(Proxy):
    """Before a broker that advertises the proxy's port (`Kafka(..., advertised=proxy.port)`)."""

    def __init__(self, target_port: int = 0) -> None:
        super().__init__(target_port)
        self._late: Collection[int] = ()
        self._seconds: Callable[[], float] = float

    def delay_responses(self, seconds: float | Callable[[], float], keys: Collection[int] = (OFFSET_FETCH,)) -> None:
        """Answers to requests with these API keys come later by so much; `seconds` may be drawn anew for each."""
        self._seconds = seconds if callable(seconds) else lambda: seconds
        self._late = frozenset(keys)

    def _forget_faults(self) -> None:
        self._late = ()

    def _conversation(self) -> Conversation:
        return _Frames(self)

    def late_s(self, key: int | None) -> float:
        """By how much the answer to a request with that API key is to be late."""
        if key not in self._late:
            return 0.0
        self.seen.delayed += 1
        return self._seconds()


class _Frames:
    """Requests and answers, each with its length before it; an answer bears the number of its request."""

    def __init__(self, proxy: KafkaProxy) -> None:
        self._proxy = proxy
        self._asked: dict[int, int] = {}

    async def pieces(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        with suppress(asyncio.IncompleteReadError):
            while True:
                size = await reader.readexactly(4)
                yield size + await reader.readexactly(int.from_bytes(size))

    def from_client(self, piece: bytes) -> Verdict:
        key, _, number = struct.unpack_from(">hhi", piece, 4)
        self._asked[number] = key
        return Verdict(onward=piece)

    def from_server(self, piece: bytes) -> Verdict:
        (number,) = struct.unpack_from(">i", piece, 4)
        return Verdict(onward=piece, late_s=self._proxy.late_s(self._asked.pop(number, None)))
