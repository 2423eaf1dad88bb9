"""A header may have any bytes for a name, and what follows it is read."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record import default_records
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy

import streams.kafka.client  # noqa: F401 - whoever reaches the brokers reads so

PLAIN, GZIP = 0, 1


class Name(str):
    """A name that goes over the wire as bytes that are no UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - as of str
        return b"n\xff\xfe"


def batch(first: int, names: list[str], codec: int = PLAIN) -> bytes:
    any_name = any(isinstance(name, Name) for name in names)
    kind = _DefaultRecordBatchBuilderPy if any_name else DefaultRecordBatchBuilder
    builder = kind(2, codec, 0, -1, -1, -1, 1 << 20)
    for number, name in enumerate(names):
        assert builder.append(number, 1_000, b"key", b"value", [(name, b"a"), ("null", None)])
    packed = bytearray(builder.build())
    packed[:8] = first.to_bytes(8, "big")  # the broker's part: it is not in the checksum
    return bytes(packed)


def read(fetched: bytes, begin: int = 0) -> Iterator[Any]:
    return fetcher.PartitionRecords(
        TopicPartition("t", 0), fetcher.MemoryRecords(fetched), [], begin, None, None, True, fetcher.READ_COMMITTED
    )


@pytest.mark.parametrize("codec", [PLAIN, GZIP])
def test_a_name_that_is_no_utf_8_stands_escaped_and_what_follows_is_read(codec: int) -> None:
    fetched = batch(0, ["a", "b"], codec) + batch(2, ["c", Name("x"), "d"], codec) + batch(5, ["ä"], codec)
    assert [(each.offset, each.headers[0][0]) for each in read(fetched)] == [
        (0, "a"), (1, "b"), (2, "c"), (3, r"n\xff\xfe"), (4, "d"), (5, "ä"),
    ]  # fmt: skip
    assert {(each.key, each.value, each.timestamp, each.headers[1]) for each in read(fetched)} == {
        (b"key", b"value", 1_000, ("null", None))
    }


def test_it_is_read_from_the_middle_of_a_batch() -> None:
    assert [each.offset for each in read(batch(2, [Name("x"), "a", Name("y")]), begin=3)] == [3, 4]


def test_other_batches_are_left_to_the_compiled_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_records._DefaultRecordBatchPy, "_read_msg", None)  # nobody asks this reader
    assert len(list(read(batch(0, ["a"]) + batch(1, ["b"])))) == 2
