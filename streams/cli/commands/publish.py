"""`frontdesk publish`: events from a file or a pipe into the topic, checked first.

A file is checked as a whole before anything is sent, so a mistake in line 9,000 does not leave the 8,999 before it to be
taken back. What comes through a pipe cannot be read twice: it is sent up to the first line that is wrong. Sending an event
twice does no harm, so after a mistake is mended the whole file can be sent again.
"""

# ruff: noqa: PLC0415 - so that --help is instant

from typing import Annotated

import typer

from streams.terminal.options import Folder

STDIN = "-"


def publish(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="NDJSON: one structured CloudEvent on each line; - for standard input.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line, send nothing.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Events a second.", show_default="as fast as it goes")] = None,
    backfill: Annotated[
        bool,
        typer.Option(
            "--backfill", help="History: cases that are long forgotten are loaded again instead of refusing the event as too late."
        ),
    ] = False,
    folder: Folder = None,
) -> None:
    """Send events to Kafka, each checked against the contract.

    A file is checked as a whole first: if any line is wrong, the mistakes are listed by line number, nothing is sent and the exit
    code is 4. Standard input, or any other pipe, is sent line by line up to the first wrong one. Every broker in sync has what is
    reported as sent.
    """
    import sys
    from pathlib import Path

    from streams.cli.work.publish.lines import is_pipe
    from streams.cli.work.publish.run import Delivery
    from streams.terminal.configuration import load_settings

    settings = load_settings(folder)
    delivery = Delivery(settings, rate, backfill=backfill)
    if file == STDIN:
        delivery.of_pipe(sys.stdin.buffer, "stdin", dry_run=dry_run)
        return
    with Path(file).open("rb") as opened:
        if is_pipe(opened):
            delivery.of_pipe(opened, file, dry_run=dry_run)
        else:
            delivery.of_file(opened, file, dry_run=dry_run)
