"""A result on its way to an HTTP client, in any of ClickHouse's formats, never whole in memory.

Formats that are rows behind rows are sent as the engine makes them. Formats with a head and a tail (JSON, Parquet,
CSVWithNames) would get both in every streamed piece; the engine writes them to a file, which is sent and removed.
"""

import json
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.clickhouse.block import BLOCK_INFO, copy_block, empty_block
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.frame import packed
from deploy.embedded.clickhouse.http_exchange import Exchange
from deploy.embedded.clickhouse.reply import CUSTOM_SERIALIZATION
from deploy.embedded.clickhouse.running import Statement
from deploy.embedded.clickhouse.session import Chunk, Session
from deploy.embedded.clickhouse.source import MemorySource
from deploy.embedded.clickhouse.statement import is_streamed, quoted, without_format

STREAMED_FORMATS = frozenset(
    {
        "native",
        "rowbinary",
        "msgpack",
        "tabseparated",
        "tsv",
        "tabseparatedraw",
        "tsvraw",
        "csv",
        "jsoneachrow",
        "jsonlines",
        "ndjson",
        "jsoncompacteachrow",
        "jsonstringseachrow",
        "lineasstring",
    }
)
PIECE_BYTES = 1 << 20
CONTENT_TYPES = (
    (re.compile(r"JSON(Compact|Strings|Columns|Object)*(Strings|WithMetadata|EachRow)*", re.IGNORECASE), "application/json; charset=UTF-8"),
    (re.compile(r"TabSeparated.*|TSV.*", re.IGNORECASE), "text/tab-separated-values; charset=UTF-8"),
    (re.compile(r"CSVWithNames.*", re.IGNORECASE), "text/csv; charset=UTF-8; header=present"),
    (re.compile(r"CSV.*", re.IGNORECASE), "text/csv; charset=UTF-8; header=absent"),
    (re.compile(r"Native|RowBinary.*|Arrow.*|Parquet|ORC|MsgPack", re.IGNORECASE), "application/octet-stream"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A statement as the client put it; `statement` is its place among those under way."""

    sql: str
    statement: Statement
    parameters: Mapping[str, str]

    @property
    def marked_sql(self) -> str:
        return self.statement.mark + self.sql


@dataclass(frozen=True, slots=True)
class Look:
    """How the client wants its result. `revision` is that of the native protocol, 0 for the plain Native format."""

    format: str
    revision: int = 0
    compressed: bool = False

    @property
    def is_native(self) -> bool:
        return self.format.lower() == "native"

    @property
    def content_type(self) -> str:
        return next((found for pattern, found in CONTENT_TYPES if pattern.fullmatch(self.format)), "text/plain; charset=UTF-8")

    def dressed(self, chunk: Chunk) -> bytes:
        """The bytes to send for a piece of result."""
        data = self._for_revision(chunk) if self.is_native and self.revision else chunk.data
        return packed(data) if self.compressed else data

    def _for_revision(self, chunk: Chunk) -> bytes:
        source, parts = MemorySource(chunk.data), []
        while source.position < len(chunk.data):
            parts.append(BLOCK_INFO)
            header = copy_block(source, marked_in=False, marked_out=self.revision >= CUSTOM_SERIALIZATION, write=parts.append)
            if not header.rows:
                parts.append(empty_block(header.columns, marked=self.revision >= CUSTOM_SERIALIZATION))
        return b"".join(parts)


def send_result(exchange: Exchange, session: Session, question: Question, look: Look, headers: Mapping[str, str]) -> None:
    """Runs a statement and sends what it gives; Failure if it fails before anything has been sent."""
    chunks = pieces(session, question, look)
    first = next(chunks, None)
    summary = json.dumps({name: str(value) for name, value in session.progress.items()})
    exchange.begin(200, {**headers, "X-ClickHouse-Format": look.format, "X-ClickHouse-Summary": summary, "Content-Type": look.content_type})
    try:
        if first:
            exchange.send(look.dressed(first))
        for chunk in chunks:
            exchange.send(look.dressed(chunk))
    except Failure as failure:  # too late for a status
        exchange.send(f"{failure}\n".encode())
        exchange.break_off()
    finally:
        chunks.close()  # before the session goes on to something else


def pieces(session: Session, question: Question, look: Look) -> Generator[Chunk]:
    if look.format.lower() not in STREAMED_FORMATS and is_streamed(question.sql):
        yield from spooled(session, question, look.format)
        return
    empty = True
    with closing(session.stream(question.marked_sql, look.format, question.parameters)) as chunks:
        for chunk in chunks:
            empty = False
            yield chunk
    if empty and look.is_native and (columns := session.header(question.sql, question.parameters)):
        yield Chunk(empty_block(columns, marked=False), streamed=True)


def spooled(session: Session, question: Question, result_format: str) -> Iterator[Chunk]:
    """Through a file that the engine writes and that nobody else sees."""
    with tempfile.TemporaryDirectory(prefix="result-") as folder:
        path = Path(folder) / "result"
        wanted = f"{without_format(question.marked_sql)}\nINTO OUTFILE {quoted(path)} FORMAT {result_format}"
        list(session.stream(wanted, "Null", question.parameters, by_rows=False))
        with path.open("rb") as file:
            while data := file.read(PIECE_BYTES):
                yield Chunk(data, streamed=True)
