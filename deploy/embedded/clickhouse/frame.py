"""Compressed frames of the native protocol: checksum, method, sizes, body.

The checksum is CityHash128 of everything behind it, its high half first on the wire (found by running; the
documents do not say). LZ4 is what the door writes; LZ4, ZSTD and plain frames are what it reads.
"""

import struct
from collections.abc import Callable

import lz4.block
from backports import zstd
from clickhouse_cityhash.cityhash import CityHash128

from deploy.embedded.clickhouse.wire import ProtocolError

LZ4, ZSTD, PLAIN = 0x82, 0x90, 0x02
HEAD_BYTES = 9
FRAME_LIMIT = 64 << 20
"""Drivers send frames of a megabyte, clickhouse-go up to ten."""
LZ4_RATIO = 255
"""No LZ4 block holds more plain bytes for one of its own; a larger claim is refused before anything is allocated for it."""
LOW_HALF = (1 << 64) - 1


def checksum(data: bytes) -> bytes:
    """The 16 bytes that stand before a frame."""
    value = CityHash128(data)
    return struct.pack("<QQ", value >> 64, value & LOW_HALF)


def packed(data: bytes) -> bytes:
    """One LZ4 frame around `data`."""
    body = lz4.block.compress(data, store_size=False)
    frame: bytes = struct.pack("<BII", LZ4, len(body) + HEAD_BYTES, len(data)) + body
    return checksum(frame) + bytes(frame)


def unpacked(read: Callable[[int], bytes]) -> bytes:
    """The plain bytes of the frame that `read(n)` stands before; ProtocolError if it is damaged."""
    expected = bytes(read(16))
    head = bytes(read(HEAD_BYTES))
    method, size, plain_size = struct.unpack("<BII", head)
    if not HEAD_BYTES <= size <= FRAME_LIMIT or plain_size > min(FRAME_LIMIT, LZ4_RATIO * size if method == LZ4 else FRAME_LIMIT):
        raise ProtocolError(f"a compressed frame of {size} bytes for {plain_size}")
    body = bytes(read(size - HEAD_BYTES))
    if checksum(head + body) != expected:
        raise ProtocolError("the checksum of a compressed frame does not match")
    try:
        return decompressed(method, body, plain_size)
    except (lz4.block.LZ4BlockError, zstd.ZstdError) as error:
        raise ProtocolError(f"a compressed frame cannot be read: {error}") from error


def decompressed(method: int, body: bytes, plain_size: int) -> bytes:
    """As many plain bytes as the frame has claimed; never more are made, and fewer are refused."""
    if method == LZ4:
        plain = bytes(lz4.block.decompress(body, uncompressed_size=plain_size))
    elif method == ZSTD:
        plain = bytes(zstd.ZstdDecompressor().decompress(body, max_length=plain_size))
    elif method == PLAIN:
        plain = body
    else:
        raise ProtocolError(f"compression method {method:#x} is unknown")
    if len(plain) != plain_size:
        raise ProtocolError(f"a compressed frame holds {len(plain)} bytes where {plain_size} were claimed")
    return plain
