"""Changelogs that a real broker compacts within a second, and the wait until it has."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from projections.stream_time import CLOCK_KEY
from streams.worker.changelog import Changelog, Item

AT_ONCE = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": "0",
    "min.cleanable.dirty.ratio": "0.001",
    "segment.ms": "100",
    "delete.retention.ms": "0",
}
CLEANER_PAUSE = "log.cleaner.backoff.ms"
ROLLED_EVERY_S = 0.2
WITHIN_S = 60


@contextmanager
def cleaning_often(bootstrap: str) -> Iterator[None]:
    """The broker looks for something to compact five times a second and not every 15 s."""
    admin = AdminClient({"bootstrap.servers": bootstrap})

    def alter(how: AlterConfigOpType, value: str | None) -> None:
        entry = ConfigEntry(CLEANER_PAUSE, value, incremental_operation=how)
        for done in admin.incremental_alter_configs([ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])]).values():
            done.result(30)

    alter(AlterConfigOpType.SET, "200")
    try:
        yield
    finally:
        alter(AlterConfigOpType.DELETE, None)


@asynccontextmanager
async def compacting_changelog(bootstrap: str, topic: str, partitions: int = 2) -> AsyncIterator[Changelog]:
    """A changelog in a topic of its own that is compacted at once."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=AT_ONCE)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        yield Changelog(topic, producer, lambda: AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest"))


async def compacted(log: Changelog, partition: int) -> list[Item]:
    """Let the broker compact what is there, tombstones included; returns what it left, without the clock's records.

    The clock's latest record is written again and again: with each the broker may begin a new segment and compact the ones before.
    """
    clock = [item async for items, _ in log.read(partition, 0) for item in items if item[0] == CLOCK_KEY][-1:]
    [span] = await log.write(partition, clock)
    async with asyncio.timeout(WITHIN_S):
        while True:
            left = [(key, value) for key, value in await _until(log, partition, span.first) if key != CLOCK_KEY]
            if len(dict(left)) == len(left) and None not in dict(left).values():
                return left
            await log.write(partition, clock)
            await asyncio.sleep(ROLLED_EVERY_S)


async def _until(log: Changelog, partition: int, end: int) -> list[Item]:
    """What is left of the records before offset `end`."""
    consumer = log._consumer()
    await consumer.start()
    try:
        place = TopicPartition(log.topic, partition)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        found: list[Item] = []
        while await consumer.position(place) < end:
            records = (await consumer.getmany(place, timeout_ms=300)).get(place, ())
            found += [(record.key, record.value) for record in records if record.offset < end]
        return found
    finally:
        await consumer.stop()
