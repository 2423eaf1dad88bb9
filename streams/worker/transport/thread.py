"""The thread in which aiokafka runs: heartbeats go out there while the main loop folds.

The main loop asks it to seek, fetch and commit, each as one coroutine in the thread's own loop: aiokafka's objects are
touched nowhere else. Offsets never reset by themselves (`auto_offset_reset="none"`): records that the broker no longer
has are an error, not a place to go on from.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, OffsetOutOfRangeError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from events.exit_code import ExitCode
from streams.kafka import checked
from streams.worker.transport.assignment import FetchedRange
from streams.worker.transport.away import now_s

T = TypeVar("T")

DAY_MS = 24 * 60 * 60 * 1000
FETCH_WAIT_MS = 100
"""How long the broker may wait for a first record; the bound of the delay is the network's, not this."""
PARTITION_BYTES = 16 << 20
FETCH_BYTES = 32 << 20
PIECE_RECORDS = 1_000
"""At most 256 MB: a value that may be larger is given up while it is unpacked."""
HELD_BYTES = 32 << 20
"""Unpacked values after which a fetch asks for no further piece."""
SUPERSEDED = "the assignment changed during a fetch"


@dataclass(frozen=True)
class Subscription:
    """Which topic to read as which group, and how to connect."""

    topic: str
    group: str
    session_timeout_s: float
    connection: Mapping[str, Any] = field(repr=False)
    note: str = ""
    """Kept beside each committed offset: which incarnation of the topic, and of the state, the offset belongs to."""

    @property
    def heartbeat_s(self) -> float:
        """Often enough that a rebalance is noticed soon, and that one lost heartbeat does not matter."""
        return min(1.0, self.session_timeout_s / 10)

    @property
    def request_timeout_s(self) -> float:
        """Longer than a rebalance may take: joining a group is a request that the broker answers at its end."""
        return 2 * self.session_timeout_s + 10


class LostRecords(Exception):
    """The group's offset is outside of what the topic holds: records are gone, or the topic is another one."""

    exit_code = ExitCode.REFUSED


def hole(tp: TopicPartition, start: int, first: int, end: int) -> str:
    """What is missing where a group stands outside of what the topic holds, and what to do."""
    stands = f"the group stands at offset {start} of {tp.topic} partition {tp.partition}, which holds {first} to {end}: "
    if start > end:
        return (
            f"{stands}the records at offsets {end} to {start - 1} were counted and are not in the topic any more: "
            "it lost its end, or was made anew. `frontdesk verify` shows what the tables hold beyond it; "
            "`frontdesk rebuild --from log+events` counts anew what the topic and the tables have"
        )
    return (
        f"{stands}the records at offsets {start} to {first - 1} were deleted before they were counted "
        "(the topic's retention.ms should be -1). Let their publishers send them again; then `frontdesk rebuild --from log+events`, "
        f"or, to go on without them, set the group's offset of that partition to {first} with kafka-consumer-groups --reset-offsets"
    )


async def in_pieces(
    consumer: AIOKafkaConsumer, tps: Sequence[TopicPartition], max_records: int, timeout_ms: int
) -> dict[TopicPartition, list[Any]]:
    """What `getmany` gives, asked for in pieces: aiokafka unpacks while it gives, so what is held is looked at after each.

    Compressed records may be a thousand times as large as what was fetched; up to 20,000 at once would be gigabytes.
    """
    found: dict[TopicPartition, list[Any]] = {}
    left, budget = max_records, HELD_BYTES
    while left > 0 and budget > 0:
        piece = await consumer.getmany(*tps, timeout_ms=timeout_ms, max_records=min(PIECE_RECORDS, left))
        if not piece:
            break
        for tp, records in piece.items():
            found.setdefault(tp, []).extend(records)
            left -= len(records)
            budget -= sum(len(record.value or b"") for record in records)
        timeout_ms = 0
    return found


