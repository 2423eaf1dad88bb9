"""What one batch of the processor works on: the partitions in hand, and what was taken of them this time."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from projections.partition import Partition
from streams.sorting import Record, Refused, Sorted
from streams.worker.breaker import Breaker, Flood
from streams.worker.ports import FetchedRecords


@dataclass(frozen=True)
class DeliveryPart:
    """Some of the records of what was fetched; only the last part finishes it."""

    whole: FetchedRecords
    records: Sequence[Record]
    is_last: bool

    @property
    def partition(self) -> int:
        return self.whole.partition

    @property
    def epoch(self) -> int:
        return self.whole.epoch

    def finish(self) -> None:
        if self.is_last:
            self.whole.finish()


@dataclass
class Held:
    """A partition in hand. `state` is None until it has been recovered, and again when a batch with it did not end.

    While there is a `flood`, what was fetched is `parked`: neither folded nor set aside.
    """

    epoch: int
    breaker: Breaker
    state: Partition | None = None
    changelog_end: int = 0
    recovered: bool = False
    day: int = 0
    doubtful_to: int = 0
    """Up to this offset another worker may have written rows that its state does not know."""
    flood: Flood | None = None
    parked: deque[FetchedRecords] = field(default_factory=deque)


@dataclass
class Batch:
    """One round of work over all partitions."""

    fetched: list[FetchedRecords] = field(default_factory=list)
    sorted: list[Sorted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def partitions(self) -> set[int]:
        return {f.partition for f in self.fetched}
