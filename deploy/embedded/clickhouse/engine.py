"""The engine of one data folder: opened once, then a session for each client.

chdb hosts one engine a process and one process a folder; a second process fails there with an empty message, so a lock of our
own stands in front of it and says who is inside.
"""

import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import chdb

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse.config import ENGINE, SESSION_SETTINGS, TEMPORARY, write_config
from deploy.embedded.clickhouse.failure import Failure, refused
from deploy.embedded.clickhouse.guard import guarded
from deploy.embedded.clickhouse.policy import StatementPolicy
from deploy.embedded.clickhouse.session import Session
from deploy.embedded.clickhouse.statement import quoted

SYNTAX_ERROR = 62
ABORTED = 236
REMEMBERED, SHORT = 1_024, 4_096
"""How many statements that passed are remembered, and up to what length: whoever writes or shows sends the same few again and again."""
DEAD = 4
"""Exit code of a process whose engine has ended under it."""

log = logging.getLogger(__name__)


class Engine:
    """An open engine. Sessions may run in parallel, each in a thread of its own."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        if "?" in str(folder):  # what follows would count as options, and the data go somewhere else
            raise Unavailable(f"the engine cannot work in {folder}: choose a data folder without a question mark in its name")
        self._lock_file = locked(folder)
        clear(folder / TEMPORARY)
        os.environ["TZ"] = "UTC"  # the engine heeds no <timezone>
        time.tzset()
        config = write_config(folder, memory_bytes)
        self._where = f"{folder / ENGINE}?config-file={quote(str(config))}&log-level=warning"  # the engine heeds no <level>
        try:
            self._admin = self.session()
        except Failure as failure:
            raise Unavailable(f"the engine cannot open {folder}: {failure.text} (see {folder / 'engine.error.log'})") from failure
        self._admin_lock = threading.Lock()
        ((self.version,),) = self._admin.rows("SELECT version()")
        self._admin.query("SET max_query_size = 0, max_parser_depth = 1000")
        self._check_short = lru_cache(REMEMBERED)(self._check)
        self._policy = StatementPolicy({name for (name,) in self._admin.rows("SELECT name FROM system.table_functions")})

    def session(self) -> Session:
        """A new session; the caller closes it."""
        session = Session(guarded(chdb.connect, self._where))
        session.query(f"SET {SESSION_SETTINGS}")
        return session

    def check(self, sql: str) -> None:
        """Failure for a statement that nobody may run (`policy.py`), or for several in one text.

        Both depend on the text alone, and asking the engine takes 2 ms of CPU: as much as the smallest statement itself.
        """
        (self._check_short if len(sql) <= SHORT else self._check)(sql)

    def _check(self, sql: str) -> None:
        with self._admin_lock:
            several = self._admin.statements(sql) > 1
        if several:
            raise refused(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")
        self._policy.check(self.rows, sql)

    def kill(self, tag: str) -> None:
        """Ends the running statement that begins with the tag (`Running.mark`)."""
        with self._admin_lock:
            self._admin.query(f"KILL QUERY WHERE startsWith(query, {quoted(tag)}) ASYNC", "Null")

    def rows(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[list[Any]]:
        """A question of the door's own."""
        with self._admin_lock:
            return self._admin.rows(sql, parameters)

    def look_after(self, failure: Failure) -> None:
        """Ends the process if the failure says that the engine has ended, and the engine does.

        An engine that has ended (code 236) refuses everybody for ever, and only a new process has a new one. A client can
        also make a statement fail with this code, so the engine is asked.
        """
        if failure.code == ABORTED:
            try:
                self.rows("SELECT 1")
            except Failure as confirmed:
                log.critical("the engine has ended: %s", confirmed)
                logging.shutdown()
                os._exit(DEAD)

    def close(self) -> None:
        self._admin.close()
        self._lock_file.close()


def locked(folder: Path) -> IO[str]:
    """Takes the folder for this process alone; Unavailable if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock_file = (folder / "door.lock").open("a+")
    except OSError as error:
        raise Unavailable(f"the data folder {folder} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with lock_file:
            lock_file.seek(0)
            raise Unavailable(f"the data folder {folder} is in use by process {lock_file.read().strip() or 'unknown'}") from error
    lock_file.truncate(0)
    lock_file.write(f"{os.getpid()}\n")
    lock_file.flush()
    return lock_file


def clear(temporary: Path) -> None:
    """Take away what a process that was killed has left there."""
    for left in temporary.glob("*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


@contextmanager
def opened(folder: Path, memory_bytes: int) -> Iterator[Engine]:
    """An engine that is closed at the end."""
    engine = Engine(folder, memory_bytes)
    try:
        yield engine
    finally:
        engine.close()
