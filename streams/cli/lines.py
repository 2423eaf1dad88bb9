"""Lines of a file or of standard input, in chunks as they arrive, without stopping the event loop meanwhile."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
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


async def chunks(file: BinaryIO) -> AsyncIterator[list[NumberedLine]]:
    """Numbered lines; from a pipe or a terminal as soon as they are there."""
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        for chunk in chunks_of_file(file):
            yield chunk
    else:
        async for chunk in _chunks_of_pipe(file):
            yield chunk


async def _chunks_of_pipe(pipe: BinaryIO) -> AsyncIterator[list[NumberedLine]]:
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
