"""Tables beside those that are read: made, filled up with what workers wrote meanwhile, switched, dropped.

They lie in a database of their own, so `EXCHANGE TABLES` swaps each with its old one in one step, the old one is kept under the
same name, and one statement drops what is not wanted. A table's UUID goes with it, so it can be told whether it was switched.
Rows are absolute and versioned: copying the same ones twice, or older ones beside newer ones, changes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from clickhouse_driver import Client

from events.exit_code import ExitCode
from projections.rows import row_version
from sinks.clickhouse.cluster import catch_up, define, system_tables
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.tables import copy_of, kept_of

FACTS: Final = ("events", "cases", "windows", "progress")
"""What can be computed again, in the order of switching: each is whole before and after. The last one is of the log, not of its events."""


class ReplicasDiffer(Exception):
    """Some replicas of the cluster have switched a table and others have not."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, database: str) -> None:
        super().__init__(
            f"replicas have different tables in {database}: see that all of them run and have done "
            "what system.distributed_ddl_queue holds, then try again"
        )


def make(server: ClickHouse, database: str) -> dict[str, str]:
    """Empty tables in `database`; those that are there stay as they are. Returns the UUID of each that can be switched.

    History is what was known then, and is not switched.
    """
    beside = replace(server, database=database)
    migrate(beside)
    with beside.connect() as client:
        return uuids(client)


def drop(client: Client, database: str) -> None:
    define(client, f"DROP DATABASE IF EXISTS {database} SYNC")


def uuids(client: Client) -> dict[str, str]:
    """UUID of each table that can be switched, of the database that the client is connected to."""
    [(database,)] = client.execute("SELECT currentDatabase()")
    query = f"SELECT DISTINCT name, toString(uuid) FROM {system_tables(client)} WHERE database = %(database)s AND name IN %(names)s"
    found = list(client.execute(query, {"database": database, "names": FACTS}))
    if len(found) > len(dict(found)):
        raise ReplicasDiffer(database)
    return dict(found)


# -- what workers write meanwhile -----------------------------------------------------------------------------------------
def written_since(table: str, partition: int, epoch: int, offset: int, clock: int) -> str:
    """Rows that a worker wrote of records at `offset` and later, or as of later than `clock` ms and those records."""
    if table == "events":
        return f"partition = {partition} AND offset >= {offset}"
    if table == "cases":
        return f"partition = {partition} AND version >= toUInt128('{row_version(epoch, offset, 0)}')"
    return f"partition = {partition} AND version >= toUInt128('{(clock // 60_000 << 64 | offset) + 1 << 32}')"


def carry_over(client: Client, source: str, target: str, tables: Sequence[str], since: Sequence[str]) -> None:
    """Copy those rows of each table from one database to the other; `since` are conditions as of `written_since`, by table."""
    for table, condition in zip(tables, since, strict=True):
        catch_up(client, f"{source}.{table}")
        client.execute(f"{copy_of(table, f'{source}.{table}', f'{target}.{table}')} WHERE {condition}")


# -- the switch -----------------------------------------------------------------------------------------------------------
def exchange(client: Client, live: str, beside: str, table: str) -> None:
    define(client, f"EXCHANGE TABLES {live}.{table} AND {beside}.{table}")


def keep_history(client: Client, beside: str) -> None:
    """Keep what stands in the new windows, and what last stood in the old ones: a quarter of an hour may have ended in between."""
    for table in ("windows", f"{beside}.windows"):
        catch_up(client, table)
        client.execute(kept_of(table))


def begin_epoch(client: Client, epoch: int, topic_id: str, partitions: int) -> None:
    """From here on rows come from this topic. Doing it twice changes nothing."""
    client.execute("INSERT INTO log (epoch, topic_id, partitions) VALUES", [(epoch, topic_id, partitions)])


def add_dead_letters(client: Client, source: str, target: str) -> None:
    """Those of the new log beside those of the old one."""
    catch_up(client, f"{source}.dead_letters")
    client.execute(copy_of("dead_letters", f"{source}.dead_letters", f"{target}.dead_letters"))
