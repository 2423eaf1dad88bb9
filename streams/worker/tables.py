"""The rows of one batch as the columns of one insert for each table, over all partitions."""

from collections.abc import Collection, Sequence
from itertools import chain

import numpy as np

from events.sender import source_of
from projections.changes import Changes
from projections.rows import Columns, Row
from streams.kafka import ClaimCheck
from streams.sorting import Refused


def tables_of(changes: Collection[Changes], refused: Sequence[Refused], topic_id: str) -> dict[str, Columns]:
    """Tables with rows, in the order of writing: what is over is kept; facts; what was set aside; and last that all of it is there."""
    tables = {
        "windows_history": joined([c.history for c in changes]),
        "events": joined([c.events for c in changes]),
        "cases": joined([c.cases for c in changes]),
        "windows": joined([c.windows for c in changes]),
        "dead_letters": [list(column) for column in zip(*(_dead_letter(r, topic_id) for r in refused), strict=True)],
        "progress": joined([c.progress for c in changes]),
    }
    return {name: columns for name, columns in tables.items() if columns}


def _dead_letter(refused: Refused, topic_id: str) -> Row:
    """One row of `dead_letters`: see `sinks.clickhouse.tables.DEAD_LETTER_COLUMNS`."""
    record, why = refused.record, refused.rejection
    where = (topic_id, record.topic, record.partition, record.offset, record.timestamp)
    source = source_of(None if isinstance(record.value, ClaimCheck) else record.value, record.headers)
    return (*where, why.reason.value, why.path, why.message, len(record.value or b""), source)


def joined(parts: list[Columns]) -> Columns:
    """Columns of several partitions as the columns of one insert."""
    parts = [part for part in parts if part]
    if len(parts) < 2:  # noqa: PLR2004 - nothing to join
        return parts[0] if parts else []
    return [
        list(chain.from_iterable(columns)) if isinstance(columns[0], list) else np.concatenate(columns)
        for columns in zip(*parts, strict=True)
    ]
