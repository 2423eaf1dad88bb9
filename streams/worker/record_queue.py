"""What was fetched and waits: in a queue, or parked behind an open breaker until people have accepted the flood.

A batch takes from the queue; what its breaker does not let pass is parked, neither folded nor set aside.
"""

from collections import deque

import structlog

from streams.sorting import Sorted, Sorter
from streams.worker.batch import Batch, DeliveryPart, FetchedRecords
from streams.worker.held import HeldPartitions

log = structlog.get_logger("processor")


class RecordQueue:
    """Mutable, owned by the processor."""

    def __init__(self, held: HeldPartitions, sorter: Sorter) -> None:
        self._held = held
        self._sorter = sorter
        self._waiting: deque[FetchedRecords] = deque()
        self._taken: list[FetchedRecords] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, fetched: FetchedRecords) -> None:
        self._waiting.append(fetched)

    def clear(self) -> None:
        """Forget what waits; its new owner fetches it again."""
        self._waiting.clear()

    def take(self, most: int) -> list[FetchedRecords]:
        """Of the partitions in hand, about so many records, at least those of one fetch. They are under way until `done`."""
        self._taken, records = [], 0
        while self._waiting and records < most:
            fetched = self._waiting.popleft()
            if not self._held.has(fetched.partition, fetched.epoch):
                continue
            if self._held[fetched.partition].flood is not None:
                self._held[fetched.partition].parked.append(fetched)
                continue
            self._taken.append(fetched)
            records += len(fetched.records)
        return self._taken

    def done(self) -> None:
        self._taken = []

    def let_in(self, batch: Batch, fetched: FetchedRecords) -> Sorted:
        """Sort it, as far as the breaker lets it pass; from there on it is parked. What passes is noted in the batch."""
        held, records = self._held[fetched.partition], fetched.records
        if held.flood is not None:
            held.parked.append(fetched)
            return Sorted()
        tray = self._sorter.sort(fetched.partition, records)
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

    def oldest(self, number: int) -> int | None:
        """Timestamp, in ms, of the first record of a partition that is in hand and is not done."""
        held = self._held.get(number)
        waiting = [*self._taken, *(held.parked if held else ()), *self._waiting]
        return next((fetched.records[0].timestamp for fetched in waiting if fetched.partition == number), None)
