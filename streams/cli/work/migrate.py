"""Topics and tables: what must be there before the first event, made where it is missing."""

import asyncio

from sinks.clickhouse.migration import migrate
from streams.kafka import ensure_topics
from streams.settings import Settings
from streams.terminal.screen import step
from streams.warehouse import clickhouse_of


def prepare(settings: Settings) -> None:
    """Bring tables and topics up to date, and say so."""
    make_tables(settings)
    make_topics(settings)


def make_tables(settings: Settings) -> None:
    with step("making tables and views in ClickHouse"):
        migrate(clickhouse_of(settings))


def make_topics(settings: Settings) -> None:
    with step("making topics in Kafka"):
        asyncio.run(ensure_topics(settings))
