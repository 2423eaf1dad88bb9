"""`frontdesk demo`: the whole way, once, on this machine."""

# ruff: noqa: PLC0415 - so that --help is instant

from pathlib import Path
from typing import Annotated

import typer


def demo(
    *,
    students: Annotated[int, typer.Option(min=1, max=1_000_000, help="Students of the invented district.")] = 10_000,
    days: Annotated[int, typer.Option(min=1, max=90, help="Days of history.")] = 28,
    seed: Annotated[int, typer.Option(min=0, help="Another number invents another district.")] = 1,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="FOLDER", file_okay=False, help="Keep the data here.", show_default="a folder that is deleted at the end"
        ),
    ] = None,
) -> int:
    """Start Kafka, ClickHouse and a worker, invent 28 days of a district, show its indicators, and check them.

    The check computes every number anew from the raw events; a difference ends the demo with exit code 1. At a terminal the
    demo then stays up with live traffic until Ctrl-C; otherwise it ends. Nothing is left running.
    """
    from streams.cli.work.demo import demonstrate

    return demonstrate(folder, students, days, seed)
