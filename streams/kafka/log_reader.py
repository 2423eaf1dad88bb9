"""Reads the events topic from outside any group, and says what stands at offsets where no record is.

Offsets without a record are not all alike: transactions leave a marker at each end, and what a publisher took back is not
given to readers. Both are in the log, as batches that the client library passes over; what is not even there has been lost or
compacted away. To tell them apart the headers of the batches are read with a fetch of our own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaTimeoutError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from streams.kafka.claim_check import checked
from streams.kafka.client import administration, client_options, reader
from streams.kafka.group import committed_offsets
from streams.settings import Settings

FETCH_BYTES = 8 << 20
HEADERS_BYTES = 1 << 20
POLL_MS = 500
ANSWERED_WITHIN_S = 30.0
"""After so long without progress the brokers count as away."""
READ_UNCOMMITTED = 0

Gap = tuple[int, int]
"""First offset without a record, and the next one that has one."""


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """Of one partition: its first offset, what the group has committed, where it ends. `committed` was read first."""

    partition: int
    first: int
    committed: int
    end: int

    @property
    def left(self) -> int:
        """Records that are in the log and not committed."""
        return max(0, self.end - max(self.first, self.committed))


@dataclass(frozen=True, slots=True)
class HiddenRange:
    """A batch in the log that readers do not see: markers of transactions, or records that were taken back."""

    first: int
    after: int
    hidden: bool


class LogReader:
    """An async context. One partition is read at a time; `records` sees what the workers see (committed transactions only)."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._settings = settings
        self._topics = [TopicPartition(settings.topic, number) for number in range(partitions)]
        self._reader = reader(
            settings,
            isolation_level="read_committed",
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES,
            value_deserializer=checked,
        )

    async def __aenter__(self) -> Self:
        self._consumer = await self._reader.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._reader.__aexit__(kind, error, trace)

    async def marks(self) -> list[PartitionOffsets]:
        """Of all partitions. Where the group has committed nothing, `committed` is the first offset."""
        committed = await self.committed()
        firsts = await self._consumer.beginning_offsets(self._topics)
        ends = await self._consumer.end_offsets(self._topics)
        return [PartitionOffsets(p.partition, firsts[p], committed.get(p.partition, firsts[p]), ends[p]) for p in self._topics]

    async def committed(self) -> dict[int, int]:
        """By partition, where the group has committed anything."""
        async with administration(self._settings) as admin:
            offsets = await committed_offsets(admin, self._settings.group, self._topics)
        return {p.partition: offset for p, offset in offsets.items()}

    async def ends(self) -> dict[int, int]:
        ends = await self._consumer.end_offsets(self._topics)
        return {p.partition: end for p, end in ends.items()}

    async def records(self, partition: int, first: int, after: int) -> AsyncIterator[Sequence[Any]]:
        """The records (aiokafka's ConsumerRecord) from offset `first` up to, not including, `after`, in parts.

        Raises `KafkaTimeoutError` when nothing comes for 30 s.
        """
        topic = self._topics[partition]
        self._consumer.assign([topic])
        self._consumer.seek(topic, first)
        position, heard = first, monotonic()
        while position < after:
            fetched = await self._consumer.getmany(topic, timeout_ms=POLL_MS)
            records = [record for record in fetched.get(topic, ()) if record.offset < after]
            if records:
                yield records
            before, position = position, await self._consumer.position(topic)
            if position > before:
                heard = monotonic()
            elif monotonic() - heard > ANSWERED_WITHIN_S:
                raise KafkaTimeoutError(f"no records of partition {partition} from offset {position} on, though it ends at {after}")

    async def missing(self, partition: int, gaps: Sequence[Gap]) -> list[int]:
        """Those offsets of the gaps at which the log has neither a marker nor anything that was taken back."""
        if not gaps:
            return []
        hidden: set[int] = set()
        client = AIOKafkaClient(**client_options(self._settings))
        try:
            await client.bootstrap()
            await client.set_topics([self._settings.topic])
            known_to = 0
            for first, after in gaps:
                at = max(first, known_to)
                while at < after:
                    batches = await self._batches(client, partition, at)
                    hidden.update(o for b in batches if b.hidden for o in range(b.first, b.after))
                    at = known_to = max((b.after for b in batches), default=after)
        finally:
            await client.close()
        return [offset for first, after in gaps for offset in range(first, after) if offset not in hidden]

    async def _batches(self, client: AIOKafkaClient, partition: int, offset: int) -> list[HiddenRange]:
        """Headers of the batches from that offset on, as many as one answer holds; none at the end of the log."""
        topic = self._topics[partition]
        node = client.cluster.leader_for_partition(topic)
        wanted = [(topic.topic, [(partition, offset, HEADERS_BYTES)])]
        response = await client.send(node, FetchRequest(POLL_MS, 1, HEADERS_BYTES, READ_UNCOMMITTED, wanted))
        [(_, [(_, error, *_, content)])] = response.topics
        if error:
            raise for_code(error)(f"partition {partition} at offset {offset}")
        return await asyncio.to_thread(_headers, content or b"")


def _headers(content: bytes) -> list[HiddenRange]:
    """A batch that only looks hidden, a committed transaction, does no harm: its records are in no gap."""
    batches, log = [], MemoryRecords(content)
    while log.has_next():
        batch = log.next_batch()
        batches.append(HiddenRange(batch.base_offset, batch.next_offset, batch.is_control_batch or batch.is_transactional))
    return batches
