"""What the server says in the native protocol.

Packet layouts: https://clickhouse.com/docs/native-protocol/server; which field belongs to which revision is in
clickhouse-driver's `defines.py`.
"""

import socket
from collections.abc import Callable, Mapping, Sequence

from deploy.embedded.clickhouse.block import BLOCK_INFO, BlockColumn, empty_block
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.frame import packed
from deploy.embedded.clickhouse.request import REVISION
from deploy.embedded.clickhouse.wire import int32, string, varint

HELLO, DATA, EXCEPTION, PROGRESS, PONG, END_OF_STREAM, PROFILE_INFO = range(7)
DISPLAY = "Frontdesk embedded ClickHouse"


class ReplyWriter:
    """Writes packets to one client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.compressed = False

    def hello(self, version: Sequence[int]) -> None:
        major, minor, patch = version
        numbers = (varint(major), varint(minor), varint(REVISION))
        self._send(varint(HELLO), string("ClickHouse"), *numbers, string("UTC"), string(DISPLAY), varint(patch))

    def pong(self) -> None:
        self._send(varint(PONG))

    def exception(self, failure: Failure) -> None:
        text = string(f"DB::Exception: {failure.text}")
        self._send(varint(EXCEPTION), int32(failure.code), string("DB::Exception"), text, string(""), b"\0")

    def header(self, columns: Sequence[BlockColumn]) -> None:
        self.block(empty_block(columns))

    def block(self, block: bytes) -> None:
        self.block_in_pieces()(block)

    def block_in_pieces(self) -> Callable[[bytes], None]:
        """What takes the pieces of one block and sends each at once, so that a large block is never held whole."""
        head, info = varint(DATA) + string(""), BLOCK_INFO

        def write(piece: bytes) -> None:
            nonlocal head, info
            body = info + piece
            self._send(head, packed(body) if self.compressed else body)
            head = info = b""

        return write

    def progress(self, increment: Mapping[str, int]) -> None:
        """What has been read and written since the last packet."""
        names = ("read_rows", "read_bytes", "total_rows_to_read", "written_rows", "written_bytes")
        self._send(varint(PROGRESS), *(varint(increment.get(name, 0)) for name in names))

    def profile(self, rows: int, blocks: int, size: int, rows_before_limit: int) -> None:
        self._send(varint(PROFILE_INFO), varint(rows), varint(blocks), varint(size), b"\0", varint(rows_before_limit), b"\1")

    def end(self) -> None:
        self._send(varint(END_OF_STREAM))

    def _send(self, *fields: bytes) -> None:
        self.sock.sendall(b"".join(fields))
