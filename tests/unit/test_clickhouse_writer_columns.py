"""Columns on the wire: byte for byte what clickhouse-driver itself would send."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.columns.service import write_column
from clickhouse_driver.context import Context
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.columns import NULLABLE, NUMPY, pack


class Wire:
    """A socket that keeps what it is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += bytes(data)


def by_the_driver(kind: str, column: list[Any]) -> bytes:
    wire = Wire()
    buffer = BufferedSocketWriter(wire, 1 << 16)
    context = Context()
    context.client_settings = {"strings_as_bytes": False, "strings_encoding": "utf-8", "use_numpy": False}
    context.settings = {}
    context.server_info = SimpleNamespace(get_timezone=lambda: "UTC", used_revision=54453)
    write_column(context, "c", kind, list(column), buffer)
    buffer.flush()
    return wire.sent


NUMBERS = {"q": st.integers(-(2**63), 2**63 - 1), "d": st.floats(allow_nan=False).map(lambda value: value + 0.0)}


@pytest.mark.parametrize("kind", NULLABLE)
@given(data=st.data())
def test_nullable_columns(kind: str, data: st.DataObject) -> None:
    column = data.draw(st.lists(st.none() | NUMBERS[NULLABLE[kind]], min_size=1, max_size=30))
    assert pack(kind, column) == by_the_driver(kind, column)


@pytest.mark.parametrize("kind", NUMPY)
@pytest.mark.parametrize("given_as", [np.int64, np.uint64, np.float64, np.uint32])
def test_arrays_of_whatever_width(kind: str, given_as: type) -> None:
    column = np.array([0, 1, 7, 60_000], dtype=given_as)
    plain = [float(value) if kind == "Float64" else int(value) for value in column]
    assert pack(kind, column) == by_the_driver(kind, plain)


@pytest.mark.parametrize("kind", ["String", "LowCardinality(String)", "UInt128", "Bool", "Enum8('1h' = 1)"])
def test_the_rest_stays_with_the_driver(kind: str) -> None:
    assert pack(kind, ["1h"]) is None
    assert pack(kind, np.array(["1h"])) is None


def test_a_column_is_left_as_it_was() -> None:
    column = [None, 1, None]
    pack("Nullable(Int64)", column)
    assert column == [None, 1, None]
