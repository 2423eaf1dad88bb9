"""What `frontdesk dead-letters accept` does: look whether it makes sense, then leave a row for the worker."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from sinks.clickhouse.dead_letters import accept
from streams.kafka.client import administration, client_options
from streams.kafka.identity import TopicIdentity, topic_identity
from streams.settings import Settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import remarks
from streams.warehouse import clickhouse_of


def accept_flood(settings: Settings, partition: int, until: int) -> None:
    """Raises `Stop` where nothing waits there."""
    identity, committed, end = asyncio.run(_standing(settings, partition))
    if until >= end:
        raise Stop(ExitCode.USAGE, f"--until {until}: partition {partition} holds nothing from offset {end} on; accept what is there")
    if until < committed:
        raise Stop(ExitCode.USAGE, f"--until {until}: the workers have passed it already, they are at offset {committed}")
    with clickhouse_of(settings).connect() as client:
        accept(client, identity.topic_id, partition, until)
    remarks().print(
        f"partition {partition}: up to {until - committed + 1:,} records pass, offsets {committed} to {until}; the worker goes on within "
        "seconds if it stood there",
        markup=False,
    )


async def _standing(settings: Settings, partition: int) -> tuple[TopicIdentity, int, int]:
    """Which topic it is, the offset that the group has committed, and the one after the last record."""
    identity = await topic_identity(settings, settings.topic)
    if partition >= identity.partitions:
        raise Stop(ExitCode.USAGE, f"--partition {partition}: {settings.topic} has partitions 0 to {identity.partitions - 1}")
    place = TopicPartition(settings.topic, partition)
    consumer = AIOKafkaConsumer(**client_options(settings))
    try:
        await consumer.start()
        async with administration(settings) as admin:
            offsets = await admin.list_consumer_group_offsets(settings.group, partitions=[place])
        end = (await consumer.end_offsets([place]))[place]
    finally:
        await consumer.stop()
    return identity, max(0, offsets[place].offset), end
