"""What a client says in the native protocol: hello and query, with the fields of its revision.

Packet layouts: https://clickhouse.com/docs/native-protocol/client. Every string is bounded before anything is allocated, because
whatever finds the port may be speaking another protocol.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from deploy.embedded.clickhouse.statement import unquoted
from deploy.embedded.clickhouse.wire import QUERY_LIMIT, ProtocolError, read_number, read_string

HELLO, QUERY, DATA, CANCEL, PING = 0, 1, 2, 3, 4

CLIENT_INFO = 54032
QUOTA_KEY_IN_CLIENT_INFO = 54060
VERSION_PATCH = 54401
SETTINGS_AS_STRINGS = 54429
INTERSERVER_SECRET = 54441
OPEN_TELEMETRY = 54442
DISTRIBUTED_DEPTH = 54448
QUERY_START_TIME = 54449
PARALLEL_REPLICAS = 54453
ADDENDUM = 54458
PARAMETERS = 54459
IMPORTANT = 1
HELLO_LIMIT = 1 << 12


@dataclass(frozen=True, slots=True)
class Hello:
    revision: int
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """`important` are the settings that must not be passed over if unknown; `compressed` asks for blocks in frames."""

    query_id: str
    sql: str
    compressed: bool
    settings: dict[str, str]
    important: frozenset[str]
    parameters: dict[str, str]


def read_hello(source: Any) -> Hello:
    """The first packet, its number included; ProtocolError if it is something else."""
    if (packet := read_number(source)) != HELLO:
        raise ProtocolError(f"the first packet has number {packet}: this is a port for ClickHouse's native protocol")
    read_string(source, HELLO_LIMIT)  # name of the client
    read_number(source)
    read_number(source)
    revision = read_number(source)
    return Hello(revision, *(read_string(source, HELLO_LIMIT) for _ in range(3)))


def read_query(source: Any, revision: int) -> Query:
    """A query packet, its number not included; the blocks behind it are left to the caller."""
    query_id = read_string(source)
    if revision >= CLIENT_INFO:
        skip_client_info(source, revision)
    settings = list(read_settings(source, revision))
    if revision >= INTERSERVER_SECRET:
        read_string(source)
    read_number(source)  # stage: clients ask for complete results
    compressed = bool(read_number(source))
    sql = read_string(source, QUERY_LIMIT)
    parameters = list(read_settings(source, revision)) if revision >= PARAMETERS else []
    return Query(
        query_id=query_id,
        sql=sql,
        compressed=compressed,
        settings={name: value for name, _, value in settings},
        important=frozenset(name for name, flags, _ in settings if flags & IMPORTANT),
        parameters={name: unquoted(value) for name, _, value in parameters},
    )


def read_settings(source: Any, revision: int) -> Iterator[tuple[str, int, str]]:
    """(name, flags, value) up to the empty name."""
    while name := read_string(source):
        if revision < SETTINGS_AS_STRINGS:
            raise ProtocolError(f"setting {name} in the binary form of revision {revision}")
        yield name, read_number(source), read_string(source, QUERY_LIMIT)


def skip_client_info(source: Any, revision: int) -> None:
    """Who is asking, for logs that the engine does not keep."""
    if source.read(1) == b"\0":
        return
    skip_strings(source, 3)
    if revision >= QUERY_START_TIME:
        source.read(8)
    source.read(1)
    skip_strings(source, 3)
    skip_numbers(source, 3)
    if revision >= QUOTA_KEY_IN_CLIENT_INFO:
        skip_strings(source, 1)
    if revision >= DISTRIBUTED_DEPTH:
        skip_numbers(source, 1)
    if revision >= VERSION_PATCH:
        skip_numbers(source, 1)
    if revision >= OPEN_TELEMETRY and source.read(1) != b"\0":
        source.read(24)
        skip_strings(source, 1)
        source.read(1)
    if revision >= PARALLEL_REPLICAS:
        skip_numbers(source, 3)


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
