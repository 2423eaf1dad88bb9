"""Rows into ClickHouse: table by table in the order given, in one thread, again and again until they are there.

While ClickHouse is away `write` simply does not return; nothing else is taken up meanwhile, so memory stays bounded and
the caller's group membership, which lives in the event loop, stays too. A retry sends the same block: rows are absolute
and versioned, so one that had landed before its answer was lost is the same row. What cannot succeed raises `Fatal`.
"""

import asyncio
import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import structlog
from clickhouse_driver import errors

from events.exit_code import ExitCode
from projections.rows import offset_of
from sinks.clickhouse.advice import SLOW, advice
from sinks.clickhouse.cluster import catch_up
from sinks.clickhouse.columns import ColumnClient
from sinks.clickhouse.connection import INSERT_SETTINGS
from sinks.clickhouse.retry import code_of, pause_s
from sinks.clickhouse.tables import HISTORY, WRITTEN, Columns, insert_into, kept_of

SILENT_S: Final = 5.0
"""An insert that has no answer for so long counts as a pause, though it may still succeed."""
LONGEST_REASON: Final = 300

log = structlog.get_logger("clickhouse")


class Fatal(Exception):
    """ClickHouse, or the driver, refuses these rows for good. `code` is ClickHouse's, 0 where the driver gave none."""

    exit_code = ExitCode.REFUSED

    def __init__(self, table: str, code: int, position: str, why: str) -> None:
        super().__init__(
            f"{table}: rows of {position} were refused ({code}): {why}. Nothing from there on is committed. "
            f"Next: {advice(code, passes=False)}"
        )
        self.table = table
        self.code = code
        self.position = position


class Abandoned(Exception):
    """The insert was given up before it was sent."""

    exit_code = ExitCode.MISTAKE


class Observer(Protocol):
    """What is worth knowing about inserts (`sinks.metrics`). `size` is in bytes, as far as they were sent."""

    def inserted(self, table: str, rows: int, seconds: float, size: int) -> None: ...
    def insert_failed(self, table: str, rows: int, seconds: float, size: int, code: int) -> None: ...
    def retried(self, code: int) -> None:
        """An insert or a question that failed will be tried again."""

    def paused(self, paused: bool) -> None: ...


