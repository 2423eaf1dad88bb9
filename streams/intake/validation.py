"""Judges each event of a request: by the contract, with the worker's own decoder, and by what its publisher may send.

What is accepted is a record, ready for the partition of its district, with the timestamp that it was judged by. It is written
anew from what was decoded: extensions, parameters, members that stand twice and whatever else the contract does not know are
stored nowhere. Unknown members of `data` are named in the answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from events.codec import Decoder
from events.kinds import rewritten
from events.partition import partition_of
from events.personal_data import Allows, nobody_allows
from events.rejection import Rejection
from streams.intake.grant import Grant
from streams.intake.submission import Posted

FORBIDDEN = "forbidden"
"""Beside the reasons of the contract: the token does not cover the event."""


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """One event for Kafka, in structured mode; `timestamp` in ms."""

    partition: int
    key: bytes
    value: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an event was not taken. `reason` is one of `events.rejection.Reason`, or `FORBIDDEN`."""

    reason: str
    path: str
    message: str


Verdict = OutgoingRecord | Rejected


@dataclass
class Validated:
    """Verdicts in the order of the request, and the names of members that were left out, with how many events had them."""

    verdicts: list[Verdict] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def records(self) -> list[OutgoingRecord]:
        return [verdict for verdict in self.verdicts if isinstance(verdict, OutgoingRecord)]

    @property
    def rejected(self) -> list[Rejected]:
        return [verdict for verdict in self.verdicts if isinstance(verdict, Rejected)]


class Validator:
    """Judges for a topic with so many partitions; `allows` is the directory's."""

    def __init__(self, partitions: int, allows: Allows = nobody_allows) -> None:
        self._partitions = partitions
        self._decoder = Decoder(allows)

    def judged(self, posted: Sequence[Posted], grant: Grant, now: int, into: Validated) -> None:
        """Add a verdict on each of these; `now` (ms) becomes the timestamp of the records."""
        into.verdicts.extend(self._verdict(each, grant, now, into.dropped) for each in posted)

    def _verdict(self, posted: Posted, grant: Grant, now: int, dropped: dict[str, int]) -> Verdict:
        decoded = posted.spoilt or self._decoder.decode(posted.value, posted.headers, now)
        if isinstance(decoded, Rejection):
            return Rejected(decoded.reason.value, decoded.path, decoded.message)
        district, subject, event = decoded
        forbidden = grant.forbids(district, event)
        unknown = list(self._unknown())
        if forbidden is not None:
            return Rejected(FORBIDDEN, forbidden, "this token may not publish that")
        dropped.update({name: dropped.get(name, 0) + 1 for name in unknown})
        return OutgoingRecord(partition_of(district, self._partitions), district.encode(), rewritten(district, subject, event), now)

    def _unknown(self) -> Iterator[str]:
        """What the decoder has counted since it was asked last: of one event."""
        counted = self._decoder.unknown_members
        if counted:
            yield from counted
            counted.clear()
