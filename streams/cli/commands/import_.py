"""`frontdesk import`: history out of another system's export."""

# ruff: noqa: PLC0415 - so that --help is instant

from pathlib import Path
from typing import Annotated

import typer

from streams.terminal.options import Folder


def import_history(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, TSV, NDJSON or a JSON array (also .gz), XLSX, or Parquet.", dir_okay=False)
    ],
    *,
    mapping: Annotated[
        Path, typer.Option("--mapping", metavar="MAP.yaml", help="How rows become events; see docs/mappings.", dir_okay=False)
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, count, send nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out rows with problems in place of sending nothing.")] = False,
    backfill: Annotated[bool, typer.Option("--backfill", help="Never too late: for history that is older than 100 days.")] = False,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="Move all times by whole weeks, so that they end now: for demonstrations only.")
    ] = False,
    folder: Folder = None,
) -> None:
    """Turn the rows of an export into events and send them.

    Every row is checked first; if one has a problem, the first are listed by line, nothing is sent and the exit code is 2. What
    was stopped goes on where it was when it is called again. Importing twice changes nothing; of a later export of the same
    tickets it is told how many rows are as they were, say something new, or differ under the same ids.
    """
    from streams.cli.work.import_.run import Importation, ImportOptions
    from streams.terminal.configuration import load_settings

    importation = Importation(load_settings(folder), file, mapping, ImportOptions(backfill, shift_to_now, skip_bad))
    if dry_run:
        importation.dry_run()
    else:
        importation.run()