class RowWriter:
    """One connection in one thread. Not for concurrent calls of `write`: order is the point."""

    def __init__(
        self,
        connect: Callable[[], ColumnClient],
        observer: Observer,
        *,
        tables: Mapping[str, Sequence[str]] = WRITTEN,
        sleep: Callable[[float], Any] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`connect` gives a new client; `tables` the columns of each table, in the order in which they are handed over."""
        self._connect = connect
        self._observer = observer
        self._inserts = {table: insert_into(table, columns) for table, columns in tables.items()}
        self._tables = tables
        self._sleep = sleep
        self._chance = chance
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="clickhouse")
        self._client: ColumnClient | None = None
        self.paused: str | None = None
        """Why nothing is written at present; None while all is well."""

    async def write(self, tables: Mapping[str, Columns]) -> None:
        """All rows of the first table, then of the next. Returns when ClickHouse has acknowledged them.

        Raises `Fatal`. A cancelled write may have landed, in part or in whole.
        """
        for table, columns in tables.items():
            if columns and len(columns[0]):
                await self._insert(table, columns)

    async def close(self) -> None:
        """Hang up. Waits for an insert that is under way only as long as hanging up takes."""
        self._hang_up()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _insert(self, table: str, columns: Columns) -> None:
        attempt = 0
        try:
            while True:
                code = await self._try(table, columns)
                if code is None:
                    return
                self._observer.paused(paused=True)
                await self._sleep(pause_s(attempt, code, self._chance))
                attempt += 1
        finally:
            if self.paused is not None:
                log.info("insert is over", table=table, attempts=attempt + 1, paused_for=self.paused)
                self.paused = None
                self._observer.paused(paused=False)

    async def _try(self, table: str, columns: Columns) -> int | None:
        """Send the block once: None when it was acknowledged, else the code of a failure that passes."""
        began = time.perf_counter()
        attempt = Attempt()
        silent = asyncio.get_running_loop().call_later(SILENT_S, self._is_silent, table)
        try:
            await self._in_thread(attempt, self._send, attempt, table, columns)
        except Exception as failure:
            code = code_of(failure)
            known = _server_code(failure) if code is None else code
            self._observer.insert_failed(table, _rows_of(table, columns), time.perf_counter() - began, attempt.size, known)
            if code is None:
                raise Fatal(table, _server_code(failure), self._position(table, columns), told(failure)) from failure
            self._observer.retried(code)
            self.paused = f"{table}: {told(failure)}. Next: {advice(code, passes=True)}"
            log.warning("insert is tried again", table=table, code=code, why=told(failure), next=advice(code, passes=True))
            return code
        finally:
            silent.cancel()
        self._observer.inserted(table, _rows_of(table, columns), time.perf_counter() - began, attempt.size)
        return None

    def _is_silent(self, table: str) -> None:
        """It is neither acknowledged nor refused: the driver goes on waiting, and gives up after a minute."""
        self.paused = f"{table}: no answer for {SILENT_S:.0f} s. Next: {SLOW}"
        self._observer.paused(paused=True)
        log.warning("insert has no answer", table=table, after_s=SILENT_S, next=SLOW)

    async def _in_thread(self, attempt: "Attempt", call: Callable[..., None], *arguments: Any) -> None:
        """Run in the thread. When cancelled, cut the connection, so that the thread is free for whoever comes next."""
        work = asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            attempt.given_up = True
            self._hang_up()
            await asyncio.wait({work})
            if not work.cancelled():
                work.exception()  # seen: it is the connection that was cut
            raise

    def _send(self, attempt: "Attempt", table: str, columns: Columns) -> None:
        """In the thread. A connection that failed is not used again."""
        client = self._client = self._client or self._connect()
        sent_before = client.sent_bytes
        try:
            if not client.connection.connected:
                client.connection.connect()
            attempt.check()
            if table == HISTORY:
                catch_up(client, "windows")
                client.execute(history_insert(columns), settings=INSERT_SETTINGS)
            else:
                client.execute(self._inserts[table], columns, columnar=True, types_check=False, settings=INSERT_SETTINGS)
        except BaseException:
            self._client = None
            client.disconnect()
            raise
        finally:
            attempt.size = client.sent_bytes - sent_before

    def _hang_up(self) -> None:
        """Cut the connection under whoever waits on it, in whichever thread."""
        client, self._client = self._client, None
        line = client.connection.socket if client is not None else None
        if line is not None:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("the connection was down already")

    def _position(self, table: str, columns: Columns) -> str:
        """Where in the log these rows come from."""
        named = dict(zip(self._tables[table], columns, strict=True))
        partitions = sorted({int(p) for p in named["partition"]})
        where = f"partition {', '.join(map(str, partitions))}"
        offsets = named.get("offset", named.get("last_offset"))
        if offsets is not None:
            return f"{where}, offsets {min(offsets)} to {max(offsets)}"
        return f"{where}, after the records before offset {max(map(offset_of, named['version']))}" if "version" in named else where


class Attempt:
    """One try at an insert; `given_up` tells the thread not to begin any more, `size` how many bytes were sent."""

    given_up = False
    size = 0

    def check(self) -> None:
        if self.given_up:
            raise Abandoned


def history_insert(columns: Columns) -> str:
    """Copy the rows that stand in `windows`; `columns` are those of `HISTORY`.

    Before FINAL merges, older rows may be left out: a newer version of a row is never as of an earlier minute.
    """
    kept = " OR ".join(f"(partition = {partition} AND as_of >= toDateTime({since}))" for partition, since in zip(*columns, strict=True))
    return f"{kept_of('windows')} PREWHERE {kept}"


def _rows_of(table: str, columns: Columns) -> int:
    """How many rows are sent: the server makes those of the history itself."""
    return 0 if table == HISTORY else len(columns[0])


def _server_code(failure: Exception) -> int:
    return int(failure.code) if isinstance(failure, errors.Error) else 0


def told(failure: Exception) -> str:
    """What the server or the driver says, in a line, without a trace."""
    words = " ".join(str(failure).split("Stack trace")[0].split()).rstrip(".")
    return f"{type(failure).__name__}: {words[:LONGEST_REASON]}" if words else type(failure).__name__
