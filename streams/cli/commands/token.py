"""`frontdesk token`: who may publish through the intake."""

# ruff: noqa: PLC0415 - so that --help is instant

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.group import group

File = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="The token file.", show_default="FRONTDESK_INTAKE_TOKENS", dir_okay=False)
]


def create(
    *,
    name: Annotated[str, typer.Option("--name", help="For people: which system this is.")] = "",
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this source, or all below it: /riverside/*.", show_default="all")
    ] = None,
    district: Annotated[list[str] | None, typer.Option("--district", help="Only this district.", show_default="all")] = None,
    kind: Annotated[list[str] | None, typer.Option("--type", help="Only this type: org.frontdesk.contact.v1.", show_default="all")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Days until it expires.")] = 365,
    rate: Annotated[float, typer.Option("--rate", min=0, help="Events a second; 0 for no limit.")] = 0.0,
    metrics: Annotated[bool, typer.Option("--metrics", help="It may read /metrics.")] = False,
    signed: Annotated[bool, typer.Option("--signed", help="A key that signs deliveries (Standard Webhooks), in place of a token.")] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", metavar="FILE", help="With --signed: the secret that the sender has made, in place of a new one.", dir_okay=False
        ),
    ] = None,
    file: File = None,
) -> None:
    """Make a token and print it, once: the file keeps its hash only. A running intake reads the file again on SIGHUP.

    What is not narrowed is allowed: name the sources, districts and types where you can.
    """
    from streams.cli.work.token import add

    add(
        file,
        name=name,
        sources=source,
        districts=district,
        types=kind,
        days=days,
        rate=rate,
        metrics=metrics,
        signed=signed,
        key_file=key_file,
    )


def list_tokens(*, file: File = None) -> None:
    """Show who may publish what, and until when."""
    from streams.cli.work.token import show

    show(file)


def revoke(
    *,
    token: Annotated[str, typer.Argument(metavar="ID", help="As `frontdesk token list` shows it; a whole token does too.")],
    file: File = None,
) -> None:
    """Take a token back. A running intake reads the file again on SIGHUP."""
    from streams.cli.work.token import take_back

    take_back(file, token)


def token() -> typer.Typer:
    """The group of commands."""
    return group(
        "token",
        "Who may publish through the intake: create, list, revoke.",
        "frontdesk token list[/]",
        {
            create: ("create", "frontdesk token create --name helpdesk --source '/riverside/*' --district riverside --rate 50[/]"),
            list_tokens: ("list", "frontdesk token list --file /etc/frontdesk/tokens.yaml[/]"),
            revoke: ("revoke", "frontdesk token revoke k3v5q2ab[/]   then: kill -HUP of the intake"),
        },
    )
