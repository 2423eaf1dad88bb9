"""What a client says in the native protocol: hello and query, with the fields of the one revision that is spoken here.

Packet layouts: https://clickhouse.com/docs/native-protocol/client. Every string is bounded before anything is allocated, because
whatever finds the port may be speaking another protocol.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from deploy.embedded.clickhouse.wire import QUERY_LIMIT, ProtocolError, read_number, read_string

HELLO, QUERY, DATA, CANCEL, PING = 0, 1, 2, 3, 4

REVISION = 54429
"""The oldest whose settings are text: every client speaks it, and it asks for the least. Newer fields are for what is not served here."""

IMPORTANT = 1
HELLO_LIMIT = 1 << 12


@dataclass(frozen=True, slots=True)
class Hello:
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """`important` are the settings that must not be passed over if unknown; `compressed` asks for blocks in frames."""

    sql: str
    compressed: bool
    settings: dict[str, str]
    important: frozenset[str]


def read_hello(source: Any) -> Hello:
    """The first packet, its number included; ProtocolError if it is something else."""
    if (packet := read_number(source)) != HELLO:
        raise ProtocolError(f"the first packet has number {packet}: this is a port for ClickHouse's native protocol")
    read_string(source, HELLO_LIMIT)  # name of the client
    read_number(source)
    read_number(source)
    if (revision := read_number(source)) < REVISION:
        raise ProtocolError(f"revision {revision} of the protocol is too old: {REVISION} is the least")
    return Hello(*(read_string(source, HELLO_LIMIT) for _ in range(3)))


def read_query(source: Any) -> Query:
    """A query packet, its number not included; the blocks behind it are left to the caller."""
    read_string(source)  # the query's id
    skip_client_info(source)
    settings = list(read_settings(source))
    read_number(source)  # stage: clients ask for complete results
    compressed = bool(read_number(source))
    sql = read_string(source, QUERY_LIMIT)
    return Query(
        sql=sql,
        compressed=compressed,
        settings={name: value for name, _, value in settings},
        important=frozenset(name for name, flags, _ in settings if flags & IMPORTANT),
    )


def read_settings(source: Any) -> Iterator[tuple[str, int, str]]:
    """(name, flags, value) up to the empty name."""
    while name := read_string(source):
        yield name, read_number(source), read_string(source, QUERY_LIMIT)


def skip_client_info(source: Any) -> None:
    """Who is asking, for logs that the engine does not keep."""
    if source.read(1) == b"\0":
        return
    skip_strings(source, 3)
    source.read(1)
    skip_strings(source, 3)
    skip_numbers(source, 3)
    skip_strings(source, 1)  # quota key
    skip_numbers(source, 1)  # patch of the version


def read_data_head(source: Any) -> str:
    """The number of a data packet and the name of its table; cancels on the way are passed over."""
    while (packet := read_number(source)) == CANCEL:
        pass
    if packet != DATA:
        raise ProtocolError(f"packet {packet} where data belong")
    return read_string(source)


def skip_block_info(source: Any) -> None:
    while number := read_number(source):
        source.read(struct.calcsize("<?" if number == 1 else "<i"))


def skip_strings(source: Any, count: int) -> None:
    for _ in range(count):
        read_string(source)


def skip_numbers(source: Any, count: int) -> None:
    for _ in range(count):
        read_number(source)
