"""`frontdesk dead-letters`: what was set aside, why, and the ways back."""

# ruff: noqa: PLC0415 - so that --help is instant

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from events.rejection import Reason
from streams.cli.group import group
from streams.terminal.options import Folder, Format, OutputFormat


class LetterState(StrEnum):
    OPEN = "open"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"
    ANY = "any"


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which dead letters: the options that `list`, `redrive` and `discard` share, described once."""

    reasons: Annotated[list[Reason] | None, typer.Option("--reason", help="Only this reason; may be given several times.")] = None
    source: Annotated[str | None, typer.Option("--source", help="Only records that name this CloudEvents source.")] = None
    topic: Annotated[str | None, typer.Option("--topic", help="Only records of this topic.")] = None
    partition: Annotated[int | None, typer.Option("--partition", min=0, help="Only records of this partition.")] = None
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only records produced since then: 2026-11-23T08:00 (UTC).")
    ] = None
    before: Annotated[str | None, typer.Option("--before", metavar="TIME", help="Only records produced before then.")] = None
    offset: Annotated[int | None, typer.Option("--offset", min=0, help="Only the record at this offset.")] = None
    from_offset: Annotated[int | None, typer.Option("--from-offset", min=0, help="Only records from this offset on.")] = None
    to_offset: Annotated[int | None, typer.Option("--to-offset", min=0, help="Only records up to and with this offset.")] = None


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `Filters` before its own; it gets them as its first argument."""
    own = list(signature(command, eval_str=True).parameters.values())[1:]
    shared = list(signature(Filters, eval_str=True).parameters.values())
    names = [each.name for each in shared]

    @wraps(command)
    def with_filters(**given: Any) -> None:
        command(Filters(**{name: given.pop(name) for name in names}), **given)

    options = [*shared, *own]
    with_filters.__signature__ = Signature(options)  # type: ignore[attr-defined] # typer reads a command's options there
    with_filters.__annotations__ = {each.name: each.annotation for each in options}
    return with_filters


Topic = Annotated[str | None, typer.Option("--topic", help="Only records of this topic.")]
All = Annotated[bool, typer.Option("--all", help="All that are open: needed where nothing else narrows it.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many, in the order of the log.")]
OnePartition = Annotated[int, typer.Option("--partition", min=0, help="Partition of the record.")]
OneOffset = Annotated[int, typer.Option("--offset", min=0, help="Offset of the record.")]


@filtered
def list_letters(
    filters: Filters,
    *,
    state: Annotated[LetterState, typer.Option(help="Only those in this state.")] = LetterState.OPEN,
    limit: Limit = 100,
    form: Format = OutputFormat.TABLE,
    folder: Folder = None,
) -> None:
    """Show which records were set aside, where they are and what is wrong with them."""
    from streams.cli.work.dead_letters import selection, show_list
    from streams.terminal.configuration import load_settings

    wanted = selection(**vars(filters), state=None if state is LetterState.ANY else state)
    show_list(load_settings(folder), wanted, limit, form)


def show(
    *,
    partition: OnePartition,
    offset: OneOffset,
    topic: Topic = None,
    raw: Annotated[bool, typer.Option("--raw", help="Only the record's bytes, unchanged: to mend them in a file.")] = False,
    form: Format = OutputFormat.TABLE,
    folder: Folder = None,
) -> None:
    """Show one record that was set aside: what is wrong, its headers and its bytes."""
    from streams.cli.work.dead_letters import selection, show_one
    from streams.terminal.configuration import load_settings

    show_one(load_settings(folder), selection(topic=topic, partition=partition, offset=offset), form, raw=raw)


@filtered
def redrive(
    filters: Filters,
    *,
    everything: All = False,
    limit: Limit = 1_000,
    mended: Annotated[
        Path | None,
        typer.Option("--with", metavar="FILE", help="Send these bytes in place of the record's; for one record.", dir_okay=False),
    ] = None,
    backfill: Annotated[bool, typer.Option("--backfill", help="As history, which is never too late.")] = False,
    folder: Folder = None,
) -> None:
    """Send open records once more to the events topic, up to the first that would be refused again.

    Doing it twice changes nothing, because events have ids.
    """
    from streams.cli.work.dead_letters import redrive_selected, selection
    from streams.terminal.configuration import load_settings

    wanted = selection(**vars(filters), state=LetterState.OPEN, everything=everything)
    redrive_selected(load_settings(folder), wanted, limit, mended, backfill=backfill)


@filtered
def discard(filters: Filters, *, everything: All = False, limit: Limit = 100_000, folder: Folder = None) -> None:
    """Mark open records as not wanted. Their bytes stay where they are."""
    from streams.cli.work.dead_letters import discard_selected, selection
    from streams.terminal.configuration import load_settings

    wanted = selection(**vars(filters), state=LetterState.OPEN, everything=everything)
    discard_selected(load_settings(folder), wanted, limit)


def accept(
    *,
    partition: Annotated[int, typer.Option("--partition", min=0, help="The partition that stands.")],
    until: Annotated[int, typer.Option("--until", min=0, metavar="OFFSET", help="The last offset that passes.")],
    folder: Folder = None,
) -> None:
    """Let a flood of bad records pass where it has stopped a partition: they are set aside, and the worker goes on by itself.

    Whoever asks `/health/ready` of the worker, or reads its log, learns where the partition stands.
    """
    from streams.cli.work.dead_letters import accept_flood
    from streams.terminal.configuration import load_settings

    accept_flood(load_settings(folder), partition, until)


def dead_letters() -> typer.Typer:
    """The group of commands."""
    return group(
        "dead-letters",
        "Records that broke the contract: list, show, redrive, discard; accept lets a flood of them pass.",
        "frontdesk dead-letters list[/]",
        {
            list_letters: ("list", "frontdesk dead-letters list --reason invalid --since 2026-11-23T08:00[/]"),
            show: ("show", "frontdesk dead-letters show --partition 3 --offset 4711[/]   (--raw > record.json for its bytes)"),
            redrive: ("redrive", "frontdesk dead-letters redrive --partition 3 --offset 4711 --with record.json[/]"),
            discard: ("discard", "frontdesk dead-letters discard --reason not_json --before 2026-11-23[/]"),
            accept: ("accept", "frontdesk dead-letters accept --partition 3 --until 48210[/]"),
        },
    )
