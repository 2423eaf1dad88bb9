"""The native-protocol door: one thread and one engine session for each client connection.

Reads hello and queries, lets the engine answer, and leaves nothing behind when a client goes: its unfinished insert is given
up, its running query ended, its temporary tables go with its session. A stranger, who has not said the password, is bounded in
number, in time and in what may be sent.
"""

import hmac
import logging
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse.channel import ClientChannel, UnreadablePacket
from deploy.embedded.clickhouse.engine import Engine
from deploy.embedded.clickhouse.failure import Failure, refused
from deploy.embedded.clickhouse.insert import take_insert
from deploy.embedded.clickhouse.reply import ReplyWriter
from deploy.embedded.clickhouse.request import CANCEL, PING, QUERY, Hello, Query, read_hello
from deploy.embedded.clickhouse.running import Running
from deploy.embedded.clickhouse.select import send_result
from deploy.embedded.clickhouse.session import Session
from deploy.embedded.clickhouse.source import SocketSource, socket_source
from deploy.embedded.clickhouse.statement import insert_of
from deploy.embedded.clickhouse.wire import ProtocolError, read_number
from deploy.embedded.port import HOST

HELLO_TIMEOUT_S = 10
IDLE_TIMEOUT_S = 3600
SEND_TIMEOUT_S = 300
BACKLOG = 128
MOST_STRANGERS = 64
USER = "default"
AUTHENTICATION_FAILED = 516
NOT_IMPLEMENTED = 48

log = logging.getLogger(__name__)


class ClientConnection:
    """One client, from hello to its end."""

    def __init__(self, door: "NativeDoor", sock: socket.socket) -> None:
        self._door = door
        self._sock = sock

    def serve(self) -> None:
        """Until the client goes, or says something that is not of this protocol."""
        limit_waiting(self._sock, HELLO_TIMEOUT_S)
        raw = socket_source(self._sock)
        session, channel = self._welcome(raw)
        try:
            limit_waiting(self._sock, IDLE_TIMEOUT_S)
            while True:
                self._answer(read_number(raw), session, channel)
        finally:
            session.close()

    def _welcome(self, raw: SocketSource) -> tuple[Session, ClientChannel]:
        hello = read_hello(raw)
        reply = ReplyWriter(self._sock)
        try:
            self._door.authenticate(hello)
            self._door.known(self._sock)
            session = self._door.engine.session()
        except Failure as failure:
            self._tell(reply, failure)
            raise
        try:
            session.use(hello.database)
            reply.hello([int(part) for part in self._door.engine.version.split(".")[:3]])
        except Failure as failure:
            session.close()
            self._tell(reply, failure)
            raise
        except BaseException:
            session.close()
            raise
        return session, ClientChannel(self._sock, raw, reply)

    def _tell(self, reply: ReplyWriter, failure: Failure) -> None:
        self._door.engine.look_after(failure)
        reply.exception(failure)

    def _answer(self, packet: int, session: Session, channel: ClientChannel) -> None:
        if packet == QUERY:
            self._query(channel.receive_query(), session, channel)
        elif packet == PING:
            channel.reply.pong()
        elif packet != CANCEL:  # a cancel may come when the query is over
            raise ProtocolError(f"packet {packet} where a query belongs")

    def _query(self, query: Query, session: Session, channel: ClientChannel) -> None:
        try:
            if channel.pass_over_tables():
                raise refused(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "External tables cannot pass this door; use a temporary table")
            self._door.engine.check(query.sql)
            self._run(query, session, channel)
        except Failure as failure:
            self._tell(channel.reply, failure)
        except UnreadablePacket as unreadable:
            channel.reply.exception(unreadable.failure)
            raise

    def _run(self, query: Query, session: Session, channel: ClientChannel) -> None:
        session.borrow(query.settings, query.important)
        running, insert = self._door.running, insert_of(query.sql)
        if insert:
            with running.entered() as statement:  # its client is heard all the time
                take_insert(channel, session, insert, statement.mark, partial(running.end, statement))
        else:
            with running.entered(self._sock) as statement:
                send_result(channel, session, query.sql, statement)


class NativeDoor(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = BACKLOG

    def __init__(self, port: int, engine: Engine, running: Running, password: str) -> None:
        try:
            super().__init__((HOST, port), socketserver.BaseRequestHandler)
        except OSError as error:
            raise Unavailable(f"port {port} for the native protocol cannot be had: {error.strerror}") from error
        self.engine = engine
        self.running = running
        self._password = password.encode()
        self._clients: set[socket.socket] = set()
        self._strangers: dict[socket.socket, float] = {}  # until when they have to say the password
        self._idle = threading.Condition()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def authenticate(self, hello: Hello) -> None:
        """Failure 516 in the same words and after about the same time whether the name or the password is wrong."""
        same = hmac.compare_digest(self._password, hello.password.encode())
        if hello.user not in ("", USER) or not same:
            text = f"{hello.user}: Authentication failed: password is incorrect, or there is no user with such name"
            raise refused(AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED", text)

    def known(self, sock: socket.socket) -> None:
        """Whoever is at the other end has said the password."""
        with self._idle:
            self._strangers.pop(sock, None)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's signature
        """Turns a stranger away where too many wait already."""
        with self._idle:
            return len(self._strangers) < MOST_STRANGERS

    def service_actions(self) -> None:
        """Twice a second: who has not said the password in time has to go, however busily bytes trickle in."""
        with self._idle:
            for sock, until in self._strangers.items():
                if time.monotonic() > until:
                    hang_up(sock)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._idle:
            self._strangers[request] = time.monotonic() + HELLO_TIMEOUT_S
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self.known(request)
            raise

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name=f"native {self.port}", daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread."""
        try:
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._entered(request):
                ClientConnection(self, request).serve()
        except (EOFError, OSError, Failure, UnreadablePacket):
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

    @contextmanager
    def _entered(self, sock: socket.socket) -> Iterator[None]:
        with self._idle:
            self._clients.add(sock)
        try:
            yield
        finally:
            with self._idle:
                self._clients.discard(sock)
                self._strangers.pop(sock, None)
                self._idle.notify_all()


def hang_up(sock: socket.socket) -> None:
    """Ends the connection under the feet of the thread that serves it."""
    with suppress(OSError):  # the client was faster
        sock.shutdown(socket.SHUT_RDWR)


def limit_waiting(sock: socket.socket, receive_s: int) -> None:
    """How long the kernel waits for the peer before a read or a write fails."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", receive_s, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_TIMEOUT_S, 0))
