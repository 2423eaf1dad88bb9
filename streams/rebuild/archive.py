"""Cases and windows from the archive of events, district by district: a district lies whole in one partition of the log.

Memory holds a batch of cases and the windows of one district. The name of the last district that is written is the place from which
an interrupted rebuild goes on; what it wrote beyond is written again, the same.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from clickhouse_driver import Client

from events.directory import Directory
from events.partition import partition_of
from projections.replay import Replay
from projections.rows import Columns
from sinks.clickhouse.archive import cases_of, districts
from sinks.clickhouse.store import Store
from streams.rebuild.journal import Journal
from streams.worker.tables import joined

ROWS_AT_ONCE: Final = 10_000
"""In an insert: small districts share one, or each would leave a part of its own for every month."""
CASES_AT_ONCE: Final = 5_000

Item = TypeVar("Item")


class Shelf:
    """Mutable: rows that wait for an insert."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, list[Columns]] = {}
        self.rows = 0

    def put(self, table: str, columns: Columns) -> None:
        if columns:
            self._waiting.setdefault(table, []).append(columns)
            self.rows += len(columns[0])

    async def clear(self) -> None:
        """Returns when ClickHouse has them all."""
        await self._store.write({table: joined(parts) for table, parts in self._waiting.items()})
        self._waiting, self.rows = {}, 0


async def fold_archive(journal: Journal, source: Client, store: Store, directory: Directory, advance: Callable[[int], None]) -> None:
    """Write the cases and windows that are not done yet. `source` is connected to the database with the events."""
    shelf, begun, rows_done = Shelf(store), journal.now, journal.now.done
    for district, rows in districts(source, begun.done_to):
        number = partition_of(district, len(begun.offsets))
        replay = Replay(number, directory, begun.epoch, begun.clocks[number], begun.offsets[number])
        folded = rows_done
        for cases in batches(cases_of(source, district), CASES_AT_ONCE):
            shelf.put("cases", replay.fold(cases))
            folded += sum(len(case.events) for case in cases)
            if shelf.rows >= ROWS_AT_ONCE:
                await shelf.clear()
            advance(folded)
            journal.beat()
        shelf.put("windows", replay.windows())
        rows_done += rows
        if shelf.rows >= ROWS_AT_ONCE:
            await shelf.clear()
        if not shelf.rows:
            journal.note(done_to=district, done=rows_done)
    await shelf.clear()
    journal.note(done=rows_done)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last one shorter."""
    each = iter(items)
    while batch := list(islice(each, size)):
        yield batch
