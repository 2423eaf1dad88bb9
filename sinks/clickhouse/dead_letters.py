"""The register of what was set aside: finding rows of `dead_letters`, changing their state, and what people let pass.

A change of state is one more row with a higher version. Bytes are not here but in the dead letter topic.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from clickhouse_driver import Client

from sinks.clickhouse.connection import INSERT_SETTINGS
from sinks.clickhouse.tables import STORED, insert_into

OPEN, REDRIVEN, DISCARDED = STATES = ("open", "redriven", "discarded")
COLUMNS: Final = STORED["dead_letters"]
INSTANTS: Final = ("produced_at", "changed_at")
ROWS_AN_INSERT: Final = 10_000


class LogPosition(NamedTuple):
    """Where a record that was set aside is in the log."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"partition {self.partition}, offset {self.offset} of {self.topic}"


@dataclass(frozen=True)
class DeadLetter:
    """A row of `dead_letters`; instants in milliseconds since the epoch."""

    topic_id: str
    topic: str
    partition: int
    offset: int
    produced_at: int
    reason: str
    path: str
    message: str
    bytes: int
    source: str
    state: str
    changed_at: int
    version: int

    @property
    def place(self) -> LogPosition:
        return LogPosition(self.topic, self.partition, self.offset)


@dataclass(frozen=True)
class Selection:
    """Which dead letters; what is empty or None does not matter. `since` and `before` are ms of the record's timestamp."""

    reasons: Sequence[str] = ()
    source: str | None = None
    topic: str | None = None
    partition: int | None = None
    since: int | None = None
    before: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    state: str | None = OPEN

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it, the state apart."""
        return replace(self, state=None) == Selection(state=None)

    def _conditions(self) -> tuple[str, dict[str, Any]]:
        rules = {
            "reason IN %(reasons)s": ("reasons", tuple(self.reasons) or None),
            "source = %(source)s": ("source", self.source),
            "topic = %(topic)s": ("topic", self.topic),
            "partition = %(partition)s": ("partition", self.partition),
            "toUnixTimestamp64Milli(produced_at) >= %(since)s": ("since", self.since),
            "toUnixTimestamp64Milli(produced_at) < %(before)s": ("before", self.before),
            "offset >= %(from_offset)s": ("from_offset", self.from_offset),
            "offset <= %(to_offset)s": ("to_offset", self.to_offset),
            "state = %(state)s": ("state", self.state),
        }
        given = {rule: (name, value) for rule, (name, value) in rules.items() if value is not None}
        return " AND ".join(given) or "1", dict(given.values())


def count(client: Client, selection: Selection) -> int:
    """How many there are."""
    where, values = selection._conditions()  # noqa: SLF001 - the SQL of this module
    [(found,)] = client.execute(f"SELECT count() FROM dead_letters FINAL WHERE {where}", values)
    return int(found)


def find(client: Client, selection: Selection, limit: int) -> list[DeadLetter]:
    """The first `limit` of them in the order of the log."""
    where, values = selection._conditions()  # noqa: SLF001 - the SQL of this module
    columns = ", ".join(f"toUnixTimestamp64Milli(d.{c})" if c in INSTANTS else f"d.{c}" for c in COLUMNS)
    rows = client.execute(
        f"SELECT {columns} FROM dead_letters AS d FINAL WHERE {where} ORDER BY d.topic_id, d.partition, d.offset LIMIT %(limit)s",
        values | {"limit": limit},
    )
    return [DeadLetter(*row) for row in rows]


def mark(client: Client, letters: Iterable[DeadLetter], state: str, now: int) -> None:
    """Change their state as of `now` (ms)."""
    rows = [
        tuple(getattr(changed, column) for column in COLUMNS)
        for letter in letters
        for changed in (replace(letter, state=state, changed_at=now, version=max(now, letter.version + 1)),)
    ]
    for begin in range(0, len(rows), ROWS_AN_INSERT):
        client.execute(insert_into("dead_letters", COLUMNS), rows[begin : begin + ROWS_AN_INSERT], settings=INSERT_SETTINGS)


def accept(client: Client, topic_id: str, partition: int, until: int) -> None:
    """Let a partition's flood pass, up to and with offset `until`."""
    client.execute("INSERT INTO acceptances (topic_id, partition, until) VALUES", [(topic_id, partition, until)], settings=INSERT_SETTINGS)


def accepted(client: Client, topic_id: str) -> dict[int, int]:
    """The last offset that passes, by partition; none where nobody accepted anything."""
    return dict(
        client.execute("SELECT partition, max(until) FROM acceptances WHERE topic_id = %(topic)s GROUP BY partition", {"topic": topic_id})
    )
