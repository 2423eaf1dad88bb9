"""`frontdesk publication`: what of completed months everybody may see."""

# ruff: noqa: PLC0415 - so that --help is instant

from typing import Annotated

import typer

from streams.cli.group import group
from streams.terminal.options import District, Folder, Format, OutputFormat

Months = Annotated[list[str] | None, typer.Option("--month", metavar="YYYY-MM", help="Only this month.", show_default="all")]


def list_months(*, district: District = None, form: Format = OutputFormat.TABLE, folder: Folder = None) -> None:
    """Show which months are public, which were withdrawn, and which are ready to be released.

    A month is ready on the eighth day after its last Sunday, when a worker has counted so far. Times are the district's own.
    """
    from streams.cli.work.publication import show

    show(folder, district, as_json=form is OutputFormat.JSON)


def release(
    *,
    district: District = None,
    month: Months = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which months these are.")] = False,
    folder: Folder = None,
) -> None:
    """Publish the months that are ready, as they are now. What comes later changes none of them.

    Without options all that are ready, for a timer. A month that was withdrawn is released again only when district and month are named.
    """
    from streams.cli.work.publication import publish

    publish(folder, district, month or [], dry_run=dry_run)


def withdraw(
    *,
    district: Annotated[str, typer.Option("--district", help="Of this district.")],
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="This month.")],
    folder: Folder = None,
) -> None:
    """Take a month back that should not be public. Browsers may show it for ten minutes more; copies of it stay where they are.

    Whoever has a copy and sees the month released again with other numbers can subtract: the difference may be one person.
    """
    from streams.cli.work.publication import take_back

    take_back(folder, district, month)


def publication() -> typer.Typer:
    """The group of commands."""
    return group(
        "publication",
        "What everybody may see of completed months: list, release, withdraw.",
        "frontdesk publication list[/]",
        {
            list_months: ("list", "frontdesk publication list --district riverside[/]"),
            release: ("release", "frontdesk publication release --dry-run[/]   then without, once a week, by a timer"),
            withdraw: ("withdraw", "frontdesk publication withdraw --district riverside --month 2026-10[/]"),
        },
    )
