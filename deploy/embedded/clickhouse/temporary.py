"""External tables: data that a client sends along with a query, kept as temporary tables for as long as it runs."""

from collections.abc import Sequence
from contextlib import closing
from functools import partial

from deploy.embedded.clickhouse.block import Column
from deploy.embedded.clickhouse.channel import Channel
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.ingest import Ingest
from deploy.embedded.clickhouse.running import Running, Statement
from deploy.embedded.clickhouse.session import Session
from deploy.embedded.clickhouse.statement import Insert, identifier


class TemporaryTables:
    """Reads the tables behind a query packet, up to the empty block that ends them.

    They are read to the end even when one is refused, because the client listens only then; `failure` is why.
    """

    def __init__(self, session: Session, channel: Channel, running: Running) -> None:
        self._session = session
        self._running = running
        self._names: list[str] = []
        self.failure: Failure | None = None
        while self._received(channel):
            pass

    def drop(self) -> None:
        for name in self._names:
            self._session.query(f"DROP TEMPORARY TABLE IF EXISTS {identifier(name)}")

    def _received(self, channel: Channel) -> bool:
        pieces: list[bytes] = []
        name, header = channel.receive_block(pieces.append)
        if header.columns and not self.failure:
            try:
                self._fill(name, header.columns, b"".join(pieces))
            except Failure as failure:
                self.failure = failure
        return bool(header.columns)

    def _fill(self, name: str, columns: Sequence[Column], block: bytes) -> None:
        if name not in self._names:
            wanted = ", ".join(f"{identifier(column.name)} {column.type}" for column in columns)
            self._session.query(f"CREATE TEMPORARY TABLE {identifier(name)} ({wanted}) ENGINE = Memory")
            self._names.append(name)
        if block:
            with self._running.entered("") as statement, closing(self._ingest(name, statement)) as ingest:
                ingest.append(block)
                ingest.finish()

    def _ingest(self, name: str, statement: Statement) -> Ingest:
        return self._session.ingest(Insert(identifier(name)), "Native", statement.mark, partial(self._running.end, statement))
