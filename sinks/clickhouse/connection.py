"""Where ClickHouse is, and how Frontdesk talks to it.

One place makes connections, so that one place pins what an upgrade of the server must not change under us: inserts are
synchronous (an acknowledged row is there), are not deduplicated by the server (versions decide, a retry must land), and
time out well before the consumer group would give the worker's partitions away.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clickhouse_driver.errors import Error

from sinks.clickhouse.cluster import SETTINGS
from sinks.clickhouse.columns import ColumnClient

INSERT_SETTINGS: dict[str, Any] = {
    "async_insert": 0,
    "insert_deduplicate": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 0,
    "max_partitions_per_insert_block": 0,  # old events of many months in one batch are slow, not wrong
    "max_threads": 1,  # an insert is one block: more threads are only started and ended, a tenth of what the smallest one costs
    "optimize_on_insert": 0,  # no key comes twice in a block, so there is nothing to replace before it is written
}
"""Sent with every INSERT."""

CONNECT_TIMEOUT_S = 5
RECEIVE_TIMEOUT_S = 60
AWAY = (Error, OSError, EOFError)
"""What a client raises while the server cannot be reached or does not answer as it should."""


@dataclass(frozen=True)
class ClickHouse:
    """A server and the database in it. `ca_file` is a PEM file; `verify=False` accepts any certificate; `cluster` is '' for one server.

    After `receive_timeout_s` without a byte of an answer it counts as away.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    user: str = "default"
    password: str = ""
    database: str = "frontdesk"
    cluster: str = ""
    secure: bool = False
    ca_file: Path | None = None
    verify: bool = True
    receive_timeout_s: float = RECEIVE_TIMEOUT_S

    def connect(self, database: str | None = None) -> ColumnClient:
        """A client of its own for one thread. It connects at the first query; `close()` or `disconnect()` ends it."""
        client = ColumnClient(
            self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database if database is None else database,
            client_name="frontdesk",
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=self.receive_timeout_s,
            sync_request_timeout=CONNECT_TIMEOUT_S,
            tcp_keepalive=True,
            secure=self.secure,
            verify=self.verify,
            ca_certs=str(self.ca_file) if self.ca_file else None,
            settings=SETTINGS if self.cluster else None,
        )
        client.cluster = self.cluster
        return client

    def __repr__(self) -> str:
        """Without the password: it ends up in logs."""
        return f"ClickHouse({self.user}@{self.host}:{self.port}/{self.database}{', TLS' if self.secure else ''})"
