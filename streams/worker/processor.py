"""The worker's loop: what was fetched is folded, written and acknowledged, strictly in that order.

One batch takes everything that waits, over all partitions in hand. Rows go to ClickHouse first, then dead letters, forwarded
records and breaches to Kafka, then the state to the changelog, and only then may the offset be committed. State is never
ahead of the rows (or a retraction would be lost in a crash), the commit never ahead of the state. A batch that does not
end takes its partitions' memory with it: they are read again from the changelog.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence

import structlog

from events.directory import Directory
from events.exit_code import ExitCode
from projections.announcement import Announcement
from projections.partition import Archived, Partition
from projections.restatement import Restatement, told
from streams.clock import Clock
from streams.sorting import Refused, Sorted, Sorter
from streams.worker.batch import Batch, DeliveryPart, Held
from streams.worker.breaker import BREAKER_KEY, Breaker, Flood
from streams.worker.changelog import Changelog, ChangelogRestarted
from streams.worker.continuity import Continuity
from streams.worker.outbox import Outbox
from streams.worker.ports import FetchedRecords, Guard, Meter, Rows
from streams.worker.tables import tables_of

DAY = 24 * 60 * 60_000
AHEAD = 5 * 60_000
"""A record whose timestamp is further ahead of the wall clock does not move a partition's clock."""
REWRITTEN_AT_ONCE = 20_000
"""Cases of another directory revision or fold version that one batch writes anew beside what it folds: keeps batches short."""
MOST_OFFSETS_A_BATCH = 100_000
"""A batch has at most 40,000 records (`batch_records` and one fetch more); the log's own markers lie between them."""

log = structlog.get_logger("processor")


class Superseded(Exception):
    """The partition went to another worker in the middle of a batch."""

    exit_code = ExitCode.MISTAKE


