"""Numbers and strings as ClickHouse's native protocol writes them.

Only what the door itself has to say is encoded here; blocks pass through as bytes (`block.py`).
Protocol: https://clickhouse.com/docs/native-protocol/basics
"""

import struct
from typing import Any

from clickhouse_driver.varint import read_varint

from events.exit_code import ExitCode

MORE = 0x80  # in a varint: another byte follows
TEXT_LIMIT = 1 << 20
QUERY_LIMIT = 1 << 28


class ProtocolError(ValueError):
    """The peer does not speak the native protocol, or broke it; the connection is of no more use."""

    exit_code = ExitCode.MISTAKE


def varint(number: int) -> bytes:
    """An unsigned integer, seven bits a byte, least significant first."""
    out = bytearray()
    while number >= MORE:
        out.append(number & (MORE - 1) | MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(text: str | bytes) -> bytes:
    """A string behind its length in bytes."""
    data = text if isinstance(text, bytes) else text.encode()
    return varint(len(data)) + data


def int32(number: int) -> bytes:
    """A signed little-endian 32-bit integer."""
    return struct.pack("<i", number)


def read_number(source: Any) -> int:
    """A varint of the peer."""
    return int(read_varint(source))


def read_string(source: Any, limit: int = TEXT_LIMIT) -> str:
    """A string of the peer; a length over `limit` bytes is a peer that speaks something else, and nothing is allocated for it."""
    length = read_number(source)
    if length > limit:
        raise ProtocolError(f"a string of {length} bytes where at most {limit} belong")
    return bytes(source.read(length)).decode(errors="replace") if length else ""
