"""A dead letter as a Kafka record: the refused one, with headers that say where it came from and what is wrong. Written, and read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from events.headers import DEAD_LETTER
from events.rejection import Reason
from sinks.clickhouse.dead_letters import LogPosition
from streams.kafka import ClaimCheck, Headers, claim_check, has_small_headers, is_copied
from streams.sorting import Refused


def dead_letter_headers(refused: Refused) -> list[tuple[str, bytes]]:
    """The record's own headers, where they are kept, then where it came from and what is wrong with it, as text.

    Where the record is not copied in full its size and digest follow: then it is read where it came from. Of one that is not to be kept
    there is neither.
    """
    record, rejection = refused.record, refused.rejection
    facts = {
        "reason": rejection.reason.value,
        "path": rejection.path,
        "message": rejection.message,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
    }
    if not keeps_bytes(rejection.reason):
        return [(DEAD_LETTER + name, str(fact).encode()) for name, fact in facts.items()]
    own = record.headers if has_small_headers(record.key, record.headers) else ()
    if dead_letter_body(refused) != (record.key, record.value) or own is not record.headers:
        check = claim_check(record.value)
        facts |= {"bytes": check.size, "sha256": check.digest}
    return [*own, *((DEAD_LETTER + name, str(fact).encode()) for name, fact in facts.items())]


def keeps_bytes(reason: str) -> bool:
    """Whether a dead letter holds anything of its record. Of personal data not even a hash: all telephone numbers can be tried out."""
    return reason != Reason.PERSONAL_DATA


def dead_letter_body(refused: Refused) -> tuple[bytes | None, bytes | None]:
    """Key and value of a dead letter: null and empty where they are not kept. aiokafka sends no record of two nulls."""
    record = refused.record
    if not keeps_bytes(refused.rejection.reason):
        return None, b""
    key = record.key if has_small_headers(record.key, record.headers) else None
    value = b"" if isinstance(record.value, ClaimCheck) or not is_copied(record.value) else record.value
    return key, b"" if key is None and value is None else value


@dataclass(frozen=True)
class Original:
    """A record as it was before it was set aside."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    left_out: str = ""
    """Digest of the value, where the dead letter does not hold the whole record: it is in the log."""


def named_by(headers: Sequence[tuple[str, bytes | None]]) -> tuple[LogPosition, int] | None:
    """Which record a dead letter is of, and its timestamp; None where that is missing. A later header of a name counts."""
    named = {name.removeprefix(DEAD_LETTER): content for name, content in headers if name.startswith(DEAD_LETTER) and content}
    try:
        return LogPosition(named["topic"].decode(), int(named["partition"]), int(named["offset"])), int(named["timestamp"])
    except (KeyError, ValueError):
        return None


def original_of(record: Any) -> Original:
    """Undo what `dead_letter_headers` added: its headers are the last of each name, after all of the record's own."""
    headers, left_out = list(record.headers), ""
    while headers and headers[-1][0].startswith(DEAD_LETTER):
        name, content = headers.pop()
        if name == DEAD_LETTER + "sha256":
            left_out = content.decode()
        if name == DEAD_LETTER + "reason":  # the first that `dead_letter_headers` adds
            break
    return Original(record.key, record.value, headers, left_out)
