"""The worker's loop: what was fetched is folded, written and acknowledged, strictly in that order.

One batch takes everything that waits, over all partitions in hand. `batch_writer` writes what it changed, and only then may the
offsets be committed. A batch that does not end takes its partitions' memory with it: they are read again from the changelog.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

import structlog

from events.directory import Directory
from projections.case_store import DAY_MS
from projections.partition import Partition
from projections.restatement import Restatement, summary
from sinks.clickhouse.store import Store
from sinks.metrics import WorkerMetrics
from streams.clock import Clock
from streams.sorting import Refused, Sorter
from streams.worker.batch import Batch, FetchedRecords
from streams.worker.batch_writer import BatchWriter
from streams.worker.breaker import Flood
from streams.worker.changelog import Changelog
from streams.worker.continuity import Continuity
from streams.worker.held import HeldPartitions, Superseded
from streams.worker.outbox import Outbox
from streams.worker.record_queue import RecordQueue
from streams.worker.recovery import Recovery
from streams.worker.transport import PartitionAssignment

log = structlog.get_logger("processor")


class Processor:
    """Owns the state of the partitions that this worker holds, and is the only one that writes for them."""

    def __init__(
        self,
        *,
        directory: Directory,
        partitions: int,
        topic_id: str,
        epoch: int,
        rows: Store,
        changelog: Changelog,
        outbox: Outbox,
        assignment: PartitionAssignment,
        clock: Clock,
        follow_wall: bool,
        meter: WorkerMetrics,
        batch_records: int = 20_000,
        continuity: Continuity | None = None,
    ) -> None:
        """`epoch` numbers the topic's incarnation (row versions); `follow_wall` is `clock = "wall"` of the settings."""
        self._directory = directory
        self._rows = rows
        self._assignment = assignment
        self._clock = clock
        self._follow_wall = follow_wall
        self._batch_records = batch_records
        self.sorter = Sorter(partitions, directory.allows)
        self._held = HeldPartitions(assignment)
        self._recovery = Recovery(changelog, rows, assignment, meter, epoch, continuity)
        self._writer = BatchWriter(self._held, rows, outbox, changelog, meter, clock, topic_id)
        self._queue = RecordQueue(self._held, self.sorter)
        self._wake = asyncio.Event()
        self._batch: asyncio.Task[None] | None = None
        self._open = False
        self._windows_are_elsewhere = False
        self._next_directory: Directory | None = None

    # -- what the consumer calls --------------------------------------------------------------------------------------
    async def take(self, fetched: FetchedRecords) -> None:
        """Put it in the queue; the consumer bounds how much may wait."""
        self._queue.put(fetched)
        self._wake.set()

    async def assigned(self, partitions: Iterable[int], epoch: int) -> None:
        """These partitions, and no others, are ours."""
        self._held.replace(partitions, epoch)
        self._open = True
        self._wake.set()

    async def revoked(self, deadline_s: float) -> None:
        """Finish the batch under way, or give it up at the deadline; what waited is forgotten, its new owner fetches it again."""
        self._open = False
        self._queue.clear()
        if self._batch is not None and not self._batch.done():
            done, _ = await asyncio.wait({self._batch}, timeout=deadline_s)
            if not done:
                log.warning("batch given up at a rebalance", after_s=deadline_s)
                self._batch.cancel()
                await asyncio.wait({self._batch})

    # -- how it is doing ----------------------------------------------------------------------------------------------
    @property
    def ready(self) -> bool:
        """Every partition in hand has been recovered, and none stands because of a flood."""
        return self._open and not self.recovering and not self.floods

    @property
    def is_assigned(self) -> bool:
        """The group has told which partitions are ours; none may be."""
        return self._open

    @property
    def held(self) -> list[int]:
        """The partitions in hand."""
        return list(self._held)

    @property
    def recovering(self) -> list[int]:
        """Those of them whose state is not known yet."""
        return self._held.recovering

    @property
    def floods(self) -> list[Flood]:
        """Why some of them stand."""
        return self._held.floods

    @property
    def directory(self) -> Directory:
        """Whose promises and open hours are in force."""
        return self._directory

    @property
    def partitions(self) -> dict[int, Partition]:
        return self._held.states

    def oldest_waiting(self, number: int) -> int | None:
        """Timestamp, in ms, of the first record of a partition that is in hand and is not done."""
        return self._queue.oldest(number)

    def accept(self, number: int, until: int) -> None:
        """Let a flood pass, up to and with offset `until`: people have looked at it."""
        self._queue.accept(number, until)
        self._wake.set()

    def adopt(self, directory: Directory) -> None:
        """Go on under another directory, which ClickHouse knows already: between two batches everything is restated under it."""
        self._next_directory = directory
        self._wake.set()

    def write_windows_again(self) -> None:
        """Rows of windows may have gone to a table that nobody reads any more: the next batch writes every cell."""
        self._windows_are_elsewhere = True
        self._wake.set()

    # -- the loop -----------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Until cancelled, or until something fails: then the worker stops, and another one takes over exactly here."""
        while True:
            await self._sleep()
            if not self._open:
                continue
            batch = self._batch = asyncio.create_task(self._work())
            try:
                await asyncio.wait({batch})
            except asyncio.CancelledError:
                batch.cancel()
                await asyncio.wait({batch})
                raise
            if not batch.cancelled():
                batch.result()

    async def _sleep(self) -> None:
        """Until there is something to do, at most a second (time passes also where nothing happens)."""
        busy = self._open and (self._queue or any(state.pending for state in self.partitions.values()))
        if not busy:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):  # `wait_for` of Python 3.11 loses a cancellation that comes with the wake
                    await self._wake.wait()
        self._wake.clear()

    async def _work(self) -> None:
        self._held.begin()
        for number, held in list(self._held.items()):
            if not held.recovered:
                await self._recovery.recover(number, held, self._directory)
        if self._windows_are_elsewhere:
            await self._recovery.claim_all(self._held.states)
            self._windows_are_elsewhere = False
        taken, batch = self._queue.take(self._batch_records), Batch()
        try:
            await self._restate()
            await self._fold(taken, batch)
            await self._writer.write(batch)
        except Superseded as why:
            log.warning("batch given up", why=str(why))
            self._held.forget_states()
        except BaseException:
            self._held.forget_states()
            raise
        else:
            for fetched in batch.fetched:
                fetched.finish()
        finally:
            self._queue.done()

    # -- fold ---------------------------------------------------------------------------------------------------------
    async def _fold(self, taken: Sequence[FetchedRecords], batch: Batch) -> None:
        """Fold what the breakers let pass of what was taken, into the batch."""
        for fetched in taken:
            tray = self._queue.let_in(batch, fetched)
            state = self._held.state(fetched.partition)
            if forgotten := state.archive.wanted(tray.entries):  # one question a fetch, and hardly ever one
                for archived in await self._rows.events_of(forgotten):
                    state.archive.add(archived)
            rejections = state.fold(tray.entries, self._clock.now())
            tray.refused += [Refused(tray.records[i], rejection) for i, rejection in rejections]
            batch.sorted.append(tray)
            batch.refused += tray.refused
        if self._follow_wall:
            now = self._clock.now()
            for number, state in self.partitions.items():
                if self._assignment.caught_up(number):
                    state.advance(now)
        self._forget_old_cases()

    async def _restate(self) -> None:
        """Make the cases in hand anew where another directory has come; what is read later is made under it anyway."""
        directory, self._next_directory = self._next_directory, None
        if directory is None:
            return
        self._directory, restated = directory, Restatement()
        self.sorter.decoder.allows = directory.allows
        for state in list(self.partitions.values()):
            for _ in state.adopt(directory, restated):
                self._assignment.beat()
                await asyncio.sleep(0)
        log.warning("restated under another directory", **summary(restated), revision=directory.revision)

    def _forget_old_cases(self) -> None:
        """Once for every day of a partition's clock: a look at each case costs too much for every batch.

        Not before all has been folded of which a worker that died may have written rows: what it added to a case would be too late
        here once the case is forgotten.
        """
        for number, state in self.partitions.items():
            held, day = self._held[number], state.clock // DAY_MS
            if day != held.day and (state.next_offset >= held.doubtful_to or self._assignment.caught_up(number)):
                state.forget(self._assignment.committed_to(number))
                held.day = day
