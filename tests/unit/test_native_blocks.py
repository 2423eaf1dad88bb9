"""The native protocol's bytes without a server: numbers, frames, columns stepped over, blocks copied."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.embedded.clickhouse.block import copy_block, empty_block
from deploy.embedded.clickhouse.column import arguments_of, skimmer
from deploy.embedded.clickhouse.failure import Failure, failure_of
from deploy.embedded.clickhouse.frame import PLAIN, checksum, packed, unpacked
from deploy.embedded.clickhouse.source import MemorySource
from deploy.embedded.clickhouse.wire import ProtocolError, read_number, read_string, string, varint

WORDS = st.text(max_size=40)
STRINGS = st.lists(WORDS.map(string), max_size=30)


def reader_of(data: bytes):  # noqa: ANN201 - a closure over the rest
    rest = bytearray(data)

    def read(count: int) -> bytes:
        taken = bytes(rest[:count])
        del rest[:count]
        return taken

    return read


@given(st.integers(0, 2**63 - 1), WORDS)
def test_numbers_and_strings_come_back(number: int, text: str) -> None:
    source = MemorySource(varint(number) + string(text))
    assert read_number(source) == number
    assert read_string(source) == text


def test_a_string_without_bounds_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError):
        read_string(MemorySource(varint(1 << 60) + b"x"))


@given(st.binary(max_size=5000))
def test_a_frame_comes_back(data: bytes) -> None:
    assert unpacked(reader_of(packed(data))) == data
    plain = struct.pack("<BII", PLAIN, len(data) + 9, len(data)) + data
    assert unpacked(reader_of(checksum(plain) + plain)) == data


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_damaged_frame_is_refused(data: bytes, draw: st.DataObject) -> None:
    frame = bytearray(packed(data))
    frame[draw.draw(st.integers(0, len(frame) - 1))] ^= 0x40
    with pytest.raises(ProtocolError):
        unpacked(reader_of(bytes(frame)))


# Each type with the bytes of two rows of it, by the layouts of ClickHouse's Native format.
TWO_ROWS = [
    ("UInt8", b"\1\2"),
    ("DateTime64(3, 'UTC')", bytes(16)),
    ("Decimal(20, 4)", bytes(32)),
    ("FixedString(5)", bytes(10)),
    ("IntervalDay", bytes(16)),
    ("Enum8('a,)' = 1, 'b\\'' = 2)", b"\1\2"),
    ("String", b"\2ab\0"),
    ("Nullable(String)", b"\0\1" + b"\2ab\0"),
    ("Array(UInt16)", struct.pack("<QQ", 1, 3) + bytes(6)),
    ("Array(Array(String))", struct.pack("<QQ", 1, 2) + struct.pack("<QQ", 1, 2) + b"\1x\1y"),
    ("Map(String, UInt8)", struct.pack("<QQ", 0, 1) + b"\1k" + b"\7"),
    ("Tuple(a UInt8, `b c` Nullable(UInt16))", b"\1\2" + b"\0\1" + bytes(4)),
    ("Tuple()", bytes(2)),
    ("Nested(a UInt8, b String)", struct.pack("<QQ", 1, 1) + b"\1" + b"\1x"),
    ("LowCardinality(String)", struct.pack("<Q", 1) + struct.pack("<QQ", 0x600, 2) + b"\0\1a" + struct.pack("<Q", 2) + b"\1\1"),
    ("LowCardinality(Nullable(String))", struct.pack("<Q", 1) + struct.pack("<QQ", 0x601, 2) + b"\0\0" + struct.pack("<Q", 2) + bytes(4)),
    ("Point", bytes(32)),
    ("SimpleAggregateFunction(sum, UInt64)", bytes(16)),
]


@pytest.mark.parametrize(("name", "data"), TWO_ROWS)
def test_every_column_ends_where_it_ends(name: str, data: bytes) -> None:
    source = MemorySource(data + b"the next thing")
    skimmer(name)(source, 2)
    assert source.position == len(data)


@pytest.mark.parametrize("name", ["AggregateFunction(uniq, String)", "Dynamic", "JSON", "Variant(String, UInt8)", "Array(Dynamic)"])
def test_columns_of_unknown_length_are_refused(name: str) -> None:
    with pytest.raises(Failure) as raised:
        skimmer(name)
    assert raised.value.code == 48


def block_of(columns: list[tuple[str, bytes]], rows: int, mark: bytes) -> bytes:
    parts = [string(f"c{index}") + string(name) + mark + data for index, (name, data) in enumerate(columns)]
    return varint(len(columns)) + varint(rows) + b"".join(parts)


@given(st.lists(st.sampled_from(TWO_ROWS), max_size=8))
def test_marks_are_taken_out_and_put_in(columns: list[tuple[str, bytes]]) -> None:
    plain, marked = block_of(columns, 2, b""), block_of(columns, 2, b"\0")
    for given_bytes, marked_in, marked_out, expected in [
        (marked, True, False, plain),
        (plain, False, True, marked),
        (plain, False, False, plain),
    ]:
        parts: list[bytes] = []
        source = MemorySource(given_bytes + b"more")
        header = copy_block(source, marked_in, marked_out, parts.append)
        assert b"".join(parts) == expected
        assert source.position == len(given_bytes)
        assert (header.rows, [column.type for column in header.columns]) == (2, [name for name, _ in columns])


@given(STRINGS)
def test_a_block_is_copied_in_pieces(values: list[bytes]) -> None:
    block = block_of([("String", b"".join(values))], len(values), b"")
    parts: list[bytes] = []
    copy_block(MemorySource(block), marked_in=False, marked_out=False, write=parts.append)
    assert b"".join(parts) == (block if values else b"")


def test_a_block_without_rows_is_described_and_not_written() -> None:
    parts: list[bytes] = []
    columns = copy_block(MemorySource(block_of([("UInt8", b"")], 0, b"")), marked_in=False, marked_out=False, write=parts.append).columns
    assert parts == []
    assert copy_block(MemorySource(empty_block(columns, marked=True)), True, False, parts.append).columns == columns


def test_a_block_that_ends_too_early_is_an_end_of_file() -> None:
    block = block_of([("UInt64", bytes(16))], 2, b"")
    with pytest.raises(EOFError):
        copy_block(MemorySource(block[:-1]), marked_in=False, marked_out=False, write=lambda _: None)


def test_sparse_columns_are_refused() -> None:
    with pytest.raises(ProtocolError):
        copy_block(MemorySource(block_of([("UInt8", b"\1")], 1, b"\1")), True, False, lambda _: None)


def test_arguments_split_at_outer_commas_only() -> None:
    assert arguments_of("a Array(Tuple(b, c)), Enum8('x,)' = 1), `d, e` UInt8") == [
        "a Array(Tuple(b, c))",
        "Enum8('x,)' = 1)",
        "`d, e` UInt8",
    ]


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        ("Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)", 60, "UNKNOWN_TABLE"),
        ("Streaming query failed: Code: 46. DB::Exception: No. (UNKNOWN_FUNCTION)", 46, "UNKNOWN_FUNCTION"),
        ("Code: 164. DB::Exception: Code: 164. DB::Exception: No. (READONLY)", 164, "READONLY"),
        ("something else", 1002, "UNKNOWN_EXCEPTION"),
    ],
)
def test_the_engines_codes_are_kept(text: str, code: int, name: str) -> None:
    failure = failure_of(RuntimeError(text))
    assert (failure.code, failure.name) == (code, name)
