"""The four topics and what must be true of them.

A district's place is `murmur2(district) mod partitions`, and a worker's state of a partition lies in the changelog's
partition of the same number. So a topic with another number of partitions than the settings say is refused, never used.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError, for_code

from events.exit_code import ExitCode
from streams.kafka.client import administration
from streams.settings import Settings

FOR_EVER = "-1"
AN_HOUR_MS = "3600000"
SAFE_REPLICATION = 3
BATCH_BYTES = 1_048_588
"""What a topic takes at once: Kafka's own default, said here so that it does not depend on the brokers' settings."""
STATE_BATCH_BYTES = 2 << 20
"""The same of the changelog: twice what a case may weigh (`projections.capacity`), for two states of one case that are united."""
PROPAGATED_WITHIN_S = 20.0
LOOK_AGAIN_S = 0.02


class TopicMismatch(Exception):
    """A topic exists with another number of partitions than the settings say."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str] = field(default_factory=dict)


def changelog_of(settings: Settings, epoch: int) -> str:
    """Each incarnation of the log has a changelog of its own: its state lies in other partitions, and the old one may be wanted again."""
    return settings.changelog_topic if epoch == 1 else f"{settings.changelog_topic}-{epoch}"


def topics(settings: Settings) -> tuple[Topic, ...]:
    """Events and dead letters are kept for ever; of the changelog Kafka keeps the newest record of each key, but all for an hour."""
    safe = {"min.insync.replicas": "2"} if settings.kafka_replication >= SAFE_REPLICATION else {}
    kept = {"retention.ms": FOR_EVER, "retention.bytes": FOR_EVER}
    compacted = {"cleanup.policy": "compact", "min.compaction.lag.ms": AN_HOUR_MS}
    size = {"max.message.bytes": str(BATCH_BYTES)}
    configs = {
        settings.topic: kept | size,
        settings.changelog_topic: compacted | {"max.message.bytes": str(STATE_BATCH_BYTES)},
        settings.dead_letter_topic: kept | size,
        settings.breach_topic: size,
    }
    return tuple(Topic(name, settings.partitions, settings.kafka_replication, safe | config) for name, config in configs.items())


async def ensure_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing and return their names.

    Raises `TopicMismatch`, or aiokafka's `KafkaError` when the brokers are away or refuse.
    """
    wanted = topics(settings)
    async with administration(settings) as admin:
        existing = await partition_counts(admin)
        missing = [topic for topic in wanted if topic.name not in existing]
        if missing:
            existing = await _make(admin, missing)
        _compare(wanted[0], existing[settings.topic])
    return [topic.name for topic in missing]


async def ensure_changelog(settings: Settings, epoch: int, partitions: int) -> None:
    """Make the changelog of an epoch where it is missing."""
    [ours] = [topic for topic in topics(settings) if topic.name == settings.changelog_topic]
    wanted = replace(ours, name=changelog_of(settings, epoch), partitions=partitions)
    async with administration(settings) as admin:
        if wanted.name not in await partition_counts(admin):
            await _make(admin, [wanted])


async def forget_changelog(settings: Settings, epoch: int) -> None:
    """Delete the changelog of an epoch that never came into force."""
    name = changelog_of(settings, epoch)
    async with administration(settings) as admin:
        if name in await partition_counts(admin):
            await admin.delete_topics([name])
            await _wait_for(admin, lambda topics: name not in topics)


async def partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Of all topics: asking for one by name would make it where brokers make topics by themselves."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _make(admin: AIOKafkaAdminClient, missing: list[Topic]) -> dict[str, int]:
    """Give the number of partitions of all topics, these among them: somebody else may have been quicker, and made them otherwise."""
    new = [NewTopic(t.name, t.partitions, t.replication, topic_configs=dict(t.configs)) for t in missing]
    response = await admin.create_topics(new)
    for name, code, *message in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise for_code(code)(f"topic {name}: {message[0] if message and message[0] else for_code(code).description}")
    return await _wait_for(admin, lambda topics: all(topic.name in topics for topic in missing))


async def _wait_for(admin: AIOKafkaAdminClient, is_so: Callable[[Mapping[str, int]], bool]) -> dict[str, int]:
    """Wait until the broker shows what its controller has done, of which it hears only after the controller's answer."""
    try:
        async with asyncio.timeout(PROPAGATED_WITHIN_S):
            while not is_so(topics := await partition_counts(admin)):  # noqa: ASYNC110 - Kafka tells nobody when it is done
                await asyncio.sleep(LOOK_AGAIN_S)
            return topics
    except TimeoutError as error:
        raise KafkaTimeoutError(f"the broker does not show its topics as changed after {PROPAGATED_WITHIN_S:.0f} s: try again") from error


def _compare(events: Topic, found: int) -> None:
    """Of the others only the changelog in force must have as many, which workers look at; which it is stands in ClickHouse."""
    if found != events.partitions:
        raise TopicMismatch(
            f"topic {events.name} has {found} partitions, but FRONTDESK_PARTITIONS is {events.partitions}: "
            f"set it to {found}, or choose other topics (FRONTDESK_TOPIC, ...)"
        )
