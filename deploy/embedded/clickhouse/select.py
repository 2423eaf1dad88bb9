"""A result on its way to a native client, block by block as the engine makes it."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from deploy.embedded.clickhouse.block import BlockColumn, copy_block
from deploy.embedded.clickhouse.channel import ClientChannel
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.reply import ReplyWriter
from deploy.embedded.clickhouse.running import Statement
from deploy.embedded.clickhouse.session import Chunk, Session
from deploy.embedded.clickhouse.source import MemorySource

QUERY_WAS_CANCELLED = 394


def send_result(channel: ClientChannel, session: Session, sql: str, statement: Statement) -> None:
    """Runs a statement and sends what it gives. A statement that its own client cancelled just ends."""
    result = Result(channel.reply, session)
    try:
        with closing(session.stream(statement.mark + sql, "Native")) as chunks:
            for chunk in chunks:
                result.send(chunk)
                if statement.ended:
                    break
    except Failure as failure:
        if failure.code != QUERY_WAS_CANCELLED or not statement.ended:
            raise
    if not result.blocks and not statement.ended:
        result.send_header(session.header(sql))
    result.end()


class Result:
    """Counts what has been sent, for the packets that say so."""

    def __init__(self, reply: ReplyWriter, session: Session) -> None:
        self._reply = reply
        self._session = session
        self._reported: Counter[str] = Counter()
        self.blocks = 0
        self._rows = 0
        self._size = 0

    def send(self, chunk: Chunk) -> None:
        if not self.blocks:
            self.send_header(columns_of(chunk))
        source = MemorySource(chunk.data)
        while source.position < len(chunk.data):
            start = source.position
            header = copy_block(source, self._reply.block_in_pieces())
            self.blocks += 1
            self._rows += header.rows
            self._size += source.position - start
        self._report()

    def send_header(self, columns: Sequence[BlockColumn]) -> None:
        if columns:
            self._reply.header(columns)

    def end(self) -> None:
        read_rows = self._session.progress.get("read_rows", 0)
        self._reply.profile(self._rows, self.blocks, self._size, read_rows)
        self._report()
        self._reply.progress({})  # the last word, which clients count on
        self._reply.end()

    def _report(self) -> None:
        """What has been read and written since the last report."""
        increment = {name: max(0, value - self._reported[name]) for name, value in self._session.progress.items()}
        if increment.get("read_rows") or increment.get("written_rows"):
            self._reply.progress(increment)
            self._reported.update(increment)


def columns_of(chunk: Chunk) -> Sequence[BlockColumn]:
    """The columns of the chunk's first block."""
    return copy_block(MemorySource(chunk.data), lambda _: None).columns
