"""Batches follow each other by the pace: what comes soon after one waits for more, a full batch and the first one do not."""

import asyncio

from streams.worker.processor import Processor
from tests.support.durable import Durable, Fetched, Outside, processor_of, until
from tests.unit.test_processor import topic

LONG_S = 3_600.0


class Counting(Outside):
    """How many batches wrote events."""

    batches = 0

    def _deed(self, name: str) -> None:
        self.batches += name == "events"
        super()._deed(name)


async def one_by_one(durable: Durable, processor: Processor, first: int, last: int) -> None:
    """Hand over some records of partition 0, and let the processor have its turn after each."""
    for record in durable.topic[0][first:last]:
        await processor.take(Fetched(durable, 0, [record]))
        await asyncio.sleep(0.005)


async def test_what_comes_soon_after_a_batch_goes_with_the_next_one() -> None:
    outside = Counting(durable := topic())
    processor = processor_of(outside, pace_s=0.5)
    running = asyncio.create_task(processor.run())
    try:
        await processor.assigned([0], 1)
        await one_by_one(durable, processor, 0, 1)
        await until(lambda: durable.committed[0] == 1, running)
        await one_by_one(durable, processor, 1, 10)
        await until(lambda: durable.committed[0] == 10, running)
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert outside.batches == 2


async def test_a_full_batch_does_not_wait() -> None:
    outside = Counting(durable := topic())
    processor = processor_of(outside, pace_s=LONG_S, batch_records=3)
    running = asyncio.create_task(processor.run())
    try:
        await processor.assigned([0], 1)
        await one_by_one(durable, processor, 0, 1)
        await until(lambda: durable.committed[0] == 1, running)
        await one_by_one(durable, processor, 1, 4)
        await until(lambda: durable.committed[0] == 4, running)
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert outside.batches == 2
