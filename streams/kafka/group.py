"""The workers' consumer group, as the brokers know it: whether anybody is a member, and what it has committed."""

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from streams.kafka.client import administration, reader
from streams.settings import Settings

WITHOUT_MEMBERS = {"Empty", "Dead"}


async def has_members(settings: Settings) -> bool:
    """A worker that was killed is one until its session ends. Raises aiokafka's `KafkaError` when the brokers are away."""
    try:
        async with administration(settings) as admin:
            [response] = await admin.describe_consumer_groups([settings.group])
    except GroupCoordinatorNotAvailableError:  # the brokers have never seen any group
        return False
    return any(state not in WITHOUT_MEMBERS for _, _, state, *_ in response.groups)


async def begin_again(settings: Settings, partitions: int) -> None:
    """Let the group, which has no members, begin at the first record of every partition."""
    places = [TopicPartition(settings.topic, number) for number in range(partitions)]
    async with reader(settings, places, group_id=settings.group) as consumer:
        await consumer.commit(await consumer.beginning_offsets(places))


async def has_offset(settings: Settings, partition: int) -> bool:
    """Whether the group has committed anything in that partition of the event topic."""
    async with administration(settings) as admin:
        return bool(await committed_offsets(admin, settings.group, [TopicPartition(settings.topic, partition)]))


async def committed_offsets(admin: AIOKafkaAdminClient, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the group has committed anything."""
    try:
        offsets = await admin.list_consumer_group_offsets(group, partitions=partitions)
    except GroupCoordinatorNotAvailableError:  # the brokers have never seen any group: their topic for offsets is made just now
        return {}
    return {partition: found.offset for partition, found in offsets.items() if found.offset >= 0}
