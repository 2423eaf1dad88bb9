"""Rows of a file of history, with their line numbers: CSV, NDJSON, JSON arrays (all also packed with gzip), XLSX and Parquet.

A row that is none is told in its place, so that it can be left out. A file that cannot be read is told with the row at which
reading ended.
"""

# ruff: noqa: PLC0415 - each format loads what only it needs

import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final

from streams.mapping import Table
from streams.terminal.outcome import ExitCode, Stop

NumberedRow = tuple[int, dict[str, Any] | str]
"""A text says why a line is no row."""
PARQUET, XLSX, CSV, TSV, NDJSON, JSON = (".parquet",), (".xlsx",), (".csv",), (".tsv",), (".ndjson", ".jsonl"), (".json",)
PACKED: Final = ".gz"
ROWS_AT_ONCE: Final = 10_000
LONGEST_CELL: Final = 16 << 20
"""Characters of a cell of CSV: a ticket's description may be long, a quote that is never closed must not take all memory."""
_SEPARATOR = re.compile(r'"?sep=([^"])"?\r?\n')


def rows_of(file: Path, table: Table) -> Iterator[NumberedRow]:
    """Raises `Stop` where nobody can read such a file, OSError where it is not there."""
    suffix = (Path(file.stem) if file.suffix.lower() == PACKED else file).suffix.lower()
    number = 0
    try:
        for number, row in _of_suffix(file, suffix, table):
            yield number, row
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _unreadable(file, number, f"the gzip is cut off or damaged ({error})") from error


def _of_suffix(file: Path, suffix: str, table: Table) -> Iterator[NumberedRow]:
    packed = file.suffix.lower() == PACKED
    if suffix in CSV + TSV + NDJSON + JSON:
        with gzip.open(file) if packed else file.open("rb") as opened:
            if suffix in CSV + TSV:
                yield from _of_csv(file, opened, "\t" if suffix in TSV else table.delimiter, table.encoding)  # type: ignore[arg-type] # a GzipFile reads like a BinaryIO
            else:
                yield from _of_ndjson(opened) if suffix in NDJSON else _of_json(file, opened)  # type: ignore[arg-type] # as above
    elif suffix in XLSX and not packed:
        yield from _of_xlsx(file)
    elif suffix in PARQUET and not packed:
        yield from _of_parquet(file)
    else:
        texts = ", ".join(CSV + TSV + NDJSON + JSON)
        raise Stop(ExitCode.USAGE, f"{file}: rows come from {texts} (also with {PACKED}), {', '.join(XLSX + PARQUET)}")


def _of_csv(file: Path, opened: BinaryIO, delimiter: str, encoding: str) -> Iterator[NumberedRow]:
    csv.field_size_limit(LONGEST_CELL)
    with io.TextIOWrapper(opened, encoding=encoding, errors="surrogateescape", newline="") as text:
        number = 0
        try:
            first = text.readline()
            separator = _SEPARATOR.fullmatch(first.removeprefix("\ufeff"))
            skipped = 1 if separator else 0
            reader = csv.reader(
                text if separator else chain([first.removeprefix("\ufeff")], text),
                delimiter=separator[1] if separator else delimiter,
                strict=True,
            )
            heading: list[str] = []
            for cells in reader:
                number = reader.line_num + skipped
                if not heading:
                    heading = _heading(file, number, cells)
                    if any(map(_is_escaped, heading)):
                        raise Stop(ExitCode.USAGE, f"{file}:{number}: the heading is not in {encoding}: say which it is in the mapping")
                elif cells:
                    yield number, _table_row(heading, cells, encoding)
        except (csv.Error, UnicodeError) as error:
            raise _unreadable(file, number, f"what comes is no CSV in {encoding} ({error})") from error


def _table_row(heading: Sequence[str], cells: Sequence[str], encoding: str) -> dict[str, Any] | str:
    if len(cells) != len(heading):
        return f"this is no row of the table: it has {len(cells)} cells, the heading {len(heading)}"
    row = dict(zip(heading, cells, strict=True))
    bad = next((name for name, cell in row.items() if _is_escaped(cell)), None)
    return row if bad is None else f"column {bad}: is not in {encoding}"


def _is_escaped(cell: str) -> bool:
    """Whether a byte of it stands for itself, because the encoding knows no character for it."""
    return not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell)


def _heading(file: Path, number: int, names: Iterable[Any]) -> list[str]:
    """The names of the columns; those without a name cannot be asked for, and may be several."""
    heading = ["" if name is None else str(name) for name in names]
    twice = [name for name, count in Counter(heading).items() if name and count > 1]
    if twice:
        raise Stop(ExitCode.USAGE, f"{file}:{number}: several columns are called {', '.join(twice)}: rename all but one")
    return heading


def _of_ndjson(opened: BinaryIO) -> Iterator[NumberedRow]:
    for number, line in enumerate(opened, 1):
        if line.strip():
            yield number, _object(line)


def _object(line: bytes) -> dict[str, Any] | str:
    try:
        return _row(json.loads(line))
    except (ValueError, RecursionError):
        return "this is no row: it is not JSON"


def _row(value: Any) -> dict[str, Any] | str:
    return value if isinstance(value, dict) else "this is no row: it is no JSON object"


def _of_json(file: Path, opened: BinaryIO) -> Iterator[NumberedRow]:
    try:
        rows = json.load(opened)
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, 0, f"is no JSON ({error})") from error
    if not isinstance(rows, list):
        raise _unreadable(file, 0, "is no JSON array; objects on a line each are NDJSON, and their file is called .ndjson")
    yield from ((number, _row(row)) for number, row in enumerate(rows, 1))


def _of_xlsx(file: Path) -> Iterator[NumberedRow]:
    """Of the first sheet. Cells are texts, numbers, truth values, dates and times; an empty one is ''."""
    from python_calamine import CalamineError, CalamineWorkbook

    with file.open("rb") as opened:
        try:
            sheet = CalamineWorkbook.from_filelike(opened).get_sheet_by_index(0)
            rows = sheet.to_python(skip_empty_area=True)
        except CalamineError as error:
            raise _unreadable(file, 0, f"is no XLSX that can be read ({error})") from error
    first = (sheet.start or (0, 0))[0] + 1
    heading: list[str] = []
    for number, cells in enumerate(rows, first):
        if not heading:
            heading = _heading(file, number, cells)
        elif any(cell != "" for cell in cells):
            yield number, dict(zip(heading, cells, strict=True))


def _of_parquet(file: Path) -> Iterator[NumberedRow]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise Stop(ExitCode.UNAVAILABLE, "Parquet needs pyarrow: pip install pyarrow, or export as CSV") from error
    number = 0
    with file.open("rb") as opened:
        try:
            table = parquet.ParquetFile(opened)
            _heading(file, number, table.schema_arrow.names)
            for batch in table.iter_batches(ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
        except (ArrowException, OSError) as error:
            raise _unreadable(file, number, f"is no Parquet that can be read ({error})") from error


def _unreadable(file: Path, number: int, why: str) -> Stop:
    """`number` is the last line that was read, 0 for none."""
    return Stop(ExitCode.USAGE, f"{file}: {f'after line {number}: ' if number else ''}{why}")