class Processor:
    """Owns the state of the partitions that this worker holds, and is the only one that writes for them."""

    def __init__(
        self,
        *,
        directory: Directory,
        partitions: int,
        topic_id: str,
        epoch: int,
        rows: Rows,
        changelog: Changelog,
        outbox: Outbox,
        clock: Clock,
        follow_wall: bool,
        meter: Meter,
        batch_records: int = 20_000,
        pace_s: float = 0.0,
        continuity: Continuity | None = None,
    ) -> None:
        """`epoch` numbers the topic's incarnation (row versions); `follow_wall` is `clock = "wall"` of the settings.

        A batch of fewer than `batch_records` begins at least `pace_s` after the one before: what a batch costs, it costs seldom.
        """
        self._directory = directory
        self._topic_id = topic_id
        self._epoch = epoch
        self._rows = rows
        self._changelog = changelog
        self._outbox = outbox
        self._clock = clock
        self._follow_wall = follow_wall
        self._meter = meter
        self._batch_records = batch_records
        self._pace_s = pace_s
        self._next_at = 0.0
        self._continuity = continuity
        self.sorter = Sorter(partitions, directory.allows)
        self.guard: Guard | None = None
        self._held: dict[int, Held] = {}
        self._waiting: deque[FetchedRecords] = deque()
        self._wake = asyncio.Event()
        self._batch: asyncio.Task[None] | None = None
        self._open = False
        self._windows_are_elsewhere = False
        self._taken: list[FetchedRecords] = []
        self._began_under: dict[int, int] = {}
        """Of the batch under way: the epoch of each partition when it began."""
        self._next_directory: Directory | None = None

    # -- what the consumer calls --------------------------------------------------------------------------------------
    async def take(self, fetched: FetchedRecords) -> None:
        """Put it in the queue; the consumer bounds how much may wait."""
        self._waiting.append(fetched)
        self._wake.set()

    async def assigned(self, partitions: Iterable[int], epoch: int) -> None:
        """These partitions, and no others, are ours. What was kept of one that stays needs only a look at its changelog."""
        kept = self._held
        self._held = {
            p: Held(epoch, kept[p].breaker, kept[p].state, kept[p].changelog_end) if p in kept else Held(epoch, Breaker(p))
            for p in sorted(partitions)
        }
        self._open = True
        self._wake.set()

    async def revoked(self, deadline_s: float) -> None:
        """Finish the batch under way, or give it up at the deadline; what waited is forgotten, its new owner fetches it again."""
        self._open = False
        self._waiting.clear()
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
        return [number for number, held in self._held.items() if not held.recovered]

    @property
    def floods(self) -> list[Flood]:
        """Why some of them stand."""
        return [held.flood for held in self._held.values() if held.flood is not None]

    @property
    def directory(self) -> Directory:
        """Whose promises and open hours are in force."""
        return self._directory

    @property
    def partitions(self) -> dict[int, Partition]:
        return {p: h.state for p, h in self._held.items() if h.state is not None}

    def oldest_waiting(self, number: int) -> int | None:
        """Timestamp, in ms, of the first record of a partition that is in hand and is not done."""
        held = self._held.get(number)
        waiting = [*self._taken, *(held.parked if held else ()), *self._waiting]
        return next((fetched.records[0].timestamp for fetched in waiting if fetched.partition == number), None)

    def accept(self, number: int, until: int) -> None:
        """Let a flood pass, up to and with offset `until`: people have looked at it."""
        held = self._held.get(number)
        if held is None or held.flood is None or until < held.flood.offset:
            return
        log.warning("flood accepted", partition=number, since=held.flood.offset, until=until)
        held.breaker.accept(until)
        held.flood = None
        self._waiting.extendleft(reversed(held.parked))
        held.parked.clear()
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
            self._next_at = asyncio.get_running_loop().time() + self._pace_s
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
        busy = self._open and (self._waiting or any(state.pending for state in self.partitions.values()))
        if not busy:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):  # `wait_for` of Python 3.11 loses a cancellation that comes with the wake
                    await self._wake.wait()
        self._wake.clear()
        await self._gather()

    async def _gather(self) -> None:
        """Let more records come to those that wait, until the pace allows a batch or a whole one is there."""
        now = asyncio.get_running_loop().time
        while 0 < sum(len(fetched.records) for fetched in self._waiting) < self._batch_records and (left_s := self._next_at - now()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._wake.wait()
            self._wake.clear()

    async def _work(self) -> None:
        self._began_under = {number: held.epoch for number, held in self._held.items()}
        for number, held in list(self._held.items()):
            if not held.recovered:
                await self._recover(number, held)
        if self._windows_are_elsewhere:
            await self._claim_all()
        batch = self._next()
        self._taken = batch.fetched
        try:
            await self._restate()
            await self._fold(batch)
            await self._write(batch)
        except Superseded as why:
            log.warning("batch given up", why=str(why))
            self._forget_all()
        except BaseException:
            self._forget_all()
            raise
        else:
            for fetched in batch.fetched:
                fetched.finish()
        finally:
            self._taken = []

    def _next(self) -> Batch:
        batch, records = Batch(), 0
        while self._waiting and records < self._batch_records:
            fetched = self._waiting.popleft()
            if not self._holds(fetched.partition, fetched.epoch):
                continue
            if self._held[fetched.partition].flood is not None:
                self._held[fetched.partition].parked.append(fetched)
                continue
            batch.fetched.append(fetched)
            records += len(fetched.records)
        return batch

    # -- fold ---------------------------------------------------------------------------------------------------------
    async def _fold(self, batch: Batch) -> None:
        taken, batch.fetched = batch.fetched, []
        for fetched in taken:
            tray = self._let_in(batch, fetched)
            state = self._state(fetched.partition)
            for archived in await self._archive_of(state.absent(tray.entries)):
                state.lend(archived)
            rejections = state.fold(tray.entries, self._clock.now() + AHEAD)
            tray.refused += [Refused(tray.records[i], rejection) for i, rejection in rejections]
            batch.sorted.append(tray)
            batch.refused += tray.refused
        if self._follow_wall:
            now = self._clock.now()
            for number, state in self.partitions.items():
                if self._guard.caught_up(number):
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
                self._guard.beat()
                await asyncio.sleep(0)
        log.warning("restated under another directory", **told(restated), revision=directory.revision)

    def _let_in(self, batch: Batch, fetched: FetchedRecords) -> Sorted:
        """Sort it, as far as the breaker lets it pass; from there on it is parked. What passes is noted in the batch."""
        held, records = self._held[fetched.partition], fetched.records
        if held.flood is not None:
            held.parked.append(fetched)
            return Sorted()
        tray = self.sorter.sort(fetched.partition, records)
        held.flood = held.breaker.judge(records, {refused.record.offset for refused in tray.refused})
        if held.flood is None:
            batch.fetched.append(fetched)
            return tray
        log.error("breaker open", why=str(held.flood))
        passing = [record for record in records if record.offset < held.flood.offset]
        if passing:
            batch.fetched.append(DeliveryPart(fetched, passing, is_last=False))
        held.parked.append(DeliveryPart(fetched, records[len(passing) :], is_last=True))
        return tray.before(held.flood.offset)

    def _forget_old_cases(self) -> None:
        """Once for every day of a partition's clock: a look at each case costs too much for every batch.

        Not before all has been folded of which a worker that died may have written rows: what it added to a case would be too late
        here once the case is forgotten.
        """
        for number, state in self.partitions.items():
            held, day = self._held[number], state.clock // DAY
            if day != held.day and (state.next_offset >= held.doubtful_to or self._guard.caught_up(number)):
                state.forget(self._guard.committed_to(number))
                held.day = day

    async def _archive_of(self, cases: Sequence[tuple[str, str]]) -> Sequence[Archived]:
        """What ClickHouse has of these cases, which may have been forgotten; one question a fetch, and hardly ever one."""
        return await self._rows.events_of(cases) if cases else ()

    # -- write, in this order -----------------------------------------------------------------------------------------
    async def _write(self, batch: Batch) -> None:
        now = self._clock.now()
        changes = {number: state.drain(REWRITTEN_AT_ONCE, now) for number, state in self.partitions.items()}
        said = {number: change.announcements for number, change in changes.items() if change.announcements}
        logs = {number: change.changelog + self._held[number].breaker.news() for number, change in changes.items()}
        logs = {number: items for number, items in logs.items() if items}
        tables = tables_of(changes.values(), batch.refused, self._topic_id)
        touched = logs.keys() | batch.partitions()
        if tables:
            self._check(touched)
            await self._rows.write(tables)
        self._measure(batch)
        if batch.refused or any(s.misrouted for s in batch.sorted):
            self._check(touched)
            await self._outbox.set_aside(batch.refused)
            await self._outbox.send_on([m for s in batch.sorted for m in s.misrouted])
        if said:
            self._check(said)
            await self._announce([each for announcements in said.values() for each in announcements])
        for number, items in logs.items():
            self._check({number})
            await self._log(number, items)

    async def _log(self, number: int, items: list[tuple[bytes, bytes | None]]) -> None:
        """Write state, and notice if somebody else wrote to this changelog since: then that is read before the next batch."""
        held = self._held[number]
        for span in await self._changelog.write(number, items):
            if 0 <= span.first < held.changelog_end:
                raise ChangelogRestarted(number, held.changelog_end, span.first)
            if span.first != held.changelog_end:
                log.warning("foreign records in the changelog", partition=number, since=held.changelog_end, until=span.first)
                held.recovered = False
            if held.recovered:
                held.changelog_end = span.after

    def _measure(self, batch: Batch) -> None:
        now = self._clock.now()
        for fetched in batch.fetched:
            self._meter.folded([record.timestamp for record in fetched.records], now)
        for refused in batch.refused:
            self._meter.refused(refused.rejection.reason.value)
        self._meter.forwarded(sum(len(s.misrouted) for s in batch.sorted))

    async def _announce(self, said: Sequence[Announcement]) -> None:
        await self._outbox.announce(said)
        for each in said:
            self._meter.announced(each.passed.target, each.passed.stage, each.state)

    # -- recovery -----------------------------------------------------------------------------------------------------
    async def _recover(self, number: int, held: Held) -> None:
        """Read what the changelog has beyond what is in memory; then every cell is written again, empty ones too."""
        new = held.state is None
        state = held.state or Partition(number, self._directory, self._epoch)
        held.state = None
        if new:
            held.breaker = Breaker(number)
        records, end = 0, 0 if new else held.changelog_end
        async with contextlib.aclosing(self._changelog.read(number, end)) as parts:
            async for items, after in parts:
                end = after
                for key, value in items:
                    if key == BREAKER_KEY:
                        held.breaker.restore(value)
                    else:
                        state.restore(key, value)
                records += len(items)
                self._meter.recovered(number, len(items))
                self._guard.beat()
                await asyncio.sleep(0)
        if new and self._continuity is not None:
            await self._continuity.check(number, held.breaker.judged, self._guard.committed_to(number))
        if new or records:
            # Rows may be ahead of the changelog. A row older than what stands would never be seen, so the clock goes on from there.
            state.shown(await self._rows.newest_as_of(number))
            state.restored()
            state.claim(await self._rows.cells_not_empty(number))
        held.state, held.changelog_end, held.recovered = state, end, True
        held.doubtful_to = state.next_offset + MOST_OFFSETS_A_BATCH
        log.info("partition recovered", partition=number, records=records, kept=not new)

    async def _claim_all(self) -> None:
        """Own every cell anew, as after a recovery."""
        for number, state in self.partitions.items():
            state.advance(await self._rows.newest_as_of(number))
            state.windows.touch_all()
            state.claim(await self._rows.cells_not_empty(number))
        self._windows_are_elsewhere = False

    # -- fences -------------------------------------------------------------------------------------------------------
    @property
    def _guard(self) -> Guard:
        if self.guard is None:
            raise RuntimeError("the processor works only with a consumer: set `guard` first")
        return self.guard

    def _holds(self, number: int, epoch: int) -> bool:
        held = self._held.get(number)
        return held is not None and held.epoch == epoch and self._guard.holds(number, epoch)

    def _check(self, numbers: Iterable[int]) -> None:
        """Of the assignment under which the batch began: what was read before the next one may be older than what stands now."""
        self._guard.beat()
        for number in numbers:
            if number not in self._began_under or not self._holds(number, self._began_under[number]):
                raise Superseded(f"partition {number} is no longer ours, or ours anew")

    def _state(self, number: int) -> Partition:
        state = self._held[number].state
        if state is None:
            raise RuntimeError(f"partition {number} was folded before it was recovered")
        return state

    def _forget_all(self) -> None:
        """Memory is ahead of what was written: read it again."""
        for held in self._held.values():
            held.state, held.changelog_end, held.recovered, held.flood = None, 0, False, None
            held.parked.clear()
