"""Rows of a file of history, with their line numbers: CSV and NDJSON, also packed with gzip, and Parquet where pyarrow is."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from streams.cli.outcome import ExitCode, Stop
from streams.mapping.mapping import Table

NumberedRow = tuple[int, dict[str, Any] | None]
"""None where a line is no row."""
PARQUET, CSV, NDJSON = (".parquet",), (".csv", ".tsv"), (".ndjson", ".jsonl")
ROWS_AT_ONCE = 10_000


def rows_of(file: Path, table: Table) -> Iterator[NumberedRow]:
    """Raises `Stop` where nobody can read such a file, OSError where it is not there."""
    suffix = Path(file.stem).suffix if file.suffix == ".gz" else file.suffix
    if suffix in PARQUET:
        yield from _of_parquet(file)
    elif suffix in CSV:
        with _opened(file) as opened:
            yield from _of_csv(opened, "\t" if suffix == ".tsv" else table.delimiter, table.encoding)
    elif suffix in NDJSON:
        with _opened(file) as opened:
            yield from _of_ndjson(opened)
    else:
        raise Stop(ExitCode.USAGE, f"{file}: rows come from {', '.join(CSV + NDJSON + PARQUET)} (the first four also as .gz)")


def _opened(file: Path) -> BinaryIO:
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value] # a GzipFile reads like a BinaryIO


def _of_csv(opened: BinaryIO, delimiter: str, encoding: str) -> Iterator[NumberedRow]:
    import io  # noqa: PLC0415 - for this format only

    with io.TextIOWrapper(opened, encoding=encoding, newline="") as text:
        reader = csv.DictReader(text, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                whole = None not in row and None not in row.values()
                yield reader.line_num, row if whole else None
        except (csv.Error, UnicodeDecodeError) as error:
            raise Stop(ExitCode.REFUSED, f"line {reader.line_num + 1} is no CSV in {encoding}: {error}") from error


def _of_ndjson(opened: BinaryIO) -> Iterator[NumberedRow]:
    for number, line in enumerate(opened, 1):
        if line.strip():
            yield number, _object(line)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _of_parquet(file: Path) -> Iterator[NumberedRow]:
    try:
        from pyarrow import parquet  # type: ignore[import-untyped] # noqa: PLC0415 - only where it is installed
    except ModuleNotFoundError as error:
        raise Stop(ExitCode.UNAVAILABLE, "Parquet needs pyarrow: pip install pyarrow, or export as CSV") from error
    number = 0
    with parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                yield number, row
