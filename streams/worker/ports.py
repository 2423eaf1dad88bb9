"""What the processor needs of the world around it: records, permission to write, a place for rows, somebody who counts.

Tests put small fakes here; the worker puts the consumer, ClickHouse and the metrics.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from projections.archive import Archived
from streams.sorting import Record

Columns = list[Any]
Cell = tuple[str, str, str, str]
"""District, scope, school, department."""


class FetchedRecords(Protocol):
    """Some records of one partition, in order, as the consumer hands them over."""

    @property
    def partition(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def records(self) -> Sequence[Record]: ...
    def finish(self) -> None:
        """From here on the offset after these records may be committed."""


class Guard(Protocol):
    """Whether this process may still write (`streams.worker.transport`)."""

    def beat(self) -> None:
        """End the process if it was away so long that the group has replaced it."""

    def holds(self, partition: int, epoch: int) -> bool: ...
    def caught_up(self, partition: int) -> bool: ...
    def committed_to(self, partition: int) -> int:
        """The offset up to which the group has committed."""


class Rows(Protocol):
    """Where rows go and what is known of them (`sinks.clickhouse`)."""

    async def write(self, tables: dict[str, Columns]) -> None: ...
    async def cells_not_empty(self, partition: int) -> list[Cell]: ...
    async def newest_as_of(self, partition: int) -> int:
        """The latest instant, in ms, that a row of `windows` speaks of; 0 where there is none."""

    async def events_of(self, cases: Sequence[tuple[str, str]]) -> list[Archived]:
        """What there is of each of these cases of which the archive holds any event."""


class Meter(Protocol):
    """What the metrics want to know (`sinks.metrics`)."""

    def folded(self, produced_at: Sequence[int], readable_at: int) -> None: ...
    def refused(self, reason: str) -> None: ...
    def forwarded(self, records: int) -> None: ...
    def recovered(self, partition: int, records: int) -> None: ...
    def announced(self, target: str, stage: str, state: str) -> None: ...
