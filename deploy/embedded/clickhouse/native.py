"""The native-protocol door: one thread and one engine session for each client connection.

Reads hello and queries, lets the engine answer, and leaves nothing behind when a client goes: its unfinished insert is given
up, its running query ended, its temporary tables go with its session.
"""

import logging
import socket
import socketserver
import ssl
import struct
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse.access import Access, access_of
from deploy.embedded.clickhouse.channel import Channel, Unreadable
from deploy.embedded.clickhouse.engine import Engine
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.insert import take_insert
from deploy.embedded.clickhouse.reply import REVISION, Reply
from deploy.embedded.clickhouse.request import ADDENDUM, CANCEL, PING, QUERY, Query, read_hello
from deploy.embedded.clickhouse.running import Running
from deploy.embedded.clickhouse.select import send_result
from deploy.embedded.clickhouse.source import SocketSource, socket_source
from deploy.embedded.clickhouse.statement import insert_of
from deploy.embedded.clickhouse.temporary import TemporaryTables
from deploy.embedded.clickhouse.users import Users
from deploy.embedded.clickhouse.wire import ProtocolError, read_number, read_string
from deploy.embedded.port import HOST

HELLO_TIMEOUT_S = 10
IDLE_TIMEOUT_S = 3600
SEND_TIMEOUT_S = 300
BACKLOG = 128

log = logging.getLogger(__name__)


class Connection:
    """One client, from hello to its end."""

    def __init__(self, door: "NativeDoor", sock: socket.socket) -> None:
        self._door = door
        self._sock = sock

    def serve(self) -> None:
        """Until the client goes, or says something that is not of this protocol."""
        limit_waiting(self._sock, HELLO_TIMEOUT_S)
        raw = socket_source(self._sock)
        access, channel = self._welcome(raw)
        try:
            limit_waiting(self._sock, IDLE_TIMEOUT_S)
            while True:
                self._answer(read_number(raw), access, channel)
        finally:
            access.close()

    def _welcome(self, raw: SocketSource) -> tuple[Access, Channel]:
        hello = read_hello(raw)
        reply = Reply(self._sock, min(hello.revision, REVISION))
        try:
            access = access_of(self._door.users.authenticate(hello.user, hello.password), self._door.engine)
        except Failure as failure:
            reply.exception(failure)
            raise
        try:
            access.session.use(hello.database)
            reply.hello([int(part) for part in self._door.engine.version.split(".")[:3]])
            if reply.revision >= ADDENDUM:
                read_string(raw)  # quota key
        except Failure as failure:
            access.close()
            reply.exception(failure)
            raise
        except BaseException:
            access.close()
            raise
        return access, Channel(self._sock, raw, reply)

    def _answer(self, packet: int, access: Access, channel: Channel) -> None:
        if packet == QUERY:
            self._query(channel.receive_query(), access, channel)
        elif packet == PING:
            channel.reply.pong()
        elif packet != CANCEL:  # a cancel may come when the query is over
            raise ProtocolError(f"packet {packet} where a query belongs")

    def _query(self, query: Query, access: Access, channel: Channel) -> None:
        try:
            tables = TemporaryTables(access.session, channel, self._door.running)
            try:
                if tables.failure:
                    raise tables.failure
                self._run(query, access, channel)
            finally:
                tables.drop()
        except Failure as failure:
            channel.reply.exception(failure)
        except Unreadable as unreadable:
            channel.reply.exception(unreadable.failure)
            raise

    def _run(self, query: Query, access: Access, channel: Channel) -> None:
        access.borrow(query.settings, query.important)
        if not access.admit(query.sql):
            channel.reply.end()
            return
        running, insert = self._door.running, insert_of(query.sql)
        query_id = query.query_id or str(uuid.uuid4())
        if insert:
            with running.entered(query_id) as statement:  # its client is heard all the time
                take_insert(channel, access.session, insert, statement.mark, partial(running.end, statement))
        else:
            with running.entered(query_id, self._sock, self._door.encrypted) as statement:
                send_result(channel, access.session, running.translated(query.sql), statement, query.parameters)


class NativeDoor(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1. With a TLS context every connection is encrypted."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = BACKLOG

    def __init__(self, port: int, engine: Engine, running: Running, users: Users, tls: ssl.SSLContext | None = None) -> None:
        try:
            super().__init__((HOST, port), socketserver.BaseRequestHandler)
        except OSError as error:
            raise Unavailable(f"port {port} for the native protocol cannot be had: {error.strerror}") from error
        self.engine = engine
        self.running = running
        self.users = users
        self._tls = tls
        self._clients: set[socket.socket] = set()
        self._idle = threading.Condition()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def encrypted(self) -> bool:
        return self._tls is not None

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name=f"native {self.port}", daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread."""
        try:
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._wrapped(request) as sock, self._entered(sock):
                Connection(self, sock).serve()
        except (EOFError, OSError, Failure, Unreadable):
            log.debug("client %s is gone", client_address)
        except (ValueError, MemoryError) as error:
            log.warning("client %s: %s", client_address, error)

    def stop(self, deadline_s: float) -> bool:
        """Ends all connections; False if some were still busy at the deadline."""
        self.shutdown()
        self.server_close()
        with self._idle:
            for sock in self._clients:
                hang_up(sock)
            return self._idle.wait_for(lambda: not self._clients, deadline_s)

    def _wrapped(self, request: socket.socket) -> socket.socket:
        limit_waiting(request, HELLO_TIMEOUT_S)
        return self._tls.wrap_socket(request, server_side=True) if self._tls else request

    @contextmanager
    def _entered(self, sock: socket.socket) -> Iterator[None]:
        with self._idle:
            self._clients.add(sock)
        try:
            yield
        finally:
            with self._idle:
                self._clients.discard(sock)
                self._idle.notify_all()


def hang_up(sock: socket.socket) -> None:
    """Ends the connection under the feet of the thread that serves it."""
    with suppress(OSError):  # the client was faster
        sock.shutdown(socket.SHUT_RDWR)


def limit_waiting(sock: socket.socket, receive_s: int) -> None:
    """How long the kernel waits for the peer before a read or a write fails."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", receive_s, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_TIMEOUT_S, 0))
