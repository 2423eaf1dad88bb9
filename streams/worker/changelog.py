"""The changelog: one compacted topic in which every partition keeps its cases and its clock.

It is the only durable state of a worker. Recovery reads a partition from where this worker's knowledge ends (the
beginning, for a newcomer) to the end; a partition that nobody else wrote to meanwhile is recovered by one look at its
end. The offsets that our own writes get tell the rest: when they do not follow each other, somebody else wrote (a
worker that had been stopped and went on), and the owner reads those records before it does anything else.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from events.exit_code import ExitCode
from streams.kafka import STATE_BATCH_BYTES

Item = tuple[bytes, bytes | None]
"""Key, and the value or None for a tombstone."""


LARGEST_RECORD = STATE_BATCH_BYTES - 1_024
"""Bytes of a key and its value: the rest is what Kafka writes around them."""


class Oversized(Exception):
    """One case's record is larger than the changelog takes: another build made it, or the topic takes less than it should."""

    exit_code = ExitCode.REFUSED

    def __init__(self, topic: str, key: bytes, value: bytes | None) -> None:
        district, _, subject = key.decode(errors="replace").partition(" ")
        size = len(key) + len(value or b"")
        super().__init__(
            f"the state of case {subject} of district {district} has {size:,} bytes, and topic {topic} does not take them. Started again, "
            f"the worker stops here again. See that the topic's max.message.bytes is {STATE_BATCH_BYTES}; where it is, another build made "
            "that state: `frontdesk rebuild --from log` counts it anew, within what a case may hold today"
        )


class ChangelogRestarted(Exception):
    """What was written got an offset that had been given before: the changelog is another one, and the state in it is gone."""

    exit_code = ExitCode.REFUSED

    def __init__(self, partition: int, end: int, written_at: int) -> None:
        super().__init__(
            f"partition {partition} of the changelog had come to {end}, and goes on at {written_at}: it was made anew or emptied while the "
            "worker ran, and what was known of each case is gone from it. `frontdesk rebuild --from log` computes the state again"
        )


@dataclass(frozen=True)
class OffsetRange:
    """Offsets that one write got: from `first` up to and without `after`."""

    first: int
    after: int


class Changelog:
    """Reads and writes the changelog partitions of one worker."""

    def __init__(
        self,
        topic: str,
        producer: AIOKafkaProducer,
        consumer: Callable[[], AbstractAsyncContextManager[AIOKafkaConsumer]],
        progress: Callable[[int, int, int], None] = lambda _partition, _done, _records: None,
    ) -> None:
        """`consumer` opens a consumer without a group, that starts at the earliest record.

        `progress` hears, while a partition is read, how many of how many records are done, holes of compaction included.
        """
        self.topic = topic
        self._producer = producer
        self._consumer = consumer
        self._progress = progress

    async def write(self, partition: int, items: Sequence[Item]) -> list[OffsetRange]:
        """Append `items` in order and return the offsets they got, once every replica has them.

        Raises `Oversized` at a record that is larger than the topic is made for, or than it takes.
        """
        sent = []
        batch = self._producer.create_batch()
        for key, value in items:
            if len(key) + len(value or b"") > LARGEST_RECORD:
                raise Oversized(self.topic, key, value)
            if batch.append(key=key, value=value, timestamp=None) is None:
                sent.append((batch.record_count(), await self._send(batch, partition)))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)  # an empty batch takes any record, of whatever size
        if batch.record_count():
            sent.append((batch.record_count(), await self._send(batch, partition)))
        spans = []
        for count, acknowledged in sent:
            try:
                first = (await acknowledged).offset
            except MessageSizeTooLargeError as error:
                raise Oversized(self.topic, *max(items, key=lambda item: len(item[1] or b""))) from error
            spans.append(OffsetRange(first, first + count))
        return spans

    async def _send(self, batch: Any, partition: int) -> "asyncio.Future[Any]":
        acknowledged: asyncio.Future[Any] = await self._producer.send_batch(batch, self.topic, partition=partition)
        return acknowledged

    async def read(self, partition: int, start: int) -> AsyncGenerator[tuple[list[Item], int], None]:
        """Records of `partition` from offset `start` to its end as of now: lists of items, and the offset after each list.

        It has a consumer of its own: whoever may leave it before its end closes it (`contextlib.aclosing`).
        Compaction leaves holes and may leave nothing at all; the last offset that is yielded is the end all the same.
        """
        tp = TopicPartition(self.topic, partition)
        async with self._consumer() as consumer:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            first = (await consumer.beginning_offsets([tp]))[tp]
            begin = max(start, first)
            consumer.seek(tp, begin)
            while (position := await consumer.position(tp)) < end:
                self._progress(partition, position - begin, end - begin)
                records = (await consumer.getmany(tp, timeout_ms=500)).get(tp, ())
                if records:
                    yield [(r.key, r.value) for r in records], records[-1].offset + 1
            self._progress(partition, max(end, begin) - begin, max(end, begin) - begin)
            yield [], position
