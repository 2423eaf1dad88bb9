"""What the server says in the native protocol, at the revision that both sides speak.

Packet layouts: https://clickhouse.com/docs/native-protocol/server; which field belongs to which revision is in
clickhouse-driver's `defines.py`.
"""

import socket
from collections.abc import Callable, Mapping, Sequence

from deploy.embedded.clickhouse.block import BLOCK_INFO, BlockColumn, empty_block
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.frame import packed
from deploy.embedded.clickhouse.wire import int32, string, varint

REVISION = 54460  # the newest that clickhouse-go speaks; the driver speaks it too
HELLO, DATA, EXCEPTION, PROGRESS, PONG, END_OF_STREAM, PROFILE_INFO, PROFILE_EVENTS = 0, 1, 2, 3, 4, 5, 6, 14

SERVER_TIMEZONE = 54058
DISPLAY_NAME = 54372
VERSION_PATCH = 54401
CLIENT_WRITE_INFO = 54420
CUSTOM_SERIALIZATION = 54454
PROFILE_EVENTS_IN_INSERT = 54456
QUERY_TIME_IN_PROGRESS = 54460
DISPLAY = "Frontdesk embedded ClickHouse"


class ReplyWriter:
    """Writes packets to one client."""

    def __init__(self, sock: socket.socket, revision: int) -> None:
        self.sock = sock
        self.revision = revision
        self.compressed = False
        self.marked = revision >= CUSTOM_SERIALIZATION

    def hello(self, version: Sequence[int]) -> None:
        major, minor, patch = version
        fields = [varint(HELLO), string("ClickHouse"), varint(major), varint(minor), varint(REVISION)]
        if self.revision >= SERVER_TIMEZONE:
            fields.append(string("UTC"))
        if self.revision >= DISPLAY_NAME:
            fields.append(string(DISPLAY))
        if self.revision >= VERSION_PATCH:
            fields.append(varint(patch))
        self._send(*fields)

    def pong(self) -> None:
        self._send(varint(PONG))

    def exception(self, failure: Failure) -> None:
        text = string(f"DB::Exception: {failure.text}")
        self._send(varint(EXCEPTION), int32(failure.code), string("DB::Exception"), text, string(""), b"\0")

    def header(self, columns: Sequence[BlockColumn]) -> None:
        self.block(empty_block(columns, self.marked))

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

    def block_taken(self) -> None:
        """After each inserted block: from this revision on the client waits for a packet of profile events."""
        if self.revision >= PROFILE_EVENTS_IN_INSERT:
            self._send(varint(PROFILE_EVENTS), string(""), BLOCK_INFO, b"\0\0")

    def progress(self, increment: Mapping[str, int]) -> None:
        """What has been read and written since the last packet."""
        names = ["read_rows", "read_bytes", "total_rows_to_read"]
        if self.revision >= CLIENT_WRITE_INFO:
            names += ["written_rows", "written_bytes"]
        if self.revision >= QUERY_TIME_IN_PROGRESS:
            names += ["elapsed_ns"]
        self._send(varint(PROGRESS), *(varint(increment.get(name, 0)) for name in names))

    def profile(self, rows: int, blocks: int, size: int, rows_before_limit: int) -> None:
        self._send(varint(PROFILE_INFO), varint(rows), varint(blocks), varint(size), b"\0", varint(rows_before_limit), b"\1")

    def end(self) -> None:
        self._send(varint(END_OF_STREAM))

    def _send(self, *fields: bytes) -> None:
        self.sock.sendall(b"".join(fields))
