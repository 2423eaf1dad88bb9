"""`frontdesk oncall`: who waits for an answer, due soonest first."""

# ruff: noqa: PLC0415 - so that --help is instant

from typing import Annotated

import typer

from streams.terminal.options import District, Folder, OutputFormat


def oncall(
    *,
    district: District = None,
    school: Annotated[str | None, typer.Option(help="Only contacts to this school.")] = None,
    department: Annotated[str | None, typer.Option(help="Only contacts to this department.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the list and end; also where the output is no terminal.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=3600, metavar="SECONDS", help="How often the list is read anew.")] = 2.0,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The most lines.")] = 1_000,
    form: Annotated[
        OutputFormat, typer.Option("--format", help="table for people, json for programs, which get it once.")
    ] = OutputFormat.TABLE,
    folder: Folder = None,
) -> None:
    """Show who waits for an answer, what is due soonest first, until Ctrl-C.

    Times are the district's own. Where somebody was answered and has asked again, the time is that of the resolution.
    """
    from streams.cli.work.oncall import OncallFilter, follow, show
    from streams.terminal.configuration import load_settings

    settings, wanted = load_settings(folder), OncallFilter(district, school, department, limit)
    if once or form is OutputFormat.JSON:
        show(settings, wanted, form)
    else:
        follow(settings, wanted, every)
