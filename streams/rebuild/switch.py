"""The new tables in the place of the old ones, without a row of the workers getting lost, and without a half table for any reader.

Workers write by the tables' names. What they wrote to the old tables of records after the recorded offsets is copied before the
switch, so that readers do not step back, and again after it, until no insert that began before it can still land there.
Windows that a minute's passing wrote at that moment have no record to wait for: workers write all of theirs again when they see
the switch (`streams.worker.watches.switches`). Everything here can be done twice.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final

from clickhouse_driver import Client

from events.directory import Directory
from sinks.clickhouse import comparison, staging
from sinks.clickhouse.comparison import Contrast
from sinks.clickhouse.connection import RECEIVE_TIMEOUT_S
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.rebuilds import FROM_ARCHIVE, SWITCHED, SWITCHING, Rebuild
from streams.kafka import Backlog, LogReader, has_members
from streams.rebuild.journal import Journal
from streams.settings import Settings

POLL_S: Final = 0.3
GRACE_S: Final = 5.0
NOTHING: Final = "0"


def tables_of(rebuild: Rebuild) -> Sequence[str]:
    """Which tables are made anew; the archive stays where it is what is read, and how far the log is counted where the log stays."""
    kept = {"events": rebuild.source == FROM_ARCHIVE, "progress": not rebuild.is_of_log}
    return [table for table in staging.FACTS if not kept.get(table)]


def by_workers(rebuild: Rebuild, table: str) -> str:
    """Condition of rows that workers wrote since the rebuild began. Of another log there are none."""
    if rebuild.is_of_log:
        return NOTHING
    parts = zip(rebuild.offsets, rebuild.clocks, strict=True)
    return " OR ".join(f"({staging.written_since(table, n, rebuild.epoch, *part)})" for n, part in enumerate(parts))


def carry_over(client: Client, rebuild: Rebuild, source: str, target: str) -> None:
    tables = tables_of(rebuild)
    staging.carry_over(client, source, target, tables, [by_workers(rebuild, table) for table in tables])


def compare(client: Client, journal: Journal, live: str) -> list[Contrast]:
    """Old and new, table by table."""
    rebuild, found = journal.now, [Contrast(table) for table in tables_of(journal.now) if table in comparison.KEYS]
    names = sorted({name for database in (live, rebuild.database) for name in _districts(client, database)})
    for name in names:
        found = [
            each + comparison.contrast(client, rebuild.database, each.table, name, f"NOT ({by_workers(rebuild, each.table)})")
            for each in found
        ]
        journal.beat()
    return found


def _districts(client: Client, database: str) -> list[str]:
    return [name for (name,) in client.execute(f"SELECT DISTINCT district FROM {database}.cases")]  # noqa: S608 - our own names


def switch(client: Client, journal: Journal, settings: Settings, directory: Directory, partitions: int) -> None:
    """From here on readers and workers have the new tables. Goes on where it was interrupted."""
    live, rebuild = settings.clickhouse_database, journal.note(state=SWITCHING)
    if not _switched(client, rebuild.tables):
        carry_over(client, rebuild, live, rebuild.database)
    for table in tables_of(rebuild):
        if table not in _switched(client, rebuild.tables):
            staging.exchange(client, live, rebuild.database, table)
    if rebuild.is_of_log:
        staging.add_dead_letters(client, rebuild.database, live)
    else:
        asyncio.run(_catch_up(client, journal, settings, partitions))
    staging.keep_history(client, rebuild.database)
    write_directory(client, directory)
    if rebuild.is_of_log:
        staging.begin_epoch(client, rebuild.epoch, rebuild.topic_id, partitions)
    journal.note(state=SWITCHED, owner="")


def _switched(client: Client, made: Mapping[str, str]) -> set[str]:
    return {table for table, uuid in staging.uuids(client).items() if made[table] == uuid}


async def _catch_up(client: Client, journal: Journal, settings: Settings, partitions: int) -> None:
    """Copy until no insert that began before the switch can still land in the old tables.

    That is once everything that was in the log then is committed, or nobody is a member of the group; or, where a partition stands or is
    far behind, once an insert would have been given up.
    """
    rebuild, live = journal.now, settings.clickhouse_database
    async with LogReader(settings, partitions) as reader:
        held, given_up_at = Backlog(await reader.marks()), monotonic() + RECEIVE_TIMEOUT_S + GRACE_S
        waits = True
        while waits:
            now = Backlog(await reader.marks())
            waits = not now.has_counted(held) and monotonic() < given_up_at and await has_members(settings)
            await asyncio.to_thread(carry_over, client, rebuild, rebuild.database, live)
            await asyncio.to_thread(journal.beat)
            if waits:
                await asyncio.sleep(POLL_S)
