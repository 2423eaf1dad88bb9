"""Readers of bytes that can hand on what they pass over.

The driver's C readers know how to step over columns quickly; the tape laid around them hands the bytes stepped over to a
callback, a buffer's length at a time, so that a block of any size goes through the door without standing in it.
"""

from collections.abc import Callable
from typing import Any

from clickhouse_driver.bufferedreader import BufferedReader, BufferedSocketReader, CompressedBufferedReader

BUFFER_BYTES = 1 << 20

Write = Callable[[bytes], None]


class Tape:
    """Mixed into a reader: everything read between `record` and `pause` goes to the callback, in order."""

    buffer: bytearray
    position: int
    current_buffer_size: int
    write: Write | None = None
    start = 0

    def record(self, write: Write) -> None:
        self.write = write
        self.start = self.position

    def pause(self) -> None:
        self._hand_on(self.position)
        self.write = None

    def skip(self, count: int) -> None:
        """Steps over `count` bytes."""
        while count > 0:
            if self.position == self.current_buffer_size:
                self.read_into_buffer()
                self.position = 0
            step = min(count, self.current_buffer_size - self.position)
            self.position += step
            count -= step

    def read_into_buffer(self) -> None:
        self._hand_on(self.current_buffer_size)
        self.start = 0
        super().read_into_buffer()  # type: ignore[misc]  # the C reader that this is mixed into
        if not self.current_buffer_size:
            raise EOFError

    def _hand_on(self, end: int) -> None:
        if self.write and end > self.start:
            with memoryview(self.buffer) as view:
                self.write(bytes(view[self.start : end]))


class SocketSource(Tape, BufferedSocketReader):  # type: ignore[misc]  # the driver publishes no types
    """The bytes of a socket."""


class FrameSource(Tape, CompressedBufferedReader):  # type: ignore[misc]  # the driver publishes no types
    """The plain bytes of compressed frames; `read_block` gives those of the next one."""


class MemorySource(Tape, BufferedReader):  # type: ignore[misc]  # the driver publishes no types
    """Bytes at hand."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self.buffer = bytearray(data)
        self.current_buffer_size = len(data)
        self.position = 0

    def read_into_buffer(self) -> None:
        raise EOFError("a block ends before its columns do")


def socket_source(sock: Any) -> SocketSource:
    return SocketSource(sock, BUFFER_BYTES)
