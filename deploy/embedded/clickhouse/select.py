"""A result on its way to a native client, block by block as the engine makes it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing

from deploy.embedded.clickhouse.block import Column, copy_block, empty_block
from deploy.embedded.clickhouse.channel import Channel
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.reply import Reply
from deploy.embedded.clickhouse.running import Statement
from deploy.embedded.clickhouse.session import Chunk, Session
from deploy.embedded.clickhouse.source import MemorySource

QUERY_WAS_CANCELLED = 394


def send_result(channel: Channel, session: Session, sql: str, statement: Statement, parameters: Mapping[str, str]) -> None:
    """Runs a statement and sends what it gives. A statement that its own client cancelled just ends."""
    result = Result(channel.reply, session)
    try:
        with closing(session.stream(statement.mark + sql, "Native", parameters)) as chunks:
            for chunk in chunks:
                result.send(chunk)
                if statement.ended:
                    break
    except Failure as failure:
        if failure.code != QUERY_WAS_CANCELLED or not statement.ended:
            raise
    if not result.blocks and not statement.ended:
        result.send_header(session.header(sql, parameters))
    result.end()


class Result:
    """Counts what has been sent, for the packets that say so."""

    def __init__(self, reply: Reply, session: Session) -> None:
        self._reply = reply
        self._session = session
        self._reported: Counter[str] = Counter()
        self.blocks = 0
        self._rows = 0
        self._size = 0

    def send(self, chunk: Chunk) -> None:
        for block, columns, rows in blocks_of(chunk, self._reply.marked):
            if not self.blocks:
                self.send_header(columns)
            self._reply.block(block)
            self.blocks += 1
            self._rows += rows
            self._size += len(block)
        self._report()

    def send_header(self, columns: list[Column]) -> None:
        if columns:
            self._reply.block(empty_block(columns, self._reply.marked))

    def end(self) -> None:
        read_rows = self._session.progress.get("read_rows", 0)
        self._reply.profile(self._rows, self.blocks, self._size, read_rows)
        self._report()
        self._reply.end()

    def _report(self) -> None:
        now = Counter(self._session.progress)
        increment = {name: max(0, value - self._reported[name]) for name, value in now.items()}
        if increment.get("read_rows") or increment.get("written_rows"):
            self._reply.progress(increment)
            self._reported.update(increment)


def blocks_of(chunk: Chunk, marked: bool) -> Iterator[tuple[bytes, list[Column], int]]:
    """(block for the client, its columns, its rows): the chunk's blocks with the marks that the revision wants."""
    source = MemorySource(chunk.data)
    while source.position < len(chunk.data):
        parts: list[bytes] = []
        header = copy_block(source, marked_in=False, marked_out=marked, write=parts.append)
        yield b"".join(parts), list(header.columns), header.rows
