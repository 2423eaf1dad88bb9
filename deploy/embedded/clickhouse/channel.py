"""Both directions of one native connection: blocks in, packets out."""

import socket

from deploy.embedded.clickhouse.block import Header, copy_block
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.frame import unpacked
from deploy.embedded.clickhouse.reply import ReplyWriter
from deploy.embedded.clickhouse.request import Query, read_data_head, read_query, skip_block_info
from deploy.embedded.clickhouse.source import BUFFER_BYTES, FrameSource, SocketSource, Write
from events.exit_code import ExitCode


class UnreadablePacket(Exception):
    """A block whose end cannot be found: the client is told, and the connection ends."""

    exit_code = ExitCode.MISTAKE

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class ClientChannel:
    """`raw` reads the socket, `reply` writes to it; both sides speak `request.REVISION`."""

    def __init__(self, sock: socket.socket, raw: SocketSource, reply: ReplyWriter) -> None:
        self.sock = sock
        self.raw = raw
        self.reply = reply
        self._frames = FrameSource(lambda: unpacked(raw.read), BUFFER_BYTES)

    def receive_query(self) -> Query:
        query = read_query(self.raw)
        self.reply.compressed = query.compressed
        return query

    def pass_over_tables(self) -> bool:
        """Reads on to the empty block that ends a query, and says whether tables came with it."""
        found = False
        while self.receive_block(lambda _: None)[1].columns:
            found = True
        return found

    def receive_block(self, write: Write) -> tuple[str, Header]:
        """The next data packet: (table, header). Its block goes to `write` in the engine's Native format; none if it has no rows."""
        table = read_data_head(self.raw)
        source = self._frames if self.reply.compressed else self.raw
        skip_block_info(source)
        try:
            return table, copy_block(source, write)
        except Failure as failure:
            raise UnreadablePacket(failure) from failure
