"""Blocks of the native protocol, copied from one side to the other without being decoded.

At the revision that is spoken here they are those of the engine's Native format. They do not say where they end, so a block is copied
column by column.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.embedded.clickhouse.column import skimmer
from deploy.embedded.clickhouse.wire import read_number, read_string, string, varint

BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # not overflown, bucket -1, end
PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BlockColumn:
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Header:
    """What a block said of itself."""

    columns: tuple[BlockColumn, ...]
    rows: int


class Pieces:
    """Gathers small pieces and hands them on joined, so that a block costs the engine one call and not one per column."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, part: bytes) -> None:
        self.parts.append(part)
        self.size += len(part)
        if self.size >= PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        if self.parts:
            self.write(self.parts[0] if len(self.parts) == 1 else b"".join(self.parts))
            self.parts, self.size = [], 0


def empty_block(columns: Sequence[BlockColumn]) -> bytes:
    """A block of no rows, which tells a client the names and types."""
    return b"".join([varint(len(columns)), b"\0", *(string(c.name) + string(c.type) for c in columns)])


def copy_block(source: Any, write: Callable[[bytes], None]) -> Header:
    """Copies the block that `source` stands before to `write`, in pieces of about a megabyte.

    A block of no rows is read and described but not written.
    """
    width, rows = read_number(source), read_number(source)
    pieces = Pieces(write)
    pieces.add(varint(width) + varint(rows))
    columns = tuple(copy_column(source, rows, pieces) for _ in range(width))
    if rows:
        pieces.flush()
    return Header(columns, rows)


def copy_column(source: Any, rows: int, pieces: Pieces) -> BlockColumn:
    column = BlockColumn(read_string(source), read_string(source))
    pieces.add(string(column.name) + string(column.type))
    if rows:
        skim = skimmer(column.type)
        source.record(pieces.add)
        skim(source, rows)
        source.pause()
    return column
