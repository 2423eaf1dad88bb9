"""What one batch of the processor works on: what was taken of each partition this time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.sorting import Record, Refused, Sorted


class FetchedRecords(Protocol):
    """Some records of one partition, in order: as the consumer hands them over, or a part of that."""

    @property
    def partition(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def records(self) -> Sequence[Record]: ...
    def finish(self) -> None:
        """From here on the offset after these records may be committed."""


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
class Batch:
    """One round of work over all partitions."""

    fetched: list[FetchedRecords] = field(default_factory=list)
    sorted: list[Sorted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def partitions(self) -> set[int]:
        return {f.partition for f in self.fetched}
