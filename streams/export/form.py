"""Rows as CSV, NDJSON or Parquet, written as they come: nothing is held but what makes a block.

Instants are ISO 8601 in the district's own time, with the offset; Parquet has them as instants in UTC. CSV is RFC 4180 with a byte
order mark, without which Excel takes UTF-8 for something else, and defuses texts that a spreadsheet would take for a formula.
"""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final, Protocol
from zoneinfo import ZoneInfo

import msgspec

from events.exit_code import ExitCode
from streams.export.column import ColumnKind, ExportColumn, Row

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BOM: Final = b"\xef\xbb\xbf"
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\0", "'")
"""What spreadsheets take for the beginning of a formula (OWASP ASVS 1.2.10); and the apostrophe that keeps them from it."""
ROWS_A_GROUP: Final = 50_000
"""Of a Parquet file: enough to compress well, few enough to hold."""


class NoParquet(ModuleNotFoundError):
    """The library for Parquet is not installed."""

    exit_code = ExitCode.UNAVAILABLE


class FileWriter(Protocol):
    """Takes rows, in blocks, all of a district with its zone; `close` ends a whole file, and is not called for a broken one."""

    def write(self, rows: Sequence[Row], zone: ZoneInfo) -> None: ...

    def close(self) -> None: ...


def in_zone(instant: int, zone: ZoneInfo) -> str:
    return (EPOCH + timedelta(milliseconds=instant)).astimezone(zone).isoformat(timespec="milliseconds")


def defused(text: str) -> str:
    """An apostrophe before what a spreadsheet would compute. Taking one off the front of a text gives back what it was."""
    return "'" + text if text.startswith(FORMULA) else text


class CsvWriter:
    """An empty cell is an empty text or no value; flags are true and false."""

    def __init__(self, file: BinaryIO, columns: Sequence[ExportColumn]) -> None:
        self._file = file
        self._columns = columns
        self._text = io.StringIO(newline="")
        self._csv = csv.writer(self._text, lineterminator="\r\n")
        self._file.write(BOM)
        self._csv.writerow(column.name for column in columns)
        self._flush()

    def write(self, rows: Sequence[Row], zone: ZoneInfo) -> None:
        as_text = [self._writes(column.kind, zone) for column in self._columns]
        self._csv.writerows([make(value) for make, value in zip(as_text, row, strict=True)] for row in rows)
        self._flush()

    def close(self) -> None:
        """Nothing is left."""

    def _writes(self, kind: ColumnKind, zone: ZoneInfo) -> Callable[[Any], object]:
        if kind is ColumnKind.TEXT:
            return defused
        if kind is ColumnKind.INSTANT:
            return lambda value: None if value is None else in_zone(value, zone)
        if kind is ColumnKind.FLAG:
            return lambda value: "true" if value else "false"
        return lambda value: value

    def _flush(self) -> None:
        self._file.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()


class JsonWriter:
    """One object a line."""

    def __init__(self, file: BinaryIO, columns: Sequence[ExportColumn]) -> None:
        self._file = file
        self._names = [column.name for column in columns]
        self._instants = [i for i, column in enumerate(columns) if column.kind is ColumnKind.INSTANT]
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: Sequence[Row], zone: ZoneInfo) -> None:
        self._file.write(self._encoder.encode_lines([self._object(row, zone) for row in rows]))

    def close(self) -> None:
        """Nothing is left."""

    def _object(self, row: Row, zone: ZoneInfo) -> dict[str, object]:
        values = list(row)
        for i in self._instants:
            if values[i] is not None:
                values[i] = in_zone(values[i], zone)
        return dict(zip(self._names, values, strict=True))


class ParquetWriter:
    """Row groups of 50,000, compressed with ZSTD. Raises `NoParquet` where pyarrow is not installed."""

    def __init__(self, file: BinaryIO, columns: Sequence[ExportColumn]) -> None:
        try:
            import pyarrow  # type: ignore[import-untyped] # noqa: ICN001, PLC0415 - only where it is installed
            from pyarrow import parquet  # noqa: PLC0415 - as above
        except ModuleNotFoundError as error:
            raise NoParquet("Parquet needs pyarrow: pip install pyarrow, or ask for csv or json") from error
        types = {
            ColumnKind.TEXT: pyarrow.string(),
            ColumnKind.WHOLE: pyarrow.int64(),
            ColumnKind.NUMBER: pyarrow.float64(),
            ColumnKind.FLAG: pyarrow.bool_(),
            ColumnKind.DAY: pyarrow.date32(),
            ColumnKind.INSTANT: pyarrow.timestamp("ms", tz="UTC"),
        }
        self._arrow = pyarrow
        self._schema = pyarrow.schema([(column.name, types[column.kind]) for column in columns])
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._batches: list[Any] = []

    def write(self, rows: Sequence[Row], _zone: ZoneInfo) -> None:
        if not rows:
            return
        values = zip(*rows, strict=True)
        arrays = [self._arrow.array(column, field.type) for column, field in zip(values, self._schema, strict=True)]
        self._batches.append(self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema))
        if sum(batch.num_rows for batch in self._batches) >= ROWS_A_GROUP:
            self._write_group()

    def close(self) -> None:
        """The rows that are left, and the index without which no part of the file can be read."""
        if self._batches:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        self._writer.write_table(self._arrow.Table.from_batches(self._batches))
        self._batches.clear()


WRITERS: Final[dict[str, Callable[[BinaryIO, Sequence[ExportColumn]], FileWriter]]] = {
    "csv": CsvWriter,
    "parquet": ParquetWriter,
    "json": JsonWriter,
}
"""By the name of the form."""
