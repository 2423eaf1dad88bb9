"""How far the workers are: what the log holds and what the group has committed, partition by partition."""

from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.broker import client_options
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Backlog:
    """Sums over the partitions of the event topic, in records."""

    produced: int
    committed: int

    @property
    def left(self) -> int:
        return self.produced - self.committed


async def backlog(settings: Settings) -> Backlog:
    """Ask the brokers. Raises aiokafka's `KafkaError` when they are away."""
    partitions = [TopicPartition(settings.topic, number) for number in range(settings.partitions)]
    ends = await _ends(settings, partitions)
    committed = await _committed(settings, partitions)
    return Backlog(sum(ends.values()), sum(min(committed.get(p, 0), ends[p]) for p in partitions))


async def _ends(settings: Settings, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(**client_options(settings))
    try:
        await consumer.start()
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return ends


async def _committed(settings: Settings, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        offsets = await admin.list_consumer_group_offsets(settings.group, partitions=partitions)
    finally:
        await admin.close()
    return {partition: max(0, found.offset) for partition, found in offsets.items()}
