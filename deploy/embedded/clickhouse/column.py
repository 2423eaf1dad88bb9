"""How long is a column? Steps over the values of any column type that has a known layout.

The native protocol puts no lengths before blocks or columns, so whoever wants to know where one ends must know the layout of
every type. Nothing is decoded: fixed widths are skipped, strings are stepped over in C. Types without a
layout of their own (AggregateFunction, Dynamic, JSON, Variant) are refused with ClickHouse's NOT_IMPLEMENTED.
"""

import re
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from deploy.embedded.clickhouse.failure import refused

WIDTHS = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "Time", "IPv4", "Decimal32"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Time64", "Decimal64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("UInt256", "Int256", "Decimal256"), 32),
}
GEOMETRIES = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
}
DECIMAL_WIDTHS = ((9, 4), (18, 8), (38, 16), (76, 32))  # (largest precision, bytes)
ELEMENT_NAME = re.compile(r"(`(?:[^`\\]|\\.)*`|\w+)\s+(?=\w)")
NOT_IMPLEMENTED = 48

Skim = Callable[[Any, int], None]


@lru_cache(maxsize=4096)
def skimmer(type_name: str) -> Skim:
    """What steps a source over `rows` values of the type, its prefix (dictionary versions) included."""
    prefix = 8 * type_name.count("LowCardinality(")
    values = skim_values(type_name)

    def skim(source: Any, rows: int) -> None:
        source.skip(prefix)
        values(source, rows)

    return skim


def skim_values(type_name: str) -> Skim:
    name, _, rest = type_name.partition("(")
    arguments = arguments_of(rest[:-1]) if rest else []
    if width := fixed_width(name, arguments):
        return lambda source, rows: source.skip(width * rows)
    if name == "String":
        return lambda source, rows: source.read_strings_arrow(rows)
    if name in GEOMETRIES:
        return skim_values(GEOMETRIES[name])
    if name in COMPOSITES:
        return COMPOSITES[name](arguments)
    raise refused(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", f"Columns of type {type_name} cannot pass this door; cast them to String")


def fixed_width(name: str, arguments: Sequence[str]) -> int:
    """Bytes of a value of the type, 0 if they vary."""
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        return next(width for precision, width in DECIMAL_WIDTHS if int(arguments[0]) <= precision)
    if name.startswith("Interval"):
        return 8
    return WIDTHS.get(name, 0)


def nullable(arguments: Sequence[str]) -> Skim:
    values = skim_values(arguments[0])

    def skim(source: Any, rows: int) -> None:
        source.skip(rows)
        values(source, rows)

    return skim


def array(arguments: Sequence[str]) -> Skim:
    """Array, Map and Nested: the end of each row's values, then the values of all rows."""
    elements = [skim_values(without_name(argument)) for argument in arguments]

    def skim(source: Any, rows: int) -> None:
        if not rows:
            return
        source.skip(8 * (rows - 1))
        (total,) = struct.unpack("<Q", source.read(8))
        for element in elements:
            element(source, total)

    return skim


def tuple_of(arguments: Sequence[str]) -> Skim:
    elements = [skim_values(without_name(argument)) for argument in arguments]

    def skim(source: Any, rows: int) -> None:
        if not elements:
            source.skip(rows)
        for element in elements:
            element(source, rows)

    return skim


def low_cardinality(arguments: Sequence[str]) -> Skim:
    inner = arguments[0]
    keys = skim_values(inner[len("Nullable(") : -1] if inner.startswith("Nullable(") else inner)

    def skim(source: Any, rows: int) -> None:
        if not rows:
            return
        flags, key_count = struct.unpack("<QQ", source.read(16))
        keys(source, key_count)
        (index_count,) = struct.unpack("<Q", source.read(8))
        source.skip(index_count << (flags & 0xFF))

    return skim


COMPOSITES: dict[str, Callable[[Sequence[str]], Skim]] = {
    "Nullable": nullable,
    "Array": array,
    "Map": array,
    "Nested": array,
    "Tuple": tuple_of,
    "LowCardinality": low_cardinality,
    "SimpleAggregateFunction": lambda arguments: skim_values(arguments[1]),
}


def arguments_of(inner: str) -> list[str]:
    """Splits "a, b(c, d)" at the commas that stand outside brackets and quotes."""
    parts, depth, start, quote, position = [], 0, 0, "", 0
    while position < len(inner):
        char = inner[position]
        if char == "\\" and quote:
            position += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'`":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "," and not depth:
            parts.append(inner[start:position].strip())
            start = position + 1
        position += 1
    return [*parts, inner[start:].strip()] if inner[start:].strip() else parts


def without_name(element: str) -> str:
    """The type of "name Type" or of "Type"."""
    found = ELEMENT_NAME.match(element)
    return element[found.end() :] if found else element
