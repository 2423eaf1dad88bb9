"""`frontdesk verify`: every number in ClickHouse against the events in Kafka."""

# ruff: noqa: PLC0415 - so that --help is instant

from datetime import UTC, datetime
from typing import Annotated

import typer

from streams.terminal.options import Folder


def verify(
    *,
    district: Annotated[
        list[str] | None, typer.Option("--district", metavar="NAME", help="Only this one; may be given again.", show_default="all")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only cases opened on this day (UTC) or later; then no windows.")
    ] = None,
    sample: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the facts of N cases chosen by chance: quick.")] = None,
    folder: Folder = None,
) -> int:
    """Prove that nothing is lost and nothing counted twice: read the topic again, compute every number again, and compare.

    Workers may go on meanwhile. Prints how the records of each partition add up and one line for each difference. Exit code 0 when
    all is equal, 1 when something differs, 3 when a server is away.
    """
    from sinks.clickhouse.verification import VerifiedScope
    from streams.cli.work.verify import verdict
    from streams.terminal.configuration import load_settings

    at = None if since is None else int(since.replace(tzinfo=UTC).timestamp() * 1000)
    return verdict(load_settings(folder), VerifiedScope(tuple(district or ()), at, sample))
