"""The register of rebuilds: one row for each, written again with every step, so that another process can go on where one ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final

from clickhouse_driver import Client

from sinks.clickhouse.cluster import catch_up
from sinks.clickhouse.connection import INSERT_SETTINGS
from sinks.clickhouse.tables import insert_into

BUILDING, BUILT, SWITCHING, SWITCHED, DROPPED, ABANDONED = "building", "built", "switching", "switched", "dropped", "abandoned"
UNDER_WAY: Final = (BUILDING, BUILT, SWITCHING)
FROM_ARCHIVE, FROM_TOPIC, FROM_LOG, FROM_LOG_AND_ARCHIVE = "events", "topic", "log", "log+events"

OF_LOG: Final = (FROM_LOG, FROM_LOG_AND_ARCHIVE)


@dataclass(frozen=True)
class Rebuild:
    """A row of `rebuilds`; its columns are told there."""

    number: int
    state: str
    source: str
    database: str
    epoch: int
    topic_id: str
    directory_revision: int
    fold: int
    offsets: Sequence[int]
    clocks: Sequence[int]
    read_to: Sequence[int] = ()
    done_to: str = ""
    done: int = 0
    total: int = 0
    tables: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    version: int = 0

    @property
    def is_of_log(self) -> bool:
        """Whether a worker counts the log anew, from its first record, under an epoch of its own."""
        return self.source in OF_LOG

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY


COLUMNS: Final = tuple(column.name for column in fields(Rebuild))


def rebuilds(client: Client) -> list[Rebuild]:
    """All of them, the newest first."""
    catch_up(client, "rebuilds")
    rows = client.execute(f"SELECT {', '.join(COLUMNS)} FROM rebuilds FINAL ORDER BY number DESC")
    return [Rebuild(*row) for row in rows]


def newest(client: Client) -> Rebuild | None:
    return next(iter(rebuilds(client)), None)


def quiet_for_s(client: Client, number: int) -> float:
    """Seconds, by the server's clock, since the rebuild's row was written."""
    query = "SELECT dateDiff('millisecond', max(changed_at), now64(3)) / 1000 FROM rebuilds WHERE number = %(number)s"
    [(seconds,)] = client.execute(query, {"number": number})
    return float(seconds)


def record(client: Client, rebuild: Rebuild, **changes: object) -> Rebuild:
    """Write the row with these changes, as the newest; returns it."""
    changed = replace(rebuild, version=rebuild.version + 1, **changes)  # type: ignore[arg-type] # columns by name
    row = tuple(getattr(changed, column) for column in COLUMNS)
    client.execute(insert_into("rebuilds", COLUMNS), [row], settings=INSERT_SETTINGS)
    return changed


def last_switch(client: Client) -> int:
    """Number of the newest rebuild whose tables are the ones that are read; 0 where there is none."""
    [(number,)] = client.execute("SELECT max(number) FROM rebuilds FINAL WHERE state IN %(states)s", {"states": (SWITCHED, DROPPED)})
    return int(number)
