"""From a fetched record to what the fold takes: decoded, checked against its partition, or set aside with the reason.

Nothing is decided here that depends on other records; that is the fold's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from events.codec import Decoder
from events.contract import TOO_LARGE
from events.headers import BACKFILL, FORWARDED, SET
from events.partition import partition_of
from events.personal_data import Allows, nobody_allows
from events.rejection import Reason, Rejection
from projections.partition import Entry
from streams.kafka import MOST_BESIDE, ClaimCheck, Value, has_small_headers

TOO_LARGE_TO_BE_SENT_ON = Rejection(
    Reason.TOO_LARGE, "$", f"is in another partition than its district's, and has a key and headers of over {MOST_BESIDE} bytes"
)


class Record(Protocol):
    """What is read of a Kafka record (aiokafka's ConsumerRecord)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: Value
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Refused:
    """A record that cannot be counted, and why."""

    record: Record
    rejection: Rejection


@dataclass
class Sorted:
    """One fetch of one partition, sorted: what to fold (with the records it came from), to send on, to set aside."""

    entries: list[Entry] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    misrouted: list[tuple[Record, int]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def before(self, offset: int) -> "Sorted":
        """What is here of the records before that offset."""
        return Sorted(
            [entry for entry in self.entries if entry[0] < offset],
            [record for record in self.records if record.offset < offset],
            [(record, home) for record, home in self.misrouted if record.offset < offset],
            [refused for refused in self.refused if refused.record.offset < offset],
        )


class Sorter:
    """Sorts the records of one topic with a given number of partitions."""

    def __init__(self, partitions: int, allows: Allows = nobody_allows) -> None:
        self._partitions = partitions
        self.decoder = Decoder(allows)

    def sort(self, partition: int, records: Sequence[Record]) -> Sorted:
        out = Sorted()
        decode = self.decoder.decode
        partitions = self._partitions
        for r in records:
            headers, value = r.headers, r.value
            decoded = TOO_LARGE if isinstance(value, ClaimCheck) else decode(value, headers, r.timestamp)
            if isinstance(decoded, Rejection):
                out.refused.append(Refused(r, decoded))
                continue
            district, subject, event = decoded
            home = partition_of(district, partitions)
            if home != partition:
                self._misrouted(out, r, home)
                continue
            backfill = bool(headers) and _flag(headers, BACKFILL)
            out.entries.append((r.offset, r.timestamp, backfill, district, subject, event))
            out.records.append(r)
        return out

    def _misrouted(self, out: Sorted, record: Record, home: int) -> None:
        """Sent on once; a record that was sent on already and is wrong again has a district that nobody can place."""
        if _flag(record.headers, FORWARDED):
            reason = Rejection(Reason.MISROUTED, "$.data.district", f"belongs to partition {home}, and was sent on before")
            out.refused.append(Refused(record, reason))
        elif not has_small_headers(record.key, record.headers):
            out.refused.append(Refused(record, TOO_LARGE_TO_BE_SENT_ON))
        else:
            out.misrouted.append((record, home))


def _flag(headers: Sequence[tuple[str, bytes]], name: str) -> bool:
    for key, value in headers:  # noqa: SIM110 - `any` takes twice the time, for every record
        if key == name and value == SET:
            return True
    return False
