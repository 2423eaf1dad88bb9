"""Recovery of a partition: its state is read from the changelog, and then every cell is written again, empty ones too.

Rows may be ahead of the changelog: a worker that died had written them. A row older than what stands would never be seen, so rows
go on from the newest one in ClickHouse.
"""

import asyncio
import contextlib
from dataclasses import dataclass

import structlog

from events.directory import Directory
from projections.partition import Partition
from sinks.clickhouse.store import Store
from sinks.metrics import WorkerMetrics
from streams.worker.breaker import BREAKER_KEY, Breaker
from streams.worker.changelog import Changelog
from streams.worker.continuity import Continuity
from streams.worker.held import Held
from streams.worker.transport import PartitionAssignment

MOST_OFFSETS_A_BATCH = 100_000
"""A batch has at most 40,000 records (`batch_records` and one fetch more); the log's own markers lie between them."""

log = structlog.get_logger("processor")


@dataclass(frozen=True)
class Recovery:
    """Recovers the partitions of one worker; `epoch` numbers the topic's incarnation."""

    changelog: Changelog
    rows: Store
    assignment: PartitionAssignment
    meter: WorkerMetrics
    epoch: int
    continuity: Continuity | None

    async def recover(self, number: int, held: Held, directory: Directory) -> None:
        """Read what the changelog has beyond what is in memory."""
        new = held.state is None
        state = held.state or Partition(number, directory, self.epoch)
        held.state = None
        if new:
            held.breaker = Breaker(number)
        records, end = await self._read(number, held, state, 0 if new else held.changelog_end)
        if new and self.continuity is not None:
            await self.continuity.check(number, held.breaker.judged, self.assignment.committed_to(number))
        if new or records:
            state.start_rows_at(await self.rows.newest_as_of(number))
            state.restored()
            state.claim(await self.rows.cells_not_empty(number))
        held.state, held.changelog_end, held.recovered = state, end, True
        held.doubtful_to = state.next_offset + MOST_OFFSETS_A_BATCH
        log.info("partition recovered", partition=number, records=records, kept=not new)

    async def _read(self, number: int, held: Held, state: Partition, end: int) -> tuple[int, int]:
        """Put into `held` and `state` what follows `end`. Returns how many records that were, and the end of the changelog."""
        records = 0
        async with contextlib.aclosing(self.changelog.read(number, end)) as parts:
            async for items, after in parts:
                end = after
                for key, value in items:
                    if key == BREAKER_KEY:
                        held.breaker.restore(value)
                    else:
                        state.restore(key, value)
                records += len(items)
                self.meter.recovered(number, len(items))
                self.assignment.beat()
                await asyncio.sleep(0)
        return records, end

    async def claim_all(self, states: dict[int, Partition]) -> None:
        """Write every cell anew with the next batch, where the rows of windows may be in a table that nobody reads any more."""
        for number, state in states.items():
            state.advance(await self.rows.newest_as_of(number))
            state.windows.touch_all()
            state.claim(await self.rows.cells_not_empty(number))
