"""The partitions in hand, and the fences: what this worker may still write.

A batch runs under the assignment under which it began. What was read before the next one may be older than what stands now, so
each write asks first whether its partitions are still held, and so does the process whether it was away.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from events.exit_code import ExitCode
from projections.partition import Partition
from streams.worker.batch import FetchedRecords
from streams.worker.breaker import Breaker, Flood
from streams.worker.transport import PartitionAssignment


class Superseded(Exception):
    """The partition went to another worker in the middle of a batch."""

    exit_code = ExitCode.MISTAKE


@dataclass
class Held:
    """A partition in hand. `state` is None until it has been recovered, and again when a batch with it did not end.

    While there is a `flood`, what was fetched is `parked`: neither folded nor set aside.
    """

    epoch: int
    breaker: Breaker
    state: Partition | None = None
    changelog_end: int = 0
    recovered: bool = False
    day: int = 0
    """Of the partition's clock, when cases were last forgotten."""
    doubtful_to: int = 0
    """Up to this offset another worker may have written rows that its state does not know."""
    flood: Flood | None = None
    parked: deque[FetchedRecords] = field(default_factory=deque)


class HeldPartitions(dict[int, Held]):
    """Each by its number. Mutable, owned by the processor; `assignment` is the consumer's own view of it."""

    def __init__(self, assignment: PartitionAssignment) -> None:
        super().__init__()
        self.assignment = assignment
        self._began_under: dict[int, int] = {}
        """Of the batch under way: the epoch of each partition when it began."""

    @property
    def states(self) -> dict[int, Partition]:
        return {number: held.state for number, held in self.items() if held.state is not None}

    @property
    def recovering(self) -> list[int]:
        """Those whose state is not known yet."""
        return [number for number, held in self.items() if not held.recovered]

    @property
    def floods(self) -> list[Flood]:
        """Why some of them stand."""
        return [held.flood for held in self.values() if held.flood is not None]

    def replace(self, partitions: Iterable[int], epoch: int) -> None:
        """These, and no others, are in hand. What was kept of one that stays needs only a look at its changelog."""
        kept = dict(self)
        self.clear()
        for number in sorted(partitions):
            was = kept.get(number)
            self[number] = Held(epoch, was.breaker, was.state, was.changelog_end) if was else Held(epoch, Breaker(number))

    def begin(self) -> None:
        """A batch begins under the assignment of now."""
        self._began_under = {number: held.epoch for number, held in self.items()}

    def has(self, number: int, epoch: int) -> bool:
        """Whether the partition is in hand under that epoch."""
        held = self.get(number)
        return held is not None and held.epoch == epoch and self.assignment.holds(number, epoch)

    def check(self, numbers: Iterable[int]) -> None:
        """Raise `Superseded` unless these are still held under the assignment under which the batch began."""
        self.assignment.beat()
        for number in numbers:
            if number not in self._began_under or not self.has(number, self._began_under[number]):
                raise Superseded(f"partition {number} is no longer ours, or ours anew")

    def state(self, number: int) -> Partition:
        state = self[number].state
        if state is None:
            raise RuntimeError(f"partition {number} was folded before it was recovered")
        return state

    def forget_states(self) -> None:
        """Memory is ahead of what was written: read it again."""
        for held in self.values():
            held.state, held.changelog_end, held.recovered, held.flood = None, 0, False, None
            held.parked.clear()
