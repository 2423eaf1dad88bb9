"""The answer to a statement, printed as the server sends it: nothing is held but one block of rows."""

import csv
import io
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from clickhouse_driver import Client
from clickhouse_driver.errors import ErrorCodes, ServerException

from streams.export import defused
from streams.terminal.outcome import ExitCode, Stop

ROWS_A_BLOCK = 4096
ROWS_MEASURED = 1000
"""A table's columns are as wide as the widest cell of its first rows."""

WIDEST_CELL = 60
NOT_SQL = {
    ErrorCodes.SYNTAX_ERROR,
    ErrorCodes.EMPTY_QUERY,
    ErrorCodes.UNKNOWN_TABLE,
    ErrorCodes.UNKNOWN_DATABASE,
    ErrorCodes.UNKNOWN_IDENTIFIER,
    ErrorCodes.UNKNOWN_FUNCTION,
    ErrorCodes.EMPTY_LIST_OF_COLUMNS_QUERIED,
}
Row = Sequence[Any]


def printed(client: Client, sql: str, form: str) -> None:
    """Prints the rows of the answer in the form: table, csv or json. Stop with code 2 for what is no statement of this database."""
    try:
        answer = client.execute_iter(sql, with_column_types=True, settings={"max_block_size": ROWS_A_BLOCK})
        columns = [name for name, _ in next(answer, [])]
        for line in LINES[form](columns, answer):
            sys.stdout.write(line)
        sys.stdout.flush()
    except ServerException as error:
        if error.code in NOT_SQL:
            raise Stop(ExitCode.USAGE, f"ClickHouse does not know what to do with it: {brief(error)}") from error
        raise


def brief(error: ServerException) -> str:
    """Without the list of all that might have stood there, and with what a view that wants a district does not say itself."""
    if error.code == ErrorCodes.EMPTY_LIST_OF_COLUMNS_QUERIED:
        return f"some views want a district, such as open_cases(district = 'riverside'), see docs/schema.md ({error})"
    return str(error).partition(" Expected one of:")[0]


def table(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Columns side by side, for people. What a terminal would obey is shown, not sent."""
    rows = iter(rows)
    first = [[shown(cell) for cell in row] for row in itertools.islice(rows, ROWS_MEASURED)]
    head = [shown(name) for name in columns]
    widths = [min(WIDEST_CELL, max(map(len, column))) for column in zip(head, *first, strict=True)]
    for row in itertools.chain([head, ["-" * width for width in widths]] if columns else [], first, rows):
        yield "  ".join(shown(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"


def comma_separated(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """RFC 4180, with a line of names; empty is no value or an empty text."""
    if columns:
        yield record(columns)
    for row in rows:
        yield record(["" if cell is None else plain(cell) for cell in row])


def json_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """One object a line; what JSON has no type for is a text."""
    for row in rows:
        yield msgspec.json.encode(dict(zip(columns, row, strict=True)), enc_hook=str).decode() + "\n"


LINES = {"table": table, "csv": comma_separated, "json": json_lines}


def record(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(map(defused, cells))
    return text.getvalue()


def plain(cell: object) -> str:
    """A number, a time or a text as it is; lists, maps and flags as JSON."""
    return msgspec.json.encode(cell, enc_hook=str).decode() if isinstance(cell, bool | list | tuple | dict) else str(cell)


def shown(cell: object) -> str:
    text = "" if cell is None else plain(cell)
    return text if text.isprintable() else "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
