"""The breaker of one partition: a broken publisher must not drain the log into the dead letters.

It is a function of the log and of what people accepted: each record is judged once, in the order of offsets, against the
minute of its own timestamp, so neither batches nor restarts decide where it opens. Its memory goes to the changelog with
the state of the same records; what was judged before passes again without being counted twice.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from msgspec import msgpack

from streams.sorting import Record

BREAKER_KEY: Final = b" breaker"
"""Of the changelog. No case has it: a district's name is not empty."""
MOST_REFUSED: Final = 1_000
MOST_SHARE: Final = 0.5
"""Over both of these, within one minute, it opens."""
MINUTES_KEPT: Final = 32
"""Records come about in the order of their timestamps; of the minutes that were begun first, the oldest is given up."""
MINUTE_MS: Final = 60_000

_offset = attrgetter("offset")
_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(tuple[int, int, dict[int, tuple[int, int]]]).decode


@dataclass(frozen=True)
class Flood:
    """Why a partition stands: with the record at `offset`, which was not taken, so many of a minute's records are refused."""

    partition: int
    offset: int
    minute: int
    refused: int
    records: int

    def __str__(self) -> str:
        return (
            f"partition {self.partition} stands at offset {self.offset}: {self.refused:,} of {self.records:,} records of one minute "
            f"are refused; look at them with `frontdesk dead-letters list --partition {self.partition}`, let them pass with "
            f"`frontdesk dead-letters accept --partition {self.partition} --until OFFSET`"
        )


class Breaker:
    """Counts of one partition, for one thread of control."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._judged = 0
        self._accepted = 0
        self._minutes: dict[int, tuple[int, int]] = {}
        self._written = self.memory()

    def judge(self, records: Sequence[Record], refused: Collection[int]) -> Flood | None:
        """Judge records that follow the ones before; `refused` holds the offsets of the bad ones.

        Returns the record at which it opens, or None when all pass. What is not taken is not counted: asked again, the answer
        is the same until it is accepted.
        """
        fresh = self._not_judged_yet(records)
        minute, total, bad = None, 0, 0
        for record in fresh:
            its_minute = record.timestamp // MINUTE_MS
            if its_minute != minute:  # they come in runs: 0.1 us a record less than asking for each
                self._note(minute, total, bad)
                minute = its_minute
                total, bad = self._minutes.get(minute) or self._begin()
            total += 1
            if refused and record.offset in refused:
                bad += 1
                if bad > MOST_REFUSED and bad > MOST_SHARE * total:
                    self._note(minute, total - 1, bad - 1)
                    self._judged = record.offset
                    return Flood(self._partition, record.offset, minute, bad, total)
        self._note(minute, total, bad)
        if records:
            self._judged = max(self._judged, records[-1].offset + 1)
        return None

    def _not_judged_yet(self, records: Sequence[Record]) -> Sequence[Record]:
        """Leave out what passes: what was judged before, and what was accepted, with which counting begins anew."""
        first = bisect_left(records, self._judged, key=_offset)
        if first < len(records) and records[first].offset < self._accepted:
            self._minutes.clear()
            first = bisect_left(records, self._accepted, key=_offset)
        return records[first:] if first else records

    def _note(self, minute: int | None, total: int, bad: int) -> None:
        if minute is not None:
            self._minutes[minute] = total, bad

    def _begin(self) -> tuple[int, int]:
        if len(self._minutes) == MINUTES_KEPT:
            del self._minutes[next(iter(self._minutes))]
        return 0, 0

    def accept(self, until: int) -> None:
        """Let everything up to and with offset `until` pass. It is not counted, nor is what came before it."""
        self._accepted = max(self._accepted, until + 1)

    @property
    def judged(self) -> int:
        """Every record before this offset has been judged, or was none."""
        return self._judged

    # -- memory -------------------------------------------------------------------------------------------------------
    def memory(self) -> bytes:
        """All that it knows, for the changelog."""
        return _encode((self._judged, self._accepted, self._minutes))

    def news(self) -> list[tuple[bytes, bytes | None]]:
        """Its record of the changelog, if anything changed since it was last asked."""
        memory = self.memory()
        if memory == self._written:
            return []
        self._written = memory
        return [(BREAKER_KEY, memory)]

    def restore(self, memory: bytes | None) -> None:
        """Take one record of the changelog. One that knows less than another, from a worker that had been stopped, adds nothing."""
        if memory is not None:
            judged, accepted, minutes = _decode(memory)
            self._accepted = max(self._accepted, accepted)
            if judged >= self._judged:
                self._judged, self._minutes = judged, minutes
            self._written = memory
