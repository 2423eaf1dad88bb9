"""`frontdesk indicators`: the three numbers, for people or for a spreadsheet."""

# ruff: noqa: PLC0415 - so that --help is instant

from enum import StrEnum
from typing import Annotated

import typer

from streams.terminal.options import District, Folder, Scope, TableFormat


class Window(StrEnum):
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "28d"


def indicators(
    *,
    by: Annotated[
        Scope, typer.Option("--by", help="One line for each district, school, department, or department of a school.")
    ] = Scope.DEPARTMENT,
    window: Annotated[Window, typer.Option(help="The trailing period.")] = Window.MONTH,
    district: District = None,
    form: Annotated[TableFormat, typer.Option("--format", help="table for people, json or csv for programs.")] = TableFormat.TABLE,
    folder: Folder = None,
) -> None:
    """Show how many contacted, how long responses and resolutions took, and how content people were.

    Durations are working time by each department's schedule. The numbers are those of the minute given as 'as of', which is in
    the district's own time.
    """
    from streams.cli.work.indicators import counts_anything, explain_emptiness, read_indicators, write_indicators
    from streams.terminal.configuration import load_settings

    settings = load_settings(folder)
    rows = read_indicators(settings, by, window, district)
    write_indicators(rows, form, by, window)
    if not counts_anything(rows):
        explain_emptiness(settings, district, window)
