"""One engine session: its own SET, temporary tables and current database; one statement at a time.

A client connection holds exactly one. Its open stream ends before it does, whoever still holds the stream: a call on a stream whose
connection was closed does not return (chdb-core 26.9). The settings that arrive with a query hold for that query only, so they are set
before it and taken back before the next; only what differs is sent to the engine.
"""

import json
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.embedded.clickhouse.block import BlockColumn
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.guard import guarded
from deploy.embedded.clickhouse.ingest import Ingest
from deploy.embedded.clickhouse.statement import Insert, identifier, is_set, is_streamed, quoted, without_format

UNKNOWN_SETTING = 115
Progress = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a result: one block or several."""

    data: bytes


@dataclass
class Session:
    """`connection` is a chdb connection that belongs to this session alone."""

    connection: Any
    progress: Progress = field(default_factory=dict)
    _borrowed: dict[str, str] = field(default_factory=dict)
    _own: dict[str, str | None] = field(default_factory=dict)
    _open: Any = None

    def __post_init__(self) -> None:
        self.connection.set_progress_callback(self._on_progress)

    def close(self) -> None:
        try:
            self._end_stream()
        finally:
            guarded(self.connection.close)

    def query(self, sql: str, result_format: str = "Native", parameters: Mapping[str, str] | None = None) -> bytes:
        """The whole result at once."""
        return bytes(guarded(self.connection.query, sql, result_format, params=dict(parameters or {})).bytes())

    def rows(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[list[Any]]:
        """Small results as lists."""
        return [json.loads(line) for line in self.query(sql, "JSONCompactEachRow", parameters).splitlines()]

    def use(self, database: str) -> None:
        if database:
            self.query(f"USE {identifier(database)}")

    def statements(self, sql: str) -> int:
        """How many statements the engine sees in a text."""
        return int(guarded(self.connection._conn.classify_query, sql)["statement_count"])  # noqa: SLF001 - chdb offers it nowhere else

    # ---- settings

    def borrow(self, settings: Mapping[str, str], important: Collection[str] = ()) -> None:
        """Settings of one query: whatever an earlier query borrowed and this one does not name goes back to what it was.

        Unknown settings are passed over unless they are marked as important, as a server does.
        """
        for name in self._borrowed.keys() - settings.keys():
            self._give_back(name)
        changed = {name: value for name, value in settings.items() if self._borrowed.get(name) != value}
        self._remember(changed.keys() - self._own.keys())
        for name, value in changed.items():
            self._set(name, value, name in important)

    def _set(self, name: str, value: str, important: bool) -> None:
        try:
            self.query(f"SET {identifier(name)} = {quoted(value)}")
        except Failure as failure:
            if failure.code != UNKNOWN_SETTING or important:
                raise
        else:
            self._borrowed[name] = value

    def _remember(self, names: Collection[str]) -> None:
        if names:
            wanted = ", ".join(quoted(name) for name in names)
            rows = self.rows(f"SELECT name, value, changed FROM system.settings WHERE name IN ({wanted})")  # noqa: S608 - quoted
            self._own.update({name: value if changed else None for name, value, changed in rows})

    def _give_back(self, name: str) -> None:
        own = self._own.pop(name, None)
        self.query(f"SET {identifier(name)} = {'DEFAULT' if own is None else quoted(own)}")
        del self._borrowed[name]

    # ---- results

    def stream(self, sql: str, result_format: str) -> Generator[Chunk]:
        """The result piece by piece as the engine makes it; whole where the engine cannot stream it."""
        self.progress = {}
        if is_set(sql):
            self.borrow({})
        if is_streamed(sql):
            yield from self._streamed(sql, result_format)
        elif data := self.query(sql, result_format):
            yield Chunk(data)

    def _streamed(self, sql: str, result_format: str) -> Generator[Chunk]:
        self._open = guarded(self.connection.send_query, sql, result_format)
        try:
            while self._open is not None and (chunk := guarded(self._open.fetch)) is not None:
                yield Chunk(chunk.bytes())
        finally:
            self._end_stream()

    def _end_stream(self) -> None:
        stream, self._open = self._open, None
        if stream is not None:
            guarded(stream.cancel)

    def header(self, sql: str) -> list[BlockColumn]:
        """Names and types of a SELECT that gave no rows, for which the engine gives no bytes at all."""
        if not is_streamed(sql):
            return []
        described = self.rows(f"DESCRIBE ({without_format(sql)}\n)")
        return [BlockColumn(name, type_name) for name, type_name, *_ in described]

    # ---- inserts

    def insert_columns(self, insert: Insert) -> list[BlockColumn]:
        """The columns that the client is to send, in its order."""
        described = self.rows(f"DESCRIBE TABLE {insert.table}")
        types = {name: type_name for name, type_name, *_ in described}
        if not insert.columns:
            return [BlockColumn(name, type_name) for name, type_name, kind, *_ in described if kind in ("", "DEFAULT")]
        names = [name.strip().strip('`"') for name in insert.columns[1:-1].split(",")]
        if all(name in types for name in names):
            return [BlockColumn(name, types[name]) for name in names]
        chosen = self.rows(f"DESCRIBE (SELECT {insert.columns[1:-1]} FROM {insert.table})")  # noqa: S608 - the client's own text
        return [BlockColumn(name, type_name) for name, type_name, *_ in chosen]

    def ingest(self, insert: Insert, data_format: str, mark: str, abort: Callable[[], None]) -> Ingest:
        return Ingest(self.connection, insert, data_format, mark, abort)

    def _on_progress(self, progress: Progress) -> None:
        self.progress = progress
