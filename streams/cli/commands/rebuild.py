"""`frontdesk rebuild`: the tables made anew beside the old ones, compared, and switched."""

# ruff: noqa: PLC0415 - so that --help is instant

from enum import StrEnum
from typing import Annotated

import typer

from streams.terminal.options import Folder


class Source(StrEnum):
    EVENTS = "events"
    TOPIC = "topic"
    LOG = "log"
    LOG_AND_EVENTS = "log+events"


def rebuild(
    *,
    source: Annotated[
        Source | None,
        typer.Option(
            "--from",
            help="events: cases and windows anew from the archive in ClickHouse. topic: the archive, too, from Kafka. "
            "log: what workers remember, too, for a changelog that was lost; workers must be stopped. "
            "log+events: the same, and what only the archive has is sent to the topic again, for one that lost records.",
            show_default="events; log where the topic is another one than before",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Switch to the new tables without asking, whatever differs.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and about how long it takes; do nothing.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say how far the last rebuilds are; do nothing.")] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="Give up the one that is under way: its new tables are dropped.")] = False,
    drop_old: Annotated[bool, typer.Option("--drop-old", help="Drop the old tables that were kept after a switch.")] = False,
    folder: Folder = None,
) -> int:
    """Make cases and windows anew beside the old tables, compare, and switch: readers see the old ones or the new ones, never half.

    For a rule, a target or closed days that changed in the past (restart the workers with it first), for a damaged table, and for a
    topic that was made again or got more partitions (workers refuse to start until then). Workers go on meanwhile. Stop it any time,
    run it again and it goes on. At a terminal it asks before it switches; elsewhere it stops there unless --yes is given. The old
    tables are kept until --drop-old. Exit code 0 when it has switched or nothing differs, 1 when the comparison shows differences and
    nobody said --yes, 3 when a server is away, 4 when something has to be done first.
    """
    # long, because of what --help says
    from streams.cli.work.rebuild import abandon as give_up
    from streams.cli.work.rebuild import drop_old as drop
    from streams.cli.work.rebuild import show_plan, show_status
    from streams.rebuild.sequence import rebuild as run
    from streams.terminal.configuration import load_settings
    from streams.terminal.outcome import ExitCode, Stop

    chosen = {"--dry-run": dry_run, "--status": status, "--abandon": abandon, "--drop-old": drop_old}
    given = [name for name, is_given in chosen.items() if is_given]
    if len(given) > 1 or (given and yes):
        raise Stop(ExitCode.USAGE, f"{' and '.join([*given, *['--yes'] * yes])} do not go together")
    settings = load_settings(folder)
    work = {"--status": show_status, "--abandon": give_up, "--drop-old": drop}
    if given and given[0] in work:
        return work[given[0]](settings)
    asked = None if source is None else source.value
    return show_plan(settings, asked) if dry_run else run(settings, asked, yes=yes)
