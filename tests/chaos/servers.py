"""The real servers of the machine, each with a faulty line before it: workers use the lines, the machine itself goes straight in.

Kafka has two listeners for that: clients of the plain one are told the proxy's port, those with a password the real one.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.jars import cache_folder
from deploy.embedded.kafka import Kafka, installed
from sinks.clickhouse.migration import migrate
from streams.kafka.client import administration
from streams.kafka.topics import ensure_topics, topics
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from tests.chaos.proxy import ClickHouseProxy, KafkaProxy
from tests.support.workers import named

USER, PASSWORD = "chaos", "invented"  # of a server that lives as long as the machine
SESSION_S: Final = 6.0
"""The least that Kafka allows."""
PARTITIONS: Final = 4
DIRECTORY: Final = Path(__file__).with_name("directory.yaml")


@dataclass(frozen=True)
class Servers:
    kafka: Kafka
    clickhouse: ClickHouseServer
    kafka_line: KafkaProxy
    clickhouse_line: ClickHouseProxy

    def restore(self) -> None:
        """Everything is well again."""
        self.kafka.start()
        self.clickhouse.start()
        self.kafka_line.target_port, self.clickhouse_line.target_port = self.kafka.port, self.clickhouse.native_port
        self.kafka_line.restore()
        self.clickhouse_line.restore()

    def straight(self, name: str) -> Settings:
        """For the machine itself: topics, group and database of that name, past the proxies."""
        return Settings(
            kafka_bootstrap=self.kafka.bootstrap_of("SASL_PLAINTEXT"),
            kafka_security="SASL_PLAINTEXT",
            kafka_user=USER,
            kafka_password=SecretStr(PASSWORD),
            clickhouse_port=self.clickhouse.native_port,
            **_named(name),
        )

    def faulty(self, name: str) -> Settings:
        """For the workers."""
        return Settings(
            kafka_bootstrap=f"127.0.0.1:{self.kafka_line.port}",
            clickhouse_port=self.clickhouse_line.port,
            log_format="json",
            **_named(name),
        )


def _named(name: str) -> dict[str, Any]:
    return {**named(name), "partitions": PARTITIONS, "session_timeout_s": SESSION_S, "directory": DIRECTORY}


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Kafka and ClickHouse of their own, stopped whatever happens.

    Kafka's jars are looked through once: a restart in the middle of a run must not wait for whoever else uses them.
    """
    java = installed(cache_folder())
    with (
        KafkaProxy() as kafka_line,
        ClickHouseProxy() as clickhouse_line,
        Kafka(folder / "kafka", advertised=kafka_line.port, listeners=("SASL_PLAINTEXT",), users={USER: PASSWORD}, java=java) as kafka,
        ClickHouseServer(folder / "clickhouse") as clickhouse,
    ):
        made = Servers(kafka, clickhouse, kafka_line, clickhouse_line)
        made.restore()
        yield made


def prepare(settings: Settings) -> None:
    """Topics and tables, which the workers need from the start."""
    migrate(clickhouse_of(settings))
    asyncio.run(ensure_topics(settings))


def drop(settings: Settings) -> None:
    """What a run that was clean leaves behind."""
    with clickhouse_of(settings).connect() as client:
        client.execute(f"DROP DATABASE {settings.clickhouse_database} SYNC")
    asyncio.run(_drop_topics(settings))


async def _drop_topics(settings: Settings) -> None:
    async with administration(settings) as admin:
        await admin.delete_topics([topic.name for topic in topics(settings)])
