"""The clocks of one partition, none of which ever goes back, and how far its log is folded.

Lateness has a clock of its own: what a worker that died took in is not too late now because its rows were ahead of its state.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, msgpack

from projections.case import ENCODE

CLOCK_KEY: Final = b" clock"
"""Of the clock's record in the changelog. No case has it: a district's name is not empty."""
MOST_AHEAD_MS: Final = 5 * 60_000
"""A record whose timestamp is further ahead of the wall clock does not move a partition's."""


class ClockRecord(Struct, array_like=True, frozen=True, gc=False):
    """What a restart has to know: where the clock stands, the offset after the last record folded, and when nobody was notified.

    `watermark` is None where it is the same as the clock.
    """

    now: int
    next_offset: int
    muted: tuple[tuple[int, int], ...] = ()
    watermark: int | None = None


decode_clock: Final = msgpack.Decoder(ClockRecord).decode


class StreamTime:
    """Stream time in the sense of Kafka Streams. Mutable, owned by one partition; instants in ms."""

    def __init__(self, now: int = 0, next_offset: int = 0) -> None:
        self.now = now
        """The largest timestamp of a record so far, or the wall clock where that was asked for."""
        self.watermark = now
        """The largest timestamp of a record so far, and when something was last forgotten: what is 100 days older may be too late."""
        self.rows_from = 0
        """No row is given out as of an earlier instant."""
        self.next_offset = next_offset
        """The offset after the last record that was folded."""

    @property
    def as_of(self) -> int:
        """The instant of the rows that are given out now."""
        return max(self.now, self.rows_from)

    def advance(self, to: int) -> None:
        self.now = max(self.now, to)

    def restore(self, record: ClockRecord) -> None:
        """Go on from there, where that is later."""
        self.advance(record.now)
        self.watermark = max(self.watermark, record.now if record.watermark is None else record.watermark)
        self.next_offset = max(self.next_offset, record.next_offset)

    def record(self, muted: tuple[tuple[int, int], ...]) -> bytes:
        """The clock's record; `muted` are the intervals of `promises`."""
        return ENCODE(ClockRecord(self.now, self.next_offset, muted, self.watermark))
