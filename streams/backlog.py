"""How far the workers are: what the log holds and what the group has committed, partition by partition."""

from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from streams.broker import administration, client_options
from streams.settings import Settings
from streams.topics import partition_counts


@dataclass(frozen=True, slots=True)
class Backlog:
    """Sums over the partitions of the event topic, in records."""

    produced: int
    committed: int

    @property
    def left(self) -> int:
        return self.produced - self.committed


async def backlog(settings: Settings) -> Backlog:
    """Ask the brokers; nothing is produced where there is no topic yet. Raises aiokafka's `KafkaError` when they are away."""
    async with administration(settings) as admin:
        count = (await partition_counts(admin)).get(settings.topic, 0)
        partitions = [TopicPartition(settings.topic, number) for number in range(count)]
        ends = await _ends(settings, partitions)
        committed = await committed_offsets(admin, settings.group, partitions)
    return Backlog(sum(ends.values()), sum(min(committed.get(p, 0), ends[p]) for p in partitions))


async def has_offset(settings: Settings, partition: int) -> bool:
    """Whether the workers' group has committed anything in that partition of the event topic."""
    async with administration(settings) as admin:
        return bool(await committed_offsets(admin, settings.group, [TopicPartition(settings.topic, partition)]))


async def _ends(settings: Settings, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    if not partitions:
        return {}
    consumer = AIOKafkaConsumer(**client_options(settings))
    try:
        await consumer.start()
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return ends


async def committed_offsets(admin: AIOKafkaAdminClient, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the group has committed anything."""
    try:
        offsets = await admin.list_consumer_group_offsets(group, partitions=partitions)
    except GroupCoordinatorNotAvailableError:  # the brokers have never seen any group: their topic for offsets is made just now
        return {}
    return {partition: found.offset for partition, found in offsets.items() if found.offset >= 0}
