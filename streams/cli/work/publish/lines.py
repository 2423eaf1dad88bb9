"""Lines of a file or of standard input, in chunks as they arrive, without stopping the event loop meanwhile."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Iterator
from typing import BinaryIO

CHUNK_BYTES = 1 << 16
LONGEST_LINE_BYTES = 1 << 20
"""Longer ones are cut: whatever they are, no event is that long."""

NumberedLine = tuple[int, bytes]


def numbered(lines: list[bytes], first: int) -> list[NumberedLine]:
    """Lines with their numbers, without the empty ones."""
    return [(number, line) for number, line in enumerate(lines, first) if line.strip()]


def chunks_of_file(file: BinaryIO) -> Iterator[list[NumberedLine]]:
    first = 1
    while lines := file.readlines(CHUNK_BYTES):
        yield numbered(lines, first)
        first += len(lines)


def chunks(file: BinaryIO) -> AsyncGenerator[list[NumberedLine], None]:
    """Numbered lines; from a pipe or a terminal as soon as they are there. Whoever may leave it early closes it (`contextlib.aclosing`)."""
    return _chunks_of_pipe(file) if is_pipe(file) else _chunks_of_file(file)


def is_pipe(file: BinaryIO) -> bool:
    """Whether this is a pipe, a socket or a terminal: its lines come when they come, once, and nobody can go back in it."""
    mode = os.fstat(file.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(file.fileno())


async def _chunks_of_file(file: BinaryIO) -> AsyncGenerator[list[NumberedLine], None]:
    for chunk in chunks_of_file(file):
        yield chunk


async def _chunks_of_pipe(pipe: BinaryIO) -> AsyncGenerator[list[NumberedLine], None]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    first, rest = 1, b""
    try:
        while data := await reader.read(CHUNK_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > LONGEST_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            yield numbered(lines, first)
            first += len(lines)
        yield numbered([rest], first)
    finally:
        transport.close()
