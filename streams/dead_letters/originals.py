"""The records that were set aside, with their bytes: from the topic of dead letters, or from the log where they were too large to copy."""

from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from events.exit_code import ExitCode
from sinks.clickhouse.dead_letters import DeadLetter, LogPosition
from streams.dead_letters.record import Original, named_by, original_of
from streams.kafka import claim_check, reader, topic_identity
from streams.settings import Settings

FETCH_BYTES: Final = 8 << 20
EARLIER_MS: Final = 10 * 60_000
"""How much the clocks of a worker, ClickHouse and Kafka may differ."""
ANSWERED_WITHIN_MS: Final = 30_000
"""After so long without an answer nothing is there."""


class BytesGone(Exception):
    """The bytes of a record that was set aside are not there any more."""

    exit_code = ExitCode.REFUSED


async def originals(settings: Settings, letters: Sequence[DeadLetter]) -> dict[LogPosition, Original]:
    """The records of these letters, read from the log where their letters do not hold them.

    Raises `BytesGone`, or aiokafka's `KafkaError` when the brokers are away.

    A letter is known by topic, partition, offset and timestamp: a topic that was made anew has the same offsets again.
    """
    wanted = {(letter.place, letter.produced_at) for letter in letters}
    found: dict[LogPosition, Original] = {}
    if wanted:
        topic = await topic_identity(settings, settings.dead_letter_topic)
        partitions = [TopicPartition(settings.dead_letter_topic, number) for number in range(topic.partitions)]
        options = {"auto_offset_reset": "earliest", "max_partition_fetch_bytes": FETCH_BYTES}
        async with reader(settings, partitions, **options) as consumer:
            unread = await _begin(consumer, partitions, letters)
            await _collect(consumer, unread, wanted, found)
    for letter in letters:
        if letter.place not in found:
            raise BytesGone(f"the bytes of {letter.place} are not in topic {settings.dead_letter_topic}")
        if digest := found[letter.place].left_out:
            record = await _claimed(settings, letter, digest)
            found[letter.place] = Original(record.key, record.value, list(record.headers))
    return found


async def _begin(consumer: AIOKafkaConsumer, partitions: list[TopicPartition], letters: Sequence[DeadLetter]) -> dict[TopicPartition, int]:
    """Stand where the earliest of them can be: a row is written just before its record. Returns the ends to read up to."""
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    if all(letter.version == 0 for letter in letters):
        since = min(letter.changed_at for letter in letters) - EARLIER_MS
        for partition, at in (await consumer.offsets_for_times(dict.fromkeys(partitions, since))).items():
            consumer.seek(partition, ends[partition] if at is None else at.offset)
    return {partition: end for partition, end in ends.items() if await consumer.position(partition) < end}


async def _collect(
    consumer: AIOKafkaConsumer, unread: dict[TopicPartition, int], wanted: set[tuple[LogPosition, int]], found: dict[LogPosition, Original]
) -> None:
    while unread and len(found) < len(wanted):
        for records in (await consumer.getmany(*unread, timeout_ms=500)).values():
            for record in records:
                named = named_by(record.headers)
                if named in wanted:
                    found[named[0]] = original_of(record)
        unread = {partition: end for partition, end in unread.items() if await consumer.position(partition) < end}


async def _claimed(settings: Settings, letter: DeadLetter, digest: str) -> Any:
    """The record itself (aiokafka's ConsumerRecord), read where it stands in the log. Raises `BytesGone`."""
    tp = TopicPartition(letter.topic, letter.partition)
    async with reader(settings, [tp]) as consumer:
        first, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
        if first > letter.offset:
            raise BytesGone(
                f"the record at {letter.place} was too large to be copied to its dead letter, and the topic keeps nothing before offset "
                f"{first} any more (its retention.ms should be -1): only its publisher may still have it"
            )
        consumer.seek(tp, letter.offset)
        found = (await consumer.getmany(tp, timeout_ms=ANSWERED_WITHIN_MS, max_records=1)).get(tp, ()) if letter.offset < end else ()
    wanted = letter.offset, letter.produced_at, digest
    record = next((each for each in found if (each.offset, each.timestamp, claim_check(each.value).digest) == wanted), None)
    if record is None:
        raise BytesGone(
            f"the record at {letter.place} was too large to be copied to its dead letter, and another one stands there now: the topic was "
            "made anew or lost its end, so only its publisher may still have it"
        )
    return record