class FetchThread(AIOKafkaConsumerThread):
    """Faust's consumer thread, with a consumer made for large fetches and no silent resets."""

    subscription: Subscription
    _fetching: "asyncio.Task[Any] | None" = None

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        self.subscription = transport.subscription
        self._polls: dict[TopicPartition, tuple[int | None, float]] = {}
        session_ms = int(self.subscription.session_timeout_s * 1000)
        settings = dict(self.subscription.connection) | {"request_timeout_ms": int(self.subscription.request_timeout_s * 1000)}
        return AIOKafkaConsumer(
            **settings,
            group_id=self.subscription.group,
            partition_assignment_strategy=[StickyPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            # What a publisher took back in an aborted transaction never happened.
            isolation_level="read_committed",
            # A worker that waits for ClickHouse polls nothing and is well: the heartbeats alone decide about membership.
            max_poll_interval_ms=DAY_MS,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=session_ms,
            heartbeat_interval_ms=int(self.subscription.heartbeat_s * 1000),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_BYTES,
            value_deserializer=checked,
        )

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread's loop and wait for it in the caller's."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Say nothing: the exception reaches whoever started the app, who reports it."""

    def _stopped_set(self) -> None:
        """Faust tells the thread to stop; one that has ended after a crash is past that."""
        try:
            super()._stopped_set()
        except RuntimeError:
            if not self.thread_loop.is_closed():
                raise

    # -- in the thread's loop -----------------------------------------------------------------------------------------
    async def seek_to_start(self, partitions: Sequence[int]) -> dict[int, int]:
        """Put each partition at its committed offset, or its first record, and return these. Raises `LostRecords`.

        A fetch still under way is of the assignment before and must not read on from here: it is cancelled.
        """
        consumer = self._ensure_consumer()
        if self._fetching is not None:
            self._fetching.cancel(SUPERSEDED)
            await asyncio.wait({self._fetching})
        tps = [TopicPartition(self.subscription.topic, p) for p in partitions]
        first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        committed = await consumer._coordinator.fetch_committed_offsets(tps)  # noqa: SLF001 - `committed` gives no note, and asks for one partition at a time
        starts = {tp: committed[tp].offset if tp in committed else first[tp] for tp in tps}
        for tp, start in starts.items():
            if tp in committed:
                self._check(tp, committed[tp].metadata)
            if not first[tp] <= start <= end[tp]:
                raise LostRecords(hole(tp, start, first[tp], end[tp]))
            consumer.seek(tp, start)
        self._polls.clear()
        return {tp.partition: start for tp, start in starts.items()}

    def _check(self, tp: TopicPartition, note: str) -> None:
        """Offsets that were committed without a note, by hand or by other tools, are believed."""
        if note and self.subscription.note and note != self.subscription.note:
            raise LostRecords(
                f"the group's offset of {tp.topic} partition {tp.partition} was committed for another topic or another changelog "
                f"(their ids were {note} and are {self.subscription.note}): what was known of its cases is not in the changelog "
                "that is there now. Set FRONTDESK_CHANGELOG_TOPIC to the one it was where it still exists; "
                "else `frontdesk rebuild --from log` computes the state again"
            )

    async def seek_to(self, partition: int, offset: int) -> None:
        """Fetch from that offset next."""
        self._ensure_consumer().seek(TopicPartition(self.subscription.topic, partition), offset)

    async def fetch(self, partitions: Sequence[int], max_records: int, timeout_s: float) -> list[FetchedRange]:
        """What aiokafka has for these partitions, waiting at most `timeout_s` for a first record: one span for each of them.

        Raises `LostRecords`; IllegalStateError when one of them is not assigned any more.
        """
        self._fetching = asyncio.current_task()
        try:
            return await self._fetch(partitions, max_records, timeout_s)
        except asyncio.CancelledError as cancelled:
            if cancelled.args == (SUPERSEDED,):
                raise IllegalStateError(SUPERSEDED) from None
            raise
        finally:
            self._fetching = None

    async def _fetch(self, partitions: Sequence[int], max_records: int, timeout_s: float) -> list[FetchedRange]:
        consumer = self._ensure_consumer()
        tps = [TopicPartition(self.subscription.topic, p) for p in partitions]
        before = [await consumer.position(tp) for tp in tps]
        try:
            records = await in_pieces(consumer, tps, max_records, int(timeout_s * 1000))
        except OffsetOutOfRangeError as error:
            raise LostRecords(await self._hole(consumer, dict(zip(tps, before, strict=True)))) from error
        if not set(tps) <= consumer.assignment():
            raise IllegalStateError(SUPERSEDED)
        ends = [self._polled(consumer, tp) for tp in tps]
        after = [await consumer.position(tp) for tp in tps]
        return [
            FetchedRange(tp.partition, begin, records.get(tp, ()), end, highwater, polled_at)
            for tp, begin, end, (highwater, polled_at) in zip(tps, before, after, ends, strict=True)
        ]

    async def _hole(self, consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]) -> str:
        """What is missing at these positions."""
        first, end = await consumer.beginning_offsets(list(positions)), await consumer.end_offsets(list(positions))
        holes = [hole(tp, at, first[tp], end[tp]) for tp, at in positions.items() if not first[tp] <= at <= end[tp]]
        return "; ".join(holes) or f"records of {self.subscription.topic} were gone for a moment, as when a topic is made anew: start again"

    def _polled(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> tuple[int | None, float]:
        """The partition's end as the broker last told it, and when, by our own clock."""
        stamp = consumer.last_poll_timestamp(tp)
        known = self._polls.get(tp)
        if known is None or known[0] != stamp:
            known = self._polls[tp] = (stamp, now_s())
        return consumer.last_stable_offset(tp), known[1] if stamp is not None else float("-inf")

    async def commit_offsets(self, offsets: Mapping[int, int]) -> None:
        """Commit, retrying while the broker is away. Raises CommitFailedError when the group has moved on."""
        consumer = self._ensure_consumer()
        note = self.subscription.note
        await consumer.commit({TopicPartition(self.subscription.topic, p): (offset, note) for p, offset in offsets.items()})

    async def check(self) -> None:
        """Raise what went wrong in aiokafka's own tasks: while nothing is fetched, nobody else would hear of it."""
        if self._consumer is not None and self._consumer._coordinator is not None:  # noqa: SLF001 - see below
            self._consumer._coordinator.check_errors()  # noqa: SLF001 - aiokafka tells these errors only to a fetch under way
