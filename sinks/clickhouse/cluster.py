"""One ClickHouse server, or a cluster of replicas: all that differs between the two is here.

SQL is written for one server everywhere. On a cluster `ddl` has each statement that defines something run on all replicas and makes
their tables Replicated; an insert is acknowledged once most replicas have it; and `catch_up` lets the replica that is asked fetch what
others have acknowledged. Sequential consistency by settings would need inserts one after the other over all workers: theirs would
fail each other.
"""

import re
from typing import Any, Final

from clickhouse_driver import Client

PART: Final = r"""(?:`[^`]+`|"[^"]+"|(?!IF\b)\w+)"""
NAME: Final = rf"{PART}(?:\.{PART})?"
DEFINED: Final = re.compile(
    rf"(?:\s|--[^\n]*\n)*(?:(?:CREATE(?: OR REPLACE)?|DROP) (?:DATABASE|TABLE|VIEW)(?: IF(?: NOT)? EXISTS)? {NAME}"
    rf"|EXCHANGE TABLES {NAME} AND {NAME})"
)
ENGINE: Final = re.compile(r"\bENGINE = (\w*MergeTree)\b(?:\(([^)]*)\))?")
REPLICA: Final = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"
"""Where a table's replicas find each other. Its UUID is the same on all of them, and goes with it through an exchange."""
SETTINGS: Final[dict[str, Any]] = {"insert_quorum": "auto", "distributed_ddl_output_mode": "throw"}
"""Of every connection to a cluster: most replicas have what is acknowledged, and a definition is over when all of them have it."""


def ddl(statement: str, cluster: str) -> str:
    """The statement as it is sent; '' is no cluster. Raises ValueError for one that defines nothing."""
    found = DEFINED.match(statement)
    if found is None:
        raise ValueError(f"no CREATE, DROP or EXCHANGE: {statement}")
    if not cluster:
        return statement
    rest = ENGINE.sub(
        lambda engine: f"ENGINE = Replicated{engine[1]}({', '.join(filter(None, (REPLICA, engine[2])))})", statement[found.end() :]
    )
    return f"{found[0]} ON CLUSTER `{cluster}`{rest}"


def define(client: Client, statement: str) -> None:
    """Run it, on a cluster on every replica."""
    client.execute(ddl(statement, client.cluster))


def catch_up(client: Client, *tables: str) -> None:
    """What anybody has acknowledged of these tables by now is there when this returns; on one server it always is."""
    if client.cluster:
        for table in tables:
            client.execute(f"SYSTEM SYNC REPLICA {table} LIGHTWEIGHT")


def system_tables(client: Client) -> str:
    """What to read for the tables of every replica; it fails while one is away."""
    return f"clusterAllReplicas('{client.cluster}', system.tables)" if client.cluster else "system.tables"


def shards(client: Client) -> int:
    """How many the cluster has, as the server knows it; 0 for one that it does not know."""
    [(number,)] = client.execute(
        "SELECT uniqExact(shard_num) FROM system.clusters WHERE cluster = %(cluster)s", {"cluster": client.cluster}
    )
    return int(number)
