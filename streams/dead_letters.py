"""Dead letters with their bytes: read again from their topic, and sent once more to the events topic.

A record is redriven as it came, or with mended bytes. Sending it twice does no harm, because events have ids; so the
state is changed after the brokers have the records, and a command that died in between can simply be given again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from events.codec import Decoder
from events.personal_data import anybody_allows
from events.rejection import Reason, Rejection
from sinks.clickhouse.dead_letters import REDRIVEN, DeadLetter, LogPosition, mark
from streams.clock import Clock
from streams.directory import directory_of
from streams.kafka.claim_check import MOST_BESIDE, BytesGone, claimed, has_small_headers
from streams.kafka.client import client_options
from streams.kafka.identity import topic_identity
from streams.kafka.publisher import BACKFILL, STRUCTURED, Headers, Publisher
from streams.settings import Settings
from streams.sorting import FORWARDED
from streams.warehouse import clickhouse_of
from streams.worker.outbox import PREFIX, keeps_bytes

FETCH_BYTES: Final = 8 << 20
EARLIER_MS: Final = 10 * 60_000
"""How much the clocks of a worker, ClickHouse and Kafka may differ."""
AT_ONCE: Final = 1_000
"""Records that are sent before their state is changed."""


@dataclass(frozen=True)
class Original:
    """A record as it was before it was set aside."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    left_out: str = ""
    """Digest of the value, where the dead letter does not hold the whole record: it is in the log."""


@dataclass(frozen=True)
class Redriven:
    """How many were sent; and the first one that would be refused again, before which it ended."""

    sent: int
    letter: DeadLetter | None = None
    rejection: Rejection | None = None


async def originals(settings: Settings, letters: Sequence[DeadLetter]) -> dict[LogPosition, Original]:
    """The records of these letters, read from the log where their letters do not hold them.

    Raises `BytesGone`, or aiokafka's `KafkaError` when the brokers are away.

    A letter is known by topic, partition, offset and timestamp: a topic that was made anew has the same offsets again.
    """
    wanted = {(letter.place, letter.produced_at) for letter in letters}
    found: dict[LogPosition, Original] = {}
    if wanted:
        topic = await topic_identity(settings, settings.dead_letter_topic)
        consumer = AIOKafkaConsumer(
            **client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest", max_partition_fetch_bytes=FETCH_BYTES
        )
        partitions = [TopicPartition(settings.dead_letter_topic, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        try:
            await consumer.start()
            unread = await _begin(consumer, partitions, letters)
            await _collect(consumer, unread, wanted, found)
        finally:
            await consumer.stop()
    for letter in letters:
        if letter.place not in found:
            raise BytesGone(f"the bytes of {letter.place} are not in topic {settings.dead_letter_topic}")
        if digest := found[letter.place].left_out:
            reader = partial(AIOKafkaConsumer, **client_options(settings), enable_auto_commit=False, auto_offset_reset="none")
            record = await claimed(reader, letter, digest)
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


def named_by(headers: Sequence[tuple[str, bytes | None]]) -> tuple[LogPosition, int] | None:
    """Which record a dead letter is of, and its timestamp; None where that is not told. A later header of a name counts."""
    told = {name.removeprefix(PREFIX): content for name, content in headers if name.startswith(PREFIX) and content}
    try:
        return LogPosition(told["topic"].decode(), int(told["partition"]), int(told["offset"])), int(told["timestamp"])
    except (KeyError, ValueError):
        return None


def original_of(record: Any) -> Original:
    """Undo what `streams.worker.outbox` added: its headers are the last of each name, after all of the record's own."""
    headers, left_out = list(record.headers), ""
    while headers and headers[-1][0].startswith(PREFIX):
        name, content = headers.pop()
        if name == PREFIX + "sha256":
            left_out = content.decode()
        if name == PREFIX + "reason":  # the first that the outbox adds
            break
    return Original(record.key, record.value, headers, left_out)


def mended_record(original: Original, value: bytes) -> Original:
    """The record with other bytes. A whole event in place of the binary mode's data needs none of its headers."""
    as_it_was = Original(original.key, value, original.headers)
    if isinstance(Decoder(anybody_allows).decode(value, original.headers, MUCH_LATER), Rejection):
        others = [(name, content) for name, content in original.headers if not name.startswith("ce_") and name != STRUCTURED[0][0]]
        whole = Original(original.key, value, [*STRUCTURED, *others])
        if not isinstance(Decoder(anybody_allows).decode(value, whole.headers, MUCH_LATER), Rejection):
            return whole
    return as_it_was


NOT_KEPT: Final = "nothing of the record was kept, because it looked like personal data: its publisher has to send it again without"
MUCH_LATER: Final = 1 << 52
"""A timestamp at which no event is from the future."""


async def redrive(
    settings: Settings, letters: Iterable[DeadLetter], records: Mapping[LogPosition, Original], clock: Clock, *, backfill: bool = False
) -> Redriven:
    """Send these records in order until one would be refused again, and mark those that were sent.

    `records` holds each letter's bytes, mended or not. With `backfill` they are never too late.
    """
    decoder, sent = Decoder(directory_of(settings).allows), 0
    waiting: list[DeadLetter] = []
    async with Publisher(settings) as publisher:
        for letter in letters:
            record = records[letter.place]
            decoded = _refused_again(letter, record, backfill=backfill) or decoder.decode(record.value, record.headers, clock.now())
            if isinstance(decoded, Rejection):
                await _done(settings, publisher, waiting, clock)
                return Redriven(sent, letter, decoded)
            await publisher.send(decoded[0], record.value or b"", _headers(record, backfill=backfill))
            waiting.append(letter)
            sent += 1
            if len(waiting) == AT_ONCE:
                await _done(settings, publisher, waiting, clock)
        await _done(settings, publisher, waiting, clock)
    return Redriven(sent)


def _refused_again(letter: DeadLetter, record: Original, *, backfill: bool) -> Rejection | None:
    """What no bytes mend: a case that is forgotten or full is so for this event too, and headers come along. And what has no bytes."""
    if not record.value and not keeps_bytes(letter.reason):
        return Rejection(Reason.PERSONAL_DATA, letter.path, NOT_KEPT)
    if not has_small_headers(None, record.headers):
        return Rejection(Reason.TOO_LARGE, "$", f"its headers are over {MOST_BESIDE} bytes: only its publisher can send it without them")
    if letter.reason == Reason.TOO_LATE.value and not backfill:
        return Rejection(Reason.TOO_LATE, letter.path, "the case is no longer remembered: history is taken with --backfill")
    if letter.reason == Reason.CASE_FULL.value:
        return Rejection(Reason.CASE_FULL, letter.path, letter.message)
    return None


async def _done(settings: Settings, publisher: Publisher, letters: list[DeadLetter], clock: Clock) -> None:
    """What the brokers have is redriven."""
    await publisher.flush()
    with clickhouse_of(settings).connect() as client:
        mark(client, letters, REDRIVEN, clock.now())
    letters.clear()


def _headers(record: Original, *, backfill: bool) -> Headers:
    """Its own ones; that it was sent on once does not matter any more, because it goes to its district's partition now."""
    own = [header for header in record.headers if header[0] != FORWARDED and not (backfill and header[0] == BACKFILL[0])]
    return [*own, BACKFILL] if backfill else own
