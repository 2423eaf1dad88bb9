"""The archive of events from the topic: what the workers accepted of it, for the log that they are counting.

Accepted is what keeps the contract, is in the partition of its district, and was not set aside: that a worker once found a record too
late, a case full, or a subject too much like a telephone number, is not judged again. What the topic no longer has is taken from the
old archive.
"""

import asyncio
from collections.abc import Callable, Sequence

from clickhouse_driver import Client

from events.personal_data import anybody_allows
from projections.rows import EVENT_COLUMNS, OFFSET_SHIFT, Columns, Row, columns, event_row, row_version
from sinks.clickhouse.ledger import dead_letter_rows
from sinks.clickhouse.store import Store
from sinks.clickhouse.tables import copy_of
from streams.kafka import LogReader
from streams.rebuild.journal import Journal
from streams.sorting import Record, Sorter


async def read_topic(journal: Journal, reader: LogReader, live: Client, store: Store, advance: Callable[[int], None]) -> None:
    """Write the events of every partition up to the recorded offsets, from where it was interrupted."""
    begun = journal.now
    firsts = [mark.first for mark in await reader.marks()]
    if not begun.read_to:
        await asyncio.to_thread(_take_over, live, begun.database, firsts)
        begun = journal.note(read_to=firsts)
    done = 0
    for number, after in enumerate(begun.offsets):
        accepted = _Accepted(number, len(begun.offsets), begun.epoch, begun.directory_revision)
        accepted.set_aside = await asyncio.to_thread(dead_letter_rows, live, begun.topic_id, number)
        position = max(begun.read_to[number], firsts[number])
        async for records in reader.records(number, position, after):
            await store.write({"events": accepted.rows(records)})
            position = records[-1].offset + 1
            journal.note(read_to=[*journal.now.read_to[:number], position, *journal.now.read_to[number + 1 :]])
            advance(done + position - firsts[number])
        done += max(0, after - firsts[number])


def _take_over(client: Client, beside: str, firsts: Sequence[int]) -> None:
    """Rows of records that the topic no longer has."""
    gone = [f"partition = {number} AND offset < {first}" for number, first in enumerate(firsts) if first]
    if gone:
        client.execute(f"{copy_of('events', 'events', f'{beside}.events')} WHERE {' OR '.join(gone)}")


class _Accepted:
    """Picks the accepted events of one partition."""

    def __init__(self, number: int, partitions: int, epoch: int, revision: int) -> None:
        self._number = number
        self._sorter = Sorter(partitions, anybody_allows)
        self._first_version = row_version(epoch, 0, revision)
        self.set_aside: dict[int, str] = {}

    def rows(self, records: Sequence[Record]) -> Columns:
        values: list[object] = []
        for offset, timestamp, backfill, district, subject, event in self._sorter.sort(self._number, records).entries:
            if offset not in self.set_aside:
                version = self._first_version + (offset << OFFSET_SHIFT)
                delivery: Row = (self._number, offset, timestamp, 1 if backfill else 0, version)
                values += event_row(district, subject, event, delivery)
        return columns(values, EVENT_COLUMNS, EVENT_COLUMNS)
