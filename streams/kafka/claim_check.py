"""What is too large to be copied stays in the log, and whoever sets it aside keeps a claim check: its place, size and digest.

(A message of Enterprise Integration Patterns, Hohpe and Woolf.) A few kilobytes on the wire may be many megabytes once unpacked, so a
value that is too large to be an event is given up as soon as it has been read: what a worker holds does not grow with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from events.contract import LARGEST
from events.exit_code import ExitCode
from sinks.clickhouse.dead_letters import DeadLetter

MOST_COPIED: Final = 64 * 1024
"""Bytes of a value that are copied to a dead letter."""
MOST_BESIDE: Final = 16 * 1024
"""Bytes of a record's key and headers that are copied, or sent on with it."""
EACH_HEADER: Final = 32
"""Bytes that a header counts beside its own: many small ones are a lot, too."""
SILENCE_MS: Final = 30_000
"""After so long without an answer nothing is there."""


class BytesGone(Exception):
    """The bytes of a record that was set aside are not there any more."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """Stands in for a value that was left in the log: its bytes, and their SHA-256 in hexadecimal digits."""

    size: int
    digest: str

    def __len__(self) -> int:
        return self.size


Value = bytes | ClaimCheck | None
"""Of a record: its bytes, or what stands in for them."""


def checked(value: bytes | None) -> Value:
    """Keep what may be an event; a deserializer of aiokafka."""
    return value if value is None or len(value) <= LARGEST else claim_check(value)


def claim_check(value: Value) -> ClaimCheck:
    return value if isinstance(value, ClaimCheck) else ClaimCheck(len(value or b""), sha256(value or b"").hexdigest())


def is_copied(value: Value) -> bool:
    """Whether a dead letter holds the value itself."""
    return len(value or b"") <= MOST_COPIED


def has_small_headers(key: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bool:
    """Whether a key and headers are few enough to be copied or sent on."""
    beside = sum(EACH_HEADER + len(name.encode(errors="replace")) + len(content or b"") for name, content in headers)
    return len(key or b"") + beside <= MOST_BESIDE


async def claimed(consumer: Callable[[], AIOKafkaConsumer], letter: DeadLetter, digest: str) -> Any:
    """The record itself (aiokafka's ConsumerRecord), read where it stands in the log.

    `consumer` makes a consumer without a group. Raises `BytesGone`, or aiokafka's `KafkaError` when the brokers are away.
    """
    reader, tp = consumer(), TopicPartition(letter.topic, letter.partition)
    reader.assign([tp])
    try:
        await reader.start()
        first, end = (await reader.beginning_offsets([tp]))[tp], (await reader.end_offsets([tp]))[tp]
        if first > letter.offset:
            raise BytesGone(
                f"the record at {letter.place} was too large to be copied to its dead letter, and the topic keeps nothing before offset "
                f"{first} any more (its retention.ms should be -1): only its publisher may still have it"
            )
        reader.seek(tp, letter.offset)
        found = (await reader.getmany(tp, timeout_ms=SILENCE_MS, max_records=1)).get(tp, ()) if letter.offset < end else ()
    finally:
        await reader.stop()
    wanted = letter.offset, letter.produced_at, digest
    record = next((each for each in found if (each.offset, each.timestamp, claim_check(each.value).digest) == wanted), None)
    if record is None:
        raise BytesGone(
            f"the record at {letter.place} was too large to be copied to its dead letter, and another one stands there now: the topic was "
            "made anew or lost its end, so only its publisher may still have it"
        )
    return record
