"""How far the workers are: what the log holds and what the group has committed, partition by partition.

Sums are for people who watch. Whether something is counted is asked of each partition: one that got new records would hide another
that is behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.kafka.client import administration
from streams.kafka.log_reader import LogReader, PartitionOffsets
from streams.kafka.topics import partition_counts
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Backlog:
    """Of every partition of the event topic; the sums are in records."""

    partitions: Sequence[PartitionOffsets]

    @property
    def produced(self) -> int:
        return sum(marks.end - marks.first for marks in self.partitions)

    @property
    def committed(self) -> int:
        return self.produced - self.left

    @property
    def left(self) -> int:
        return sum(marks.left for marks in self.partitions)

    def has_counted(self, earlier: "Backlog") -> bool:
        """Whether the group has committed, in every partition, what the log held at that earlier moment."""
        committed = {marks.partition: marks.committed for marks in self.partitions}
        return all(committed.get(marks.partition, 0) >= marks.end for marks in earlier.partitions)


async def backlog(settings: Settings) -> Backlog:
    """Ask the brokers; nothing is produced where there is no topic yet. Raises aiokafka's `KafkaError` when they are away."""
    async with administration(settings) as admin:
        count = (await partition_counts(admin)).get(settings.topic, 0)
    if not count:
        return Backlog([])
    async with LogReader(settings, count) as reader:
        return Backlog(await reader.marks())
