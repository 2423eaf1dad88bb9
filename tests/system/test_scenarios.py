"""Two districts in one partition of a real Kafka, one of them flooding: the other one loses nothing and counts nothing of it."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import tail, until
from events.partition import partition_of
from sinks.clickhouse.dead_letters import accept
from sinks.clickhouse.verification import VerifiedScope
from streams.cli.work.verify import verdict
from streams.clock import WallClock
from streams.kafka.client import client_options
from streams.kafka.identity import topic_identity
from streams.kafka.publisher import STRUCTURED
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from streams.worker.breaker import MOST_REFUSED
from tests.support.durable import HOUR, event
from tests.support.workers import fresh_settings, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]

LOUD = "riverside"
QUIET = next(name for name in (f"district-{n}" for n in range(99)) if partition_of(name, 4) == partition_of(LOUD, 4))
FLOOD, EVERY = 20_000, 400


async def flood(settings: Settings, name: str, loud: list[bytes], at: int) -> int:
    """All of these, and an event of the quiet district after every few, all in the minute of `at`. Returns how many those are."""
    home = partition_of(LOUD, settings.partitions)
    async with AIOKafkaProducer(**client_options(settings), enable_idempotence=True, linger_ms=5) as producer:
        for number, value in enumerate(loud):
            await producer.send(settings.topic, value, partition=home, timestamp_ms=at, headers=STRUCTURED)
            if number % EVERY == 0:
                said = event("contact", f"{name}-{number}", f"{name}-{number}", at, QUIET, school="north")
                await producer.send(settings.topic, said, partition=home, timestamp_ms=at, headers=STRUCTURED)
        await producer.flush()
    return -(-len(loud) // EVERY)


def counted(settings: Settings) -> list[tuple[int, int]]:
    """Contacts of the quiet district, by its windows and by its cases."""
    return query(
        settings,
        f"SELECT sum(contact_n), (SELECT count() FROM cases FINAL WHERE district = '{QUIET}') FROM windows FINAL"
        f" WHERE district = '{QUIET}' AND scope = 'school' AND window = '24h'",
    )


def test_two_districts_in_one_partition_of_which_one_is_flooding(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path) -> None:
    settings, log = fresh_settings("two_districts", kafka, clickhouse), tmp_path / "worker.log"
    now = WallClock().now()
    good = [event("contact", number, f"case-{number % 3_000}", now - 2 * HOUR, LOUD) for number in range(FLOOD)]
    with worker(settings, log) as child:
        quiet = asyncio.run(flood(settings, "among-good", good, now - 2 * HOUR))
        wait_until_counted(settings, child, log)
        assert counted(settings) == [(quiet, quiet)]

        bad = [b"no event"] * (2 * MOST_REFUSED)
        more = asyncio.run(flood(settings, "among-bad", bad, now - HOUR))
        assert until(lambda: "breaker open" in log.read_text() or not child.alive(), 60), tail(log)
        [(before,)] = query(settings, f"SELECT count() FROM cases FINAL WHERE district = '{QUIET}'")
        assert before < quiet + more, "it shares the partition, and waits with it"

        identity = asyncio.run(topic_identity(settings, settings.topic))
        with clickhouse_of(settings).connect() as client:
            accept(client, identity.topic_id, partition_of(LOUD, 4), 10 * FLOOD)
        wait_until_counted(settings, child, log)
        assert counted(settings) == [(quiet + more, quiet + more)]
        assert verdict(settings, VerifiedScope()) == 0
    assert query(settings, "SELECT reason, count() FROM dead_letters FINAL GROUP BY reason") == [("not_json", len(bad))]
