"""What an export says, read back as a program of others would: with `csv`, `json` and pyarrow."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from streams.export.column import ColumnKind, ExportColumn, Row

MILLISECOND = 0.001


def read(form: str, content: bytes, columns: Sequence[ExportColumn]) -> list[Row]:
    """Rows as they were handed to the writer; fails where the columns are others."""
    return {"csv": _of_csv, "json": _of_json, "parquet": _of_parquet}[form](content, columns)


def _of_csv(content: bytes, columns: Sequence[ExportColumn]) -> list[Row]:
    heading, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    assert heading == [column.name for column in columns]
    return [tuple(FROM_TEXT[column.kind](text) for column, text in zip(columns, row, strict=True)) for row in rows]


def _of_json(content: bytes, columns: Sequence[ExportColumn]) -> list[Row]:
    objects = [json.loads(line) for line in content.splitlines()]
    assert all(list(each) == [column.name for column in columns] for each in objects)
    return [tuple(_of_json_value(column.kind, each[column.name]) for column in columns) for each in objects]


def _of_parquet(content: bytes, columns: Sequence[ExportColumn]) -> list[Row]:
    from pyarrow import parquet  # type: ignore[import-untyped] # noqa: PLC0415 - only where it is asked for

    table = parquet.read_table(io.BytesIO(content))
    assert table.column_names == [column.name for column in columns]
    values = [
        [value and millis(value) for value in table[column.name].to_pylist()]
        if column.kind is ColumnKind.INSTANT
        else table[column.name].to_pylist()
        for column in columns
    ]
    return list(zip(*values, strict=True))


def millis(at: datetime) -> int:
    assert at.tzinfo is not None
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / MILLISECOND)


def _of_json_value(kind: ColumnKind, value: Any) -> Any:
    if value is not None and kind is ColumnKind.INSTANT:
        return millis(datetime.fromisoformat(value))
    return date.fromisoformat(value) if kind is ColumnKind.DAY else value


FROM_TEXT: dict[ColumnKind, Callable[[str], Any]] = {
    ColumnKind.TEXT: lambda text: text.removeprefix("'"),
    ColumnKind.WHOLE: lambda text: int(text) if text else None,
    ColumnKind.NUMBER: lambda text: float(text) if text else None,
    ColumnKind.FLAG: lambda text: text == "true",
    ColumnKind.DAY: date.fromisoformat,
    ColumnKind.INSTANT: lambda text: millis(datetime.fromisoformat(text)) if text else None,
}
