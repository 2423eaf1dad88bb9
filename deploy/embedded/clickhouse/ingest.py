"""An INSERT under way: bytes in one of ClickHouse's formats go into a pipe, and the engine reads them as a file.

chdb has a streaming insert of its own (`send_insert`), but its `finish` reports rows as written that a constraint, a full disk, too many
parts or a failing view have refused (chdb-core 26.9: no exception, no error message). INSERT ... FROM INFILE is an ordinary
statement, whose errors arrive; a pipe under /dev/fd makes it stream.
"""

import fcntl
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.guard import guarded
from deploy.embedded.clickhouse.statement import Insert

PIPE_BYTES = 1 << 20


class Ingest:
    """`mark` begins the statement's text; `abort` ends the statement that begins so (`Running.end`)."""

    def __init__(self, connection: Any, insert: Insert, data_format: str, mark: str, abort: Callable[[], None]) -> None:
        self._connection = connection
        self._abort = abort
        self._read_end, self._write_end = os.pipe()
        with suppress(AttributeError, OSError):  # a wider pipe saves turns; where there is none, the plain one does
            fcntl.fcntl(self._write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._written: tuple[int, int] | None = None
        self._failure: Failure | None = None
        sql = mark + insert.from_file(f"/dev/fd/{self._read_end}", data_format)
        self._engine = threading.Thread(target=self._run, args=(sql,), name="ingest", daemon=True)
        self._engine.start()

    def append(self, data: bytes) -> None:
        """Waits while the engine is behind; Failure if it has refused something."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._write_end, rest) :]
        except BrokenPipeError:
            self.finish()

    def finish(self) -> tuple[int, int]:
        """(rows, bytes) written; returns only when they are in parts of the table. Failure if the engine refused them."""
        self._end_pipe()
        if self._failure:
            raise self._failure
        return self._written or (0, 0)

    def close(self) -> None:
        """Gives up what is not finished; nothing after `finish`."""
        if self._write_end >= 0:
            self._abort()  # before the end of the pipe, which the engine would take for the end of the data
            self._end_pipe()

    def _end_pipe(self) -> None:
        if self._write_end >= 0:
            os.close(self._write_end)
            self._write_end = -1
        self._engine.join()

    def _run(self, sql: str) -> None:
        try:
            done = guarded(self._connection.query, sql, "Null")
            self._written = done.rows_written(), done.bytes_written()
        except Failure as failure:
            self._failure = failure
        finally:
            os.close(self._read_end)  # whoever still writes learns that nobody reads
