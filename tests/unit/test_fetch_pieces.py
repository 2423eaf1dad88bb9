"""A fetch ends where what it has unpacked is enough, however little it was on the wire."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.worker.transport.thread import HELD_BYTES, PIECE_RECORDS, in_pieces

TP = TopicPartition("events", 0)


class Buffered:
    """A consumer that has fetched these records already, and waits only where it has none."""

    def __init__(self, sizes: list[int]) -> None:
        self.records = [SimpleNamespace(value=bytes(size) if size else None) for size in sizes]
        self.waited_ms: list[int] = []

    async def getmany(self, *_: TopicPartition, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        self.waited_ms.append(timeout_ms)
        given, self.records = self.records[:max_records], self.records[max_records:]
        return {TP: given} if given else {}


@pytest.mark.parametrize(
    ("sizes", "most", "given"),
    [
        ([9] * 2_500, 20_000, 2_500),
        ([9] * 2_500, 1_200, 1_200),
        ([0] * 50, 100, 50),
        ([HELD_BYTES // PIECE_RECORDS + 1] * 2_500, 20_000, PIECE_RECORDS),
        ([], 100, 0),
    ],
    ids=["all there are", "as many as asked for", "without values", "as many as may be held", "none"],
)
async def test_it_gives(sizes: list[int], most: int, given: int) -> None:
    consumer: Any = Buffered(sizes)
    found = await in_pieces(consumer, [TP], most, 250)
    assert len(found.get(TP, [])) == given
    assert set(consumer.waited_ms[1:]) <= {0}, "only for the first record is waited"
