"""What a batch writes, strictly in this order: rows, what was set aside and sent on, breaches, state.

State is never ahead of the rows, or a retraction would be lost in a crash; the offset may be committed after all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from projections.announcement import Announcement
from sinks.clickhouse.store import Store
from sinks.metrics import WorkerMetrics
from streams.clock import Clock
from streams.worker.batch import Batch
from streams.worker.changelog import Changelog, ChangelogRestarted
from streams.worker.held import HeldPartitions
from streams.worker.outbox import Outbox
from streams.worker.tables import tables_of

REWRITTEN_AT_ONCE = 20_000
"""Cases of another directory revision or fold version that one batch writes anew beside what it folds: keeps batches short."""

log = structlog.get_logger("processor")


@dataclass(frozen=True)
class BatchWriter:
    """Writes for the partitions in hand. Before each write it asks whether they still are."""

    held: HeldPartitions
    rows: Store
    outbox: Outbox
    changelog: Changelog
    meter: WorkerMetrics
    clock: Clock
    topic_id: str

    async def write(self, batch: Batch) -> None:
        """Drain every partition. Raises `Superseded` where one is not ours any more."""
        now = self.clock.now()
        changes = {number: state.drain(REWRITTEN_AT_ONCE, now) for number, state in self.held.states.items()}
        announced = {number: change.announcements for number, change in changes.items() if change.announcements}
        logs = {number: change.changelog + self.held[number].breaker.news() for number, change in changes.items()}
        logs = {number: items for number, items in logs.items() if items}
        tables = tables_of(changes.values(), batch.refused, self.topic_id)
        if tables:
            self.held.check(logs.keys() | batch.partitions())
            await self.rows.write(tables)
        self._measure(batch)
        misrouted = [record for each in batch.sorted for record in each.misrouted]
        if batch.refused or misrouted:
            self.held.check(logs.keys() | batch.partitions())
            await self.outbox.set_aside(batch.refused)
            await self.outbox.send_on(misrouted)
        if announced:
            self.held.check(announced)
            await self._announce([each for announcements in announced.values() for each in announcements])
        for number, items in logs.items():
            self.held.check({number})
            await self._log(number, items)

    async def _log(self, number: int, items: list[tuple[bytes, bytes | None]]) -> None:
        """Write state, and notice if somebody else wrote to this changelog since: then that is read before the next batch."""
        held = self.held[number]
        for span in await self.changelog.write(number, items):
            if 0 <= span.first < held.changelog_end:
                raise ChangelogRestarted(number, held.changelog_end, span.first)
            if span.first != held.changelog_end:
                log.warning("foreign records in the changelog", partition=number, since=held.changelog_end, until=span.first)
                held.recovered = False
            if held.recovered:
                held.changelog_end = span.after

    def _measure(self, batch: Batch) -> None:
        now = self.clock.now()
        for fetched in batch.fetched:
            self.meter.folded([record.timestamp for record in fetched.records], now)
        for refused in batch.refused:
            self.meter.refused(refused.rejection.reason.value)
        self.meter.forwarded(sum(len(each.misrouted) for each in batch.sorted))

    async def _announce(self, announcements: Sequence[Announcement]) -> None:
        await self.outbox.announce(announcements)
        for each in announcements:
            self.meter.announced(each.passed.target, each.passed.stage, each.state)
