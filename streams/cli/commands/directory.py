"""`frontdesk directory`: look at a file before it counts, see what is in force, put another one in force."""

# ruff: noqa: PLC0415 - so that --help is instant

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.group import group
from streams.terminal.options import Folder


def _file(name: str, what: str) -> typer.models.ArgumentInfo:
    argument: typer.models.ArgumentInfo = typer.Argument(metavar=f"[{name}]", help=what, dir_okay=False, show_default=False)
    return argument


File = Annotated[Path | None, _file("FILE", "A directory file; that of FRONTDESK_DIRECTORY where none is named.")]
ShownFile = Annotated[Path | None, _file("FILE", "A directory file; what is in force where none is named.")]
Other = Annotated[Path | None, _file("OTHER", "Compare with this file; with what is in force where none is named.")]


def check(file: File = None, folder: Folder = None) -> int:
    """Look for mistakes in a file, without any server. Exit code 2 and a line for each mistake, 0 where there is none."""
    from streams.cli.work.directory import check_file
    from streams.terminal.configuration import load_settings

    return check_file(load_settings(folder), file)


def show(
    file: ShownFile = None,
    *,
    district: Annotated[list[str] | None, typer.Option("--district", metavar="NAME", help="Only this one; may be given again.")] = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="As of then, by the district's clock; else as of now."),
    ] = None,
    folder: Folder = None,
) -> None:
    """Show who is listed, when each department works, what is promised, and the next openings, by the district's clock."""
    from streams.cli.work.directory import show_directory
    from streams.terminal.configuration import load_settings

    show_directory(load_settings(folder), file, district or [], at)


def diff(file: File = None, other: Other = None, folder: Folder = None) -> int:
    """Say in plain words what a file changes. Exit code 1 where it changes anything, 0 where nothing."""
    from streams.cli.work.directory import show_differences
    from streams.terminal.configuration import load_settings

    return show_differences(load_settings(folder), file, other)


def apply(file: File = None, folder: Folder = None) -> None:
    """Put a file in force: check it and its revision, and write it to ClickHouse, where answers and `verify` take it from.

    Workers read their own file (FRONTDESK_DIRECTORY) when they start and at SIGHUP; from now on none takes an older revision.
    """
    from streams.cli.work.directory import apply_file
    from streams.terminal.configuration import load_settings

    apply_file(load_settings(folder), file)


def directory() -> typer.Typer:
    """The group of commands."""
    return group(
        "directory",
        "Schools, departments, opening hours and targets: check a file, show what is in force, compare, apply.",
        "frontdesk directory check district.yaml[/]   What may stand in it: docs/directory.md",
        {
            check: ("check", "frontdesk directory check district.yaml[/]"),
            show: ("show", "frontdesk directory show --district riverside --at 2026-11-25[/]   or, of a file: show district.yaml"),
            diff: ("diff", "frontdesk directory diff district.yaml[/]"),
            apply: ("apply", "frontdesk directory apply district.yaml && kill -HUP $(cat worker.pid)[/]"),
        },
    )
