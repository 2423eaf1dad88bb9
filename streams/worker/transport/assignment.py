"""The partitions in hand: which of them may be fetched, delivered, written and committed, and under which epoch.

The flow of records makes rebalances safe. It is HELD while nothing is in hand, SOUGHT once every partition stands at its committed
offset, OPEN while records are delivered, and CLOSED from the revoke until what is finished has been committed. The epoch
counts assignments, so that whatever was begun under an earlier one is recognised and dropped. Records must follow each
other: what aiokafka gives has to start at the position where the last ones ended, or records were dropped on the way.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from events.exit_code import ExitCode
from streams.worker.transport.away import Away, now_s
from streams.worker.transport.offset_tracker import Fetched, OffsetTracker

FRESH_S = 5.0
"""How old the news that a partition has nothing more may be."""
LEAST_RECORDS = 100
FIRST_GUESS_BYTES = 16_384.0
"""Bytes of a record before any was seen: the first fetch is small rather than large."""


@dataclass(frozen=True)
class Bounds:
    """How much may be delivered and unfinished. A partition over its bound is not fetched until half of it is done.

    The total is what partitions share; one that holds less than an equal part goes on when it is reached, so at most twice as much is held.
    """

    records: int = 40_000
    bytes: int = 32 << 20
    total_records: int = 200_000
    total_bytes: int = 128 << 20
    fetch_records: int = 20_000
    """At most so many in one `Fetched`."""


@dataclass(frozen=True)
class FetchedRange:
    """What one fetch gave for a partition: it went from position `before` to `after`, with these records on the way."""

    partition: int
    before: int
    records: Sequence[Any]
    after: int
    highwater: int | None
    polled_at: float


class FlowState(Enum):
    HELD = auto()
    SOUGHT = auto()
    OPEN = auto()
    CLOSED = auto()


class Hole(Exception):
    """A fetch did not start where the last one ended: records were dropped between aiokafka and here."""

    exit_code = ExitCode.MISTAKE


class PartitionAssignment:
    """State of the consumer, for one thread of control. Mutable; nothing here waits or does I/O."""

    def __init__(self, bounds: Bounds, away: Away, *, clock: Callable[[], float] = now_s) -> None:
        self.bounds = bounds
        self.epoch = 0
        self.flow = FlowState.HELD
        self.changed = asyncio.Event()
        """Set when more may be fetched than before."""
        self.finished = asyncio.Event()
        """Set when more may be committed than before."""
        self._away = away
        self._clock = clock
        self._trackers: dict[int, OffsetTracker] = {}
        self._full: set[int] = set()
        self._heavy: set[int] = set()
        self._mean_bytes = FIRST_GUESS_BYTES

    # -- what the receiver asks -------------------------------------------------------------------------------------------
    def beat(self) -> None:
        """End the process if it was away so long that the group may have replaced it."""
        self._away.beat()

    def holds(self, partition: int, epoch: int) -> bool:
        """Whether the partition is still in hand under that epoch; once False, False for good."""
        tracker = self._trackers.get(partition)
        return tracker is not None and tracker.epoch == epoch

    def committed_to(self, partition: int) -> int:
        """The offset up to which the group has committed; 0 for a partition that is not in hand."""
        tracker = self._trackers.get(partition)
        return 0 if tracker is None else tracker.committed

    def caught_up(self, partition: int) -> bool:
        """Whether everything in the partition is done, by news less than 5 s old."""
        tracker = self._trackers.get(partition)
        if tracker is None or self.flow is not FlowState.OPEN or tracker.highwater is None:
            return False
        return tracker.idle and tracker.expected >= tracker.highwater and self._clock() - tracker.polled_at < FRESH_S

    # -- rebalances ---------------------------------------------------------------------------------------------------
    def begin(self, starts: Mapping[int, int]) -> int:
        """These partitions are in hand from these offsets on. Returns the new epoch."""
        self.epoch += 1
        self._trackers = {p: OffsetTracker(p, self.epoch, start, self._moved) for p, start in starts.items()}
        self._full.clear()
        self.flow = FlowState.SOUGHT
        return self.epoch

    def open(self) -> bool:
        """Deliver from here on; only where `begin` came before."""
        if self.flow is FlowState.SOUGHT:
            self.flow = FlowState.OPEN
            self.changed.set()
        return self.flow is FlowState.OPEN

    def close(self) -> bool:
        """Deliver no more. True when there is something in hand."""
        if self.flow in (FlowState.SOUGHT, FlowState.OPEN):
            self.flow = FlowState.CLOSED
            return True
        return False

    def forget(self) -> None:
        """Nothing is in hand any more."""
        self.epoch += 1
        self.flow = FlowState.HELD
        self._trackers = {}
        self._full.clear()

    def delivers(self, epoch: int) -> bool:
        """Whether records of that epoch may be delivered now."""
        return self.flow is FlowState.OPEN and epoch == self.epoch

    # -- fetching -----------------------------------------------------------------------------------------------------
    def wanted(self) -> list[int]:
        """Partitions to fetch now. When all together hold too much, those that hold less than their share of it go on.

        So partitions that stand, because their breaker is open, cannot stop the others.
        """
        if self.flow is not FlowState.OPEN:
            return []
        self._full = {p for p, tracker in self._trackers.items() if self._is_full(tracker)}
        self._heavy = {p for p, tracker in self._trackers.items() if self._is_heavy(tracker)} if self._over_total() else set()
        return [p for p in self._trackers if p not in self._full and p not in self._heavy]

    @property
    def pressed(self) -> bool:
        """Some partition was over its bound, or its share, when last asked for the wanted ones."""
        return bool(self._full or self._heavy)

    def fetch_limit(self) -> int:
        """Records that the next fetch may give: as many as half a partition's bytes are likely to hold."""
        likely = int(self.bounds.bytes / 2 / max(1.0, self._mean_bytes))
        return max(LEAST_RECORDS, min(self.bounds.fetch_records, likely))

    def receive(self, span: FetchedRange) -> Fetched | None:
        """Take a fetch's records; None when there were none. Raises `Hole` when it did not start where the last one ended."""
        tracker = self._trackers[span.partition]
        if span.before != tracker.expected:
            raise Hole(f"partition {span.partition}: fetched from {span.before}, expected {tracker.expected}")
        tracker.highwater, tracker.polled_at = span.highwater, span.polled_at
        if not span.records:
            if span.after != tracker.expected:
                tracker.pass_over(span.after)
            return None
        fetched = tracker.deliver(span.records, span.after)
        self._mean_bytes = max(1.0, fetched.size / len(span.records))
        return fetched

    def expected(self, partition: int) -> int:
        """The position from which the partition's next records must come."""
        return self._trackers[partition].expected

    # -- committing ---------------------------------------------------------------------------------------------------
    def committable(self) -> dict[int, int]:
        """Offsets beyond the committed ones, by partition."""
        return {p: tracker.finished_to for p, tracker in self._trackers.items() if tracker.finished_to > tracker.committed}

    def committed(self, offsets: Mapping[int, int], epoch: int) -> None:
        """The group has these offsets now."""
        for partition, offset in offsets.items():
            if self.holds(partition, epoch):
                self._trackers[partition].committed = offset

    # -- inside -------------------------------------------------------------------------------------------------------
    def _moved(self) -> None:
        self.finished.set()
        self.changed.set()

    def _over_total(self) -> bool:
        trackers = self._trackers.values()
        return sum(x.records for x in trackers) >= self.bounds.total_records or sum(x.bytes for x in trackers) >= self.bounds.total_bytes

    def _is_heavy(self, tracker: OffsetTracker) -> bool:
        count = len(self._trackers)
        return tracker.records * count >= self.bounds.total_records or tracker.bytes * count >= self.bounds.total_bytes

    def _is_full(self, tracker: OffsetTracker) -> bool:
        share = 0.5 if tracker.partition in self._full else 1.0
        return tracker.records >= share * self.bounds.records or tracker.bytes >= share * self.bounds.bytes
