"""Counts the distinct events in the topic by reading all of it: what `events` in ClickHouse must hold, no more and no less."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct
from msgspec.json import Decoder

from streams.broker import client_options
from streams.settings import Settings

FETCH_BYTES = 8 * 1024 * 1024
SILENCE_S = 30.0


class _Named(Struct):
    partitionkey: str
    subject: str
    source: str
    id: str


async def distinct_events(settings: Settings) -> int:
    """How many different (district, subject, source, id) there are up to the present end of the log.

    Reads what Frontdesk itself published: structured mode, `partitionkey` the district.
    """
    partitions = [TopicPartition(settings.topic, number) for number in range(settings.partitions)]
    consumer = AIOKafkaConsumer(
        **client_options(settings), auto_offset_reset="earliest", fetch_max_bytes=4 * FETCH_BYTES, max_partition_fetch_bytes=FETCH_BYTES
    )
    consumer.assign(partitions)
    try:
        await consumer.start()
        return len(await _names(consumer, await consumer.end_offsets(partitions)))
    finally:
        await consumer.stop()


async def _names(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> set[tuple[str, str, str, str]]:
    names: set[tuple[str, str, str, str]] = set()
    decode = Decoder(_Named).decode
    unread = {partition for partition, end in ends.items() if end}
    while unread:
        fetched: dict[TopicPartition, Sequence[Any]] = await asyncio.wait_for(consumer.getmany(*unread, timeout_ms=1_000), SILENCE_S)
        for partition, records in fetched.items():
            for event in map(decode, (record.value for record in records)):
                names.add((event.partitionkey, event.subject, event.source, event.id))
            if records[-1].offset + 1 >= ends[partition]:
                unread.discard(partition)
    return names
