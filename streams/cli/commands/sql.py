"""`frontdesk sql`: one question of one's own to ClickHouse, and its answer as a table, CSV or JSON."""

# ruff: noqa: PLC0415 - so that --help is instant

from typing import Annotated

import typer

from streams.terminal.options import Folder, TableFormat


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SQL statement; - reads it from standard input.")],
    form: Annotated[TableFormat, typer.Option("--format", help="table for people; csv; json: one object a line.")] = TableFormat.TABLE,
    folder: Folder = None,
) -> None:
    """Put one SQL statement to ClickHouse, and print what it answers.

    Asks the embedded ClickHouse of the folder, or the one that FRONTDESK_CLICKHOUSE_HOST and its siblings name, in the
    database of Frontdesk. docs/schema.md explains tables and columns; SHOW TABLES and DESCRIBE TABLE cases list them.

    Rows are printed as they come, however many there are; Ctrl-C ends the statement in the server too. Cells of CSV that
    a spreadsheet would compute begin with an apostrophe. Exit codes: 0 answered, 2 not SQL, or no such table or column,
    3 ClickHouse is away or could not do it, 4 it refused.
    """
    import sys

    from streams.cli.work.sql import printed
    from streams.terminal.configuration import load_settings
    from streams.warehouse import clickhouse_of

    text = sys.stdin.read() if query == "-" else query
    with clickhouse_of(load_settings(folder)).connect() as client:
        printed(client, text, form)
