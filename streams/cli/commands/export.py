"""`frontdesk export`: cases and indicators of a period, for a spreadsheet, a notebook or another database."""

# ruff: noqa: PLC0415 - so that --help is instant

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from streams.cli.group import group
from streams.terminal.options import District, Folder, Scope


class ExportFormat(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


class Every(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


FORMATS = ["%Y-%m-%d"]
Format: TypeAlias = Annotated[
    ExportFormat,
    typer.Option(
        "--format",
        help="csv for spreadsheets (UTF-8; texts that look like formulas begin with an apostrophe), json for programs (one object a line), "
        "parquet for notebooks and databases (needs pyarrow).",
    ),
]
From: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        "--from", metavar="DATE", formats=FORMATS, help="First day, such as 2026-09-01.", show_default="28 days up to the last one"
    ),
]
To: TypeAlias = Annotated[
    datetime | None, typer.Option("--to", metavar="DATE", formats=FORMATS, help="Last day, all of it included.", show_default="today")
]
School: TypeAlias = Annotated[str | None, typer.Option(help="Only this school.")]
Department: TypeAlias = Annotated[str | None, typer.Option(help="Only this department.")]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", dir_okay=False, help="Replaced when all of it is written.", show_default="standard output"
    ),
]


def export() -> typer.Typer:
    """The group of commands."""
    return group(
        "export",
        "Write the numbers of a period, or the cases behind them, for a spreadsheet, a notebook or another database.",
        "frontdesk export cases --format csv -o cases.csv[/]   or: frontdesk export indicators --format json",
        {
            indicators: ("indicators", "frontdesk export indicators --every month --from 2026-08-01 --format csv -o months.csv[/]"),
            cases: ("cases", "frontdesk export cases --from 2026-09-01 --to 2026-09-30 --format parquet -o september.parquet[/]"),
        },
    )


def indicators(
    *,
    form: Format,
    first: From = None,
    last: To = None,
    every: Annotated[
        Every | None, typer.Option("--every", help="A row for each day, week (from Monday) or month.", show_default="one for all of it")
    ] = None,
    by: Annotated[Scope | None, typer.Option("--by", help="Only rows of this sort.", show_default="all four")] = None,
    district: District = None,
    school: School = None,
    department: Department = None,
    output: Output = None,
    folder: Folder = None,
) -> None:
    """Write how many contacted, how long they waited and how well they were served, computed from the cases of a period.

    Days are those of each district's own calendar. Unlike the trailing windows of the page these numbers hold for any period, with
    exact percentiles. Ctrl-C leaves no half file behind.
    """
    from streams.cli.work.export import Exportation, ExportRequest
    from streams.terminal.configuration import load_settings

    wanted = ExportRequest(first and first.date(), last and last.date(), district, school, department)
    Exportation(load_settings(folder), wanted, form, output).indicators(every or "", by)


def cases(
    *,
    form: Format,
    first: From = None,
    last: To = None,
    district: District = None,
    school: School = None,
    department: Department = None,
    output: Output = None,
    folder: Folder = None,
) -> None:
    """Write each question that came in during a period, with all that is known of it now: a row for each, oldest first.

    Days are those of each district's own calendar. There are pseudonyms in it, as the publishers issue them, and no names. Ctrl-C
    leaves no half file behind.
    """
    from streams.cli.work.export import Exportation, ExportRequest
    from streams.terminal.configuration import load_settings

    wanted = ExportRequest(first and first.date(), last and last.date(), district, school, department)
    Exportation(load_settings(folder), wanted, form, output).cases()
