"""External tables: data that a client sends along with a query, kept as temporary tables for as long as it runs."""

from collections.abc import Sequence
from contextlib import closing

from deploy.embedded.clickhouse.block import Column
from deploy.embedded.clickhouse.channel import Channel
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.session import Session
from deploy.embedded.clickhouse.statement import identifier


class TemporaryTables:
    """Reads the tables behind a query packet, up to the empty block that ends them.

    They are read to the end even when one is refused, because the client listens only then; `failure` is why.
    """

    def __init__(self, session: Session, channel: Channel) -> None:
        self._session = session
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
            with closing(self._session.ingest(f"INSERT INTO {identifier(name)}")) as ingest:
                ingest.append(block)
                ingest.finish()
