"""One partition in hand: what comes next, what was delivered and is not done, and how far the offset may be committed."""

from collections import deque
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

_BYTES = attrgetter("serialized_value_size")


class Fetched:
    """Records of one partition, in order, as aiokafka gave them (`ConsumerRecord`, keys and values as bytes).

    `epoch` numbers the assignment under which they were delivered, `end` is the offset that may be committed once these and
    all before them are finished, `size` the bytes of the values.
    """

    __slots__ = ("_tracker", "end", "epoch", "finished", "partition", "records", "size")

    def __init__(self, tracker: "OffsetTracker", records: Sequence[Any], end: int) -> None:
        self._tracker = tracker
        self.partition = tracker.partition
        self.epoch = tracker.epoch
        self.records = records
        self.end = end
        self.size = sum(size for size in map(_BYTES, records) if size > 0)
        self.finished = False

    def finish(self) -> None:
        """From here on the offset after these records may be committed. A second call, or one after a revoke, does nothing."""
        if not self.finished:
            self.finished = True
            self._tracker.advance()

    def __repr__(self) -> str:
        return f"<Fetched {self.partition}/{self.epoch}: {len(self.records)} records up to {self.end}>"


class OffsetTracker:
    """The delivered records of one partition under one epoch. Mutable, owned by `Assignment`."""

    def __init__(self, partition: int, epoch: int, start: int, moved: Callable[[], None]) -> None:
        """`start` is the committed offset; `moved` is called whenever the committable offset moved."""
        self.partition = partition
        self.epoch = epoch
        self.expected = start
        """The position from which the next records must come."""
        self.finished_to = start
        """Everything before it is done: the offset that may be committed."""
        self.committed = start
        self.records = 0
        self.bytes = 0
        self.highwater: int | None = None
        self.polled_at = float("-inf")
        """When the broker last told the end of the partition, by the caller's clock."""
        self._moved = moved
        self._delivered: deque[Fetched] = deque()

    def deliver(self, records: Sequence[Any], end: int) -> Fetched:
        """Account for records that follow the last ones."""
        fetched = Fetched(self, records, end)
        self._delivered.append(fetched)
        self.expected = end
        self.records += len(records)
        self.bytes += fetched.size
        return fetched

    def pass_over(self, end: int) -> None:
        """Positions without records: control records of transactions, and what a compaction or an abort took away."""
        self.expected = end
        if not self._delivered and end > self.finished_to:
            self.finished_to = end
            self._moved()

    def advance(self) -> None:
        """Drop the finished head of what was delivered."""
        before = self.finished_to
        while self._delivered and self._delivered[0].finished:
            done = self._delivered.popleft()
            self.records -= len(done.records)
            self.bytes -= done.size
            self.finished_to = done.end
        if self.finished_to != before:
            self._moved()

    @property
    def idle(self) -> bool:
        """Nothing is delivered and unfinished."""
        return not self._delivered
