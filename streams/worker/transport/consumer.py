"""Faust's consumer with another heart: delivery by fetch, a flow that rebalances stop, and commits of what is finished only.

Faust acknowledges an event whenever an agent's iteration ends, also by an exception; here an acknowledgement means nothing
and `Fetched.finish()` everything. At a revoke the order is: deliver no more, let the receiver finish its batch, commit, and only then
forget (Faust forgets first). Any failure stops the worker: what is not committed is read again, by this worker or another.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage, Message
from mode import Service, ServiceT

from streams.worker.transport.assignment import FetchedRange, Hole, PartitionAssignment
from streams.worker.transport.offset_tracker import Fetched
from streams.worker.transport.receiver import Receiver
from streams.worker.transport.thread import FetchThread, LostRecords, Subscription

BEAT_S = 0.2
COMMIT_PAUSE_S = 0.25
IDLE_FETCH_S = 0.25
PRESSED_FETCH_S = 0.02
"""A fetch that waits cannot be given more partitions, so it waits shortly while one is over its bound."""
FINISH_SHARE = 0.5
FINISH_LIMIT_SHARE = 0.7
COMMIT_SHARE = 0.2
"""Shares of the session timeout at a revoke: what the receiver is asked to keep to, what it gets, and what the commit gets."""

Look = Callable[[], Awaitable[object]]
"""Makes sure that the topic is still the one that it was; raises when it is not."""

log = structlog.get_logger("transport")


class Consumer(driver.Consumer):
    """Member of the group. Everything about offsets is in `assignment`; Faust's own bookkeeping of them stays empty."""

    transport: "Transport"
    _thread: FetchThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._assignment = self.transport.assignment
        self._receiver = self.transport.receiver
        self._session_s = self.transport.subscription.session_timeout_s
        self._committing = asyncio.Lock()
        self._nothing = lambda: None

    def _new_consumer_thread(self) -> FetchThread:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    # -- rebalances ---------------------------------------------------------------------------------------------------
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop, finish the batch, commit, forget. An error stops the worker; aiokafka would only log it and join the group again."""
        try:
            await self.wait_empty()
            self._assignment.forget()
            await super().on_partitions_revoked(revoked)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops with it
            await self.crash(error)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Let Faust prepare its agents; its recovery, which has no tables to recover, then calls `perform_seek` and `resume_flow`."""
        try:
            if not assigned:
                await self._receiver.assigned((), self._assignment.begin({}))
            await super().on_partitions_assigned(assigned, generation_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops with it
            await self.crash(error)

    async def perform_seek(self) -> None:
        """Go to the committed offsets, and tell the receiver. A rebalance meanwhile makes it void; an error stops the worker."""
        try:
            await self._begin()
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops with it
            await self.crash(error)

    async def _begin(self) -> None:
        epoch = self._assignment.epoch
        partitions = sorted(tp.partition for tp in self.assignment())
        try:
            async with asyncio.timeout(self._session_s):
                await self.transport.look()
                starts = await self._thread.run(self._thread.seek_to_start(partitions))
        except (KafkaError, LostRecords, TimeoutError):
            if self._assignment.epoch == epoch:
                raise
        if self._assignment.epoch == epoch:
            await self._receiver.assigned(partitions, self._assignment.begin(starts))
            log.info("assigned", partitions=partitions, epoch=self._assignment.epoch)

    def resume_flow(self) -> None:
        """Deliver, if the seek has been done."""
        super().resume_flow()
        self._assignment.open()

    async def wait_empty(self) -> None:
        """Let the receiver end what it has under way, and commit what is finished; called at a revoke and when the app stops.

        An error stops the worker, but is not raised: Faust would then leave the thread running when the app stops.
        """
        try:
            await self._finish_batch()
            await asyncio.wait_for(self.commit(), COMMIT_SHARE * self._session_s)
        except TimeoutError:
            log.warning("not committed in time: these records will be read again", offsets=self._assignment.committable())
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops with it
            await self.crash(error)

    async def _finish_batch(self) -> None:
        if self._assignment.close():
            try:
                async with asyncio.timeout(FINISH_LIMIT_SHARE * self._session_s):
                    await self._receiver.revoked(FINISH_SHARE * self._session_s)
            except TimeoutError:
                log.warning("the receiver did not finish its batch in time: what it still wants to write is fenced off")

    def close(self) -> None:
        """Nothing: the thread closes aiokafka, in its own loop. Faust calls this from the wrong one when a rebalance meets a stop."""

    # -- delivery -----------------------------------------------------------------------------------------------------
    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._fetch_once()
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _fetch_once(self) -> None:
        self._assignment.changed.clear()
        wanted, epoch = self._assignment.wanted(), self._assignment.epoch
        if not wanted:
            await self._assignment.changed.wait()
            return
        wait_s = PRESSED_FETCH_S if self._assignment.pressed else IDLE_FETCH_S
        try:
            spans = await self._thread.run(self._thread.fetch(wanted, self._assignment.fetch_limit(), wait_s))
            holes = [span.partition for span in spans if not self._deliver(span)] if self._assignment.delivers(epoch) else []
            for partition in holes:
                if self._assignment.delivers(epoch):
                    await self._thread.run(self._thread.seek_to(partition, self._assignment.expected(partition)))
        except (KafkaError, LostRecords):
            if self._assignment.delivers(epoch):  # else it is about an assignment that is over: the next one starts anew
                raise

    def _deliver(self, span: FetchedRange) -> bool:
        """Hand over without a pause in which anything could change. False when records are missing before these."""
        try:
            fetched = self._assignment.receive(span)
        except Hole as hole:
            log.warning("records were dropped on the way, fetching them again", why=str(hole))
            return False
        if fetched is not None:
            self._put(fetched)
        return True

    def _put(self, fetched: Fetched) -> None:
        last = fetched.records[-1]
        tp = TP(last.topic, last.partition)
        message = ConsumerMessage(
            last.topic,
            last.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            None,
            None,
            None,
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )
        for channel in self.app.topics._tp_index[tp]:  # type: ignore[attr-defined]  # noqa: SLF001 - Faust's index of who listens is not in its interface
            message.incref(1)
            event = self.app.create_event(None, fetched, None, message)
            channel.queue.put_nowait_enhanced(event, on_pressure_high=self._nothing, on_pressure_drop=self._nothing)

    def ack(self, message: Message) -> bool:
        """An agent's iteration ended, which says nothing about the records."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    # -- commit -------------------------------------------------------------------------------------------------------
    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        """Commit what is finished. True when something was; an error other than a rebalance is raised."""
        async with self._committing:
            offsets, epoch = self._assignment.committable(), self._assignment.epoch
            if not offsets:
                return False
            try:
                await self._thread.run(self._thread.commit_offsets(offsets))
            except (CommitFailedError, IllegalStateError) as error:
                log.warning("not committed, the group has moved on: these records will be read again", offsets=offsets, why=str(error))
                return False
            except asyncio.CancelledError:
                if is_cancelled():
                    raise
                log.warning("not committed, the consumer's thread has ended: these records will be read again", offsets=offsets)
                return False
            self._assignment.committed(offsets, epoch)
            return True

    @Service.task
    async def _commit_handler(self) -> None:
        while not self.should_stop:
            await self._assignment.finished.wait()
            self._assignment.finished.clear()
            await self.commit()
            await self.sleep(COMMIT_PAUSE_S)

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        """Nothing: a partition that waits for ClickHouse stands still and is well."""

    @Service.task
    async def _beat(self) -> None:
        while not self.should_stop:
            self._assignment.beat()
            await self._thread.run(self._thread.check())
            await asyncio.sleep(BEAT_S)


def is_cancelled() -> bool:
    """Whether somebody cancelled the running task, and not only what it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Transport(driver.Transport):
    """Makes the consumer, and carries what it needs to where Faust makes it."""

    Consumer: ClassVar[type[Consumer]] = Consumer

    def __init__(self, *args: Any, assignment: PartitionAssignment, receiver: Receiver, look: Look, subscription: Subscription) -> None:
        super().__init__(*args)
        self.look = look
        self.assignment = assignment
        self.receiver = receiver
        self.subscription = subscription
