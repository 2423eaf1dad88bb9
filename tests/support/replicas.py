"""An embedded ClickHouse that is taken for a cluster: what a cluster would be sent is kept, and the server does what it can do of it."""

from dataclasses import dataclass, field
from typing import Any

from clickhouse_driver import Client

from sinks.clickhouse.cluster import REPLICA
from sinks.clickhouse.connection import ClickHouse

CLUSTER = "three-replicas"


@dataclass(frozen=True)
class Replicas(ClickHouse):
    """`sent` is every statement that names the cluster or a replica."""

    cluster: str = CLUSTER
    sent: list[str] = field(default_factory=list)

    def connect(self, database: str | None = None) -> Client:
        client = super().connect(database)
        execute = client.execute

        def kept(sql: str, *arguments: Any, **options: Any) -> Any:
            if "system.clusters" in sql:
                return [(1,)]
            if "CLUSTER" in sql or "REPLICA" in sql or "clusterAllReplicas" in sql:
                self.sent.append(sql)
            if sql.startswith("SYSTEM SYNC REPLICA"):
                return []
            alone = sql.replace(f" ON CLUSTER `{CLUSTER}`", "").replace(f"clusterAllReplicas('{CLUSTER}', system.tables)", "system.tables")
            for named in (f"{REPLICA}, ", REPLICA):
                alone = alone.replace(named, "")
            return execute(alone.replace("ENGINE = Replicated", "ENGINE = "), *arguments, **options)

        client.execute = kept
        return client
