"""The statements under way, so that any of them can be ended from outside.

The engine gives statements ids of its own; a comment before the text marks each as ours, and a kill names that comment.
A watcher looks at the sockets of clients whose statement is running: one that says cancel or goes away ends it.
"""

import itertools
import logging
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.embedded.clickhouse.engine import Engine
from deploy.embedded.clickhouse.failure import Failure

LOOK_EVERY_S = 0.1
CANCEL_PACKET = b"\x03"

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Statement:
    """One statement under way; `mark` is the comment to put before its text. `ended`: killed because its client gave up."""

    mark: str
    sock: socket.socket | None
    ended: bool = False


class Running:
    """All statements under way, and the watcher of their clients."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self._statements: dict[int, Statement] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._watcher.start()

    @contextmanager
    def entered(self, sock: socket.socket | None = None) -> Iterator[Statement]:
        """A statement for as long as it runs. With a socket, its client is watched."""
        number = next(self._numbers)
        statement = Statement(f"/*{number}*/ ", sock)
        with self._lock:
            self._statements[number] = statement
        try:
            yield statement
        finally:
            with self._lock:
                del self._statements[number]

    def end(self, statement: Statement) -> None:
        """Kills a statement; its own thread then gets the engine's QUERY_WAS_CANCELLED."""
        statement.ended = True
        try:
            self._engine.kill(statement.mark)
        except Failure as failure:
            log.warning("killing %s: %s", statement.mark, failure)

    def end_all(self) -> None:
        for statement in self._now():
            self.end(statement)

    def close(self) -> None:
        self._stopped.set()
        self._watcher.join()

    def _now(self) -> list[Statement]:
        with self._lock:
            return list(self._statements.values())

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            for statement in self._now():
                if statement.sock and not statement.ended and is_given_up(statement.sock):
                    self.end(statement)


def is_given_up(sock: socket.socket) -> bool:
    """Whether the client of a running statement has sent cancel or closed the connection; nothing else may come from it meanwhile."""
    try:
        if not select.select([sock.fileno()], [], [], 0)[0]:
            return False
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) in (b"", CANCEL_PACKET)
    except (OSError, ValueError):
        return True
