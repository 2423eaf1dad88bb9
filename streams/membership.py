"""Who is at work: whether any worker is a member of the consumer group."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from streams.broker import administration, client_options
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
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=settings.group, enable_auto_commit=False)
    places = [TopicPartition(settings.topic, number) for number in range(partitions)]
    try:
        await consumer.start()
        consumer.assign(places)
        await consumer.commit(await consumer.beginning_offsets(places))
    finally:
        await consumer.stop()
