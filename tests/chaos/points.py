"""The named points at which a worker can be killed, and how a test gets it to die exactly there.

Nothing of this is in the product: `tests.chaos.worker` puts these watchers around the parts that a worker writes through.
An order is a file that names a point; the first worker that comes to the point with records under way takes the file,
writes down what it was doing, and kills itself with SIGKILL. A kill without such a line does not count as one at a point.
"""

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from sinks.clickhouse.tables import WRITTEN, Columns
from streams.settings import Settings
from streams.worker.process import WorkerParts
from streams.worker.transport import Bounds, PartitionAssignment
from streams.worker.transport.away import Away

AFTER_FOLD: Final = "after the fold"
AFTER_DEAD_LETTERS: Final = "after the dead letters"
AFTER_FORWARDS: Final = "after the forwards"
AFTER_BREACHES: Final = "after the breach messages"
AFTER_CHANGELOG: Final = "after the changelog"
BEFORE_COMMIT: Final = "before the commit"
AFTER_COMMIT: Final = "after the commit"
INSERTS: Final = tuple(f"{when} insert into {table}" for table in WRITTEN for when in ("before the", "after the"))
POINTS: Final = (AFTER_FOLD, *INSERTS, AFTER_DEAD_LETTERS, AFTER_FORWARDS, AFTER_BREACHES, AFTER_CHANGELOG, BEFORE_COMMIT, AFTER_COMMIT)


@dataclass(frozen=True)
class Reached:
    """A worker died here: at this point, with so many records delivered to it and not finished (or just committed)."""

    point: str
    pid: int
    records: int


class Orders:
    """Orders to die, in a folder that machine and workers share."""

    def __init__(self, folder: Path) -> None:
        self._order = folder / "order"
        self._log = folder / "reached.jsonl"

    def give(self, point: str) -> None:
        """Let whoever comes to this point next, with records under way, die there."""
        new = self._order.with_suffix(".new")
        new.write_text(point)
        new.replace(self._order)

    def take_back(self) -> bool:
        """False when somebody has taken the order."""
        try:
            self._order.unlink()
        except FileNotFoundError:
            return False
        return True

    def reached(self) -> list[Reached]:
        """Everybody who died by order so far."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [Reached(**json.loads(line)) for line in lines]

    def wanted(self) -> str | None:
        """The point of the order that stands."""
        try:
            return self._order.read_text()
        except FileNotFoundError:
            return None

    def obey(self, point: str, records: int) -> None:
        """Die if that is the order. Of several workers that come to the point, one takes it."""
        if records and self.wanted() == point:
            try:
                self._order.rename(self._order.with_suffix(f".{os.getpid()}"))
            except FileNotFoundError:
                return
            with self._log.open("a") as log:
                log.write(json.dumps(asdict(Reached(point, os.getpid(), records))) + "\n")
            os.kill(os.getpid(), signal.SIGKILL)


class WatchedAssignment(PartitionAssignment):
    """Stands at the commit, and knows how many records are under way."""

    def __init__(self, orders: Orders, settings: Settings) -> None:
        super().__init__(Bounds(), Away(settings.session_timeout_s))
        self._orders = orders

    def under_way(self) -> int:
        """Records that were delivered and are not finished."""
        return sum(tracker.records for tracker in self._trackers.values())

    def committable(self) -> dict[int, int]:
        offsets = super().committable()
        self._orders.obey(BEFORE_COMMIT, sum(offset - self._trackers[p].committed for p, offset in offsets.items()))
        return offsets

    def committed(self, offsets: Mapping[int, int], epoch: int) -> None:
        self._orders.obey(AFTER_COMMIT, sum(offset - self._trackers[p].committed for p, offset in offsets.items() if p in self._trackers))
        super().committed(offsets, epoch)


class Watched:
    """Around a part: all of it, and the watching methods of whoever inherits."""

    def __init__(self, inner: Any, pass_by: Callable[[str], None]) -> None:
        self._inner = inner
        self._pass = pass_by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class WatchedRows(Watched):
    """Writes table after table, as the writer does by itself."""

    async def write(self, tables: Mapping[str, Columns]) -> None:
        self._pass(AFTER_FOLD)
        for table, columns in tables.items():
            self._pass(f"before the insert into {table}")
            await self._inner.write({table: columns})
            self._pass(f"after the insert into {table}")


class WatchedOutbox(Watched):
    async def set_aside(self, refused: Sequence[Any]) -> None:
        await self._inner.set_aside(refused)
        if refused:
            self._pass(AFTER_DEAD_LETTERS)

    async def send_on(self, misrouted: Sequence[Any]) -> None:
        await self._inner.send_on(misrouted)
        if misrouted:
            self._pass(AFTER_FORWARDS)

    async def announce(self, said: Sequence[Any]) -> None:
        await self._inner.announce(said)
        self._pass(AFTER_BREACHES)


class WatchedChangelog(Watched):
    async def write(self, partition: int, items: Sequence[Any]) -> list[Any]:
        spans: list[Any] = await self._inner.write(partition, items)
        self._pass(AFTER_CHANGELOG)
        return spans


def watched(parts: WorkerParts, orders: Orders, settings: Settings) -> WorkerParts:
    """The parts with a watcher around each."""
    assignment = WatchedAssignment(orders, settings)

    def pass_by(point: str) -> None:
        orders.obey(point, assignment.under_way())

    return replace(
        parts,
        rows=cast("Any", WatchedRows(parts.rows, pass_by)),
        outbox=cast("Any", WatchedOutbox(parts.outbox, pass_by)),
        changelog=cast("Any", WatchedChangelog(parts.changelog, pass_by)),
        assignment=assignment,
    )
