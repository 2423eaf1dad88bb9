"""What `frontdesk status` looks at, one check after the other; a server that is away is a finding, not an error."""

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

from deploy.embedded.stack import Stack
from streams.kafka import backlog
from streams.settings import Settings
from streams.terminal.configuration import STATE_FILE
from streams.terminal.outcome import one_line, outcome_of
from streams.warehouse import clickhouse_of

TABLES = ("events", "cases", "windows")


class Check(NamedTuple):
    name: str
    good: bool
    finding: str


def checks(settings: Settings) -> Iterator[Check]:
    """One after the other, as the answers come."""
    if (settings.folder / STATE_FILE).exists():
        yield from _embedded(settings)
    yield _checked("Kafka", lambda: _kafka(settings))
    yield _checked("ClickHouse", lambda: _clickhouse(settings))


def _embedded(settings: Settings) -> Iterator[Check]:
    for server in Stack(settings.folder).status():
        finding = {
            "died": f"ended without being asked to; {server.log} says why, `frontdesk up` starts it again",
            "running": f"running ({server.program})" if server.program else "running",
        }.get(server.state, server.state)
        yield Check(f"{server.name} process", good=server.state == "running", finding=finding)


def _checked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, good=True, finding=look())
    except Exception as error:
        outcome = outcome_of(error)
        if outcome is None:
            raise
        return Check(name, good=False, finding=one_line(outcome.message))


def _kafka(settings: Settings) -> str:
    found = asyncio.run(backlog(settings))
    return f"{settings.kafka_bootstrap}: {found.produced:,} events in {settings.topic}, {found.left:,} of them not yet counted"


def _clickhouse(settings: Settings) -> str:
    with clickhouse_of(settings).connect() as client:
        counts = {table: client.execute(f"SELECT count() FROM {table} FINAL")[0][0] for table in TABLES}  # noqa: S608 - our own names
    return f"{settings.clickhouse_host}:{settings.clickhouse_port}: " + ", ".join(f"{n:,} rows in {table}" for table, n in counts.items())
