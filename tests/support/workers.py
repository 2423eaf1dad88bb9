"""What tests of the whole path share: topics and tables of their own, worker processes, and the wait until all is counted."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clickhouse_driver import Client

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import Child, launch, tail
from sinks.clickhouse.migration import migrate
from streams.kafka.backlog import backlog
from streams.kafka.publisher import Headers, Publisher
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.warehouse import clickhouse_of

POLL_S = 0.1


def named(name: str) -> dict[str, str]:
    """Settings of a database, topics and a group of this name."""
    return {
        "clickhouse_database": name,
        "topic": f"{name}.events",
        "dead_letter_topic": f"{name}.dead-letters",
        "breach_topic": f"{name}.breaches",
        "changelog_topic": f"{name}-changelog",
        "group": name,
    }


def fresh_settings(name: str, kafka: Kafka, clickhouse: ClickHouseServer, **others: Any) -> Settings:
    """Settings with topics, group and database named after the test; the topics and tables are made."""
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap,
        clickhouse_port=clickhouse.native_port,
        **named(name),
        **({"partitions": 4} | others),
    )
    migrate(clickhouse_of(settings))
    asyncio.run(ensure_topics(settings))
    return settings


@contextmanager
def worker(settings: Settings, log: Path) -> Iterator[Child]:
    """A worker process, ended whatever happens."""
    child = launch([sys.executable, "-m", "streams.cli", "worker"], log, outlive=False, environment=environment_of(settings))
    try:
        yield child
    finally:
        child.stop()


async def publish(settings: Settings, events: list[tuple[str, bytes]], headers: Headers) -> None:
    """Send (district, bytes) in this order."""
    async with Publisher(settings) as publisher:
        for district, value in events:
            await publisher.send(district, value, headers)


def committed(settings: Settings) -> int:
    return asyncio.run(backlog(settings)).committed


def wait_until_counted(settings: Settings, child: Child, log: Path, within_s: float = 90) -> None:
    """Until the group has committed the end of the log."""
    deadline = time.monotonic() + within_s
    while left := asyncio.run(backlog(settings)).left:
        assert child.alive(), f"the worker ended:\n{tail(log)}"
        assert time.monotonic() < deadline, f"{left} events are not counted after {within_s} s:\n{tail(log)}"
        time.sleep(POLL_S)


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    client: Client
    with clickhouse_of(settings).connect() as client:
        rows: list[tuple[Any, ...]] = client.execute(sql)
    return rows
