"""Publishers on librdkafka key by district like everybody else, and by default choose another partition than the Java client does.

Their records are sent on, once, and counted once; with `partitioner=murmur2_random` there is nothing to send on.
"""

import asyncio
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.port import chosen
from events.partition import partition_of
from sinks.clickhouse.verification import VerifiedScope
from streams.audit.forwarded import is_forwarded
from streams.cli.work.verify import verdict
from streams.clock import WallClock
from streams.kafka.client import client_options
from streams.kafka.publisher import STRUCTURED
from streams.settings import Settings
from tests.support.durable import HOUR, event
from tests.support.workers import fresh_settings, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

PARTITIONS = 4
DISTRICTS = [f"district-{number}" for number in range(40)]
CASES = 5


@dataclass
class Sent:
    """What one publisher sent: the partition of each record, and how many came elsewhere than home."""

    places: Counter[int] = field(default_factory=Counter)
    astray: int = 0

    def delivered(self, error: Any, message: Any) -> None:
        assert error is None, error
        self.places[message.partition()] += 1
        self.astray += message.partition() != partition_of(message.key().decode(), PARTITIONS)


def publish(settings: Settings, name: str, **options: str) -> Sent:
    """A contact and a reply for each of some cases of each district, keyed by district; librdkafka chooses the partition."""
    sent, asked = Sent(), WallClock().now() - 2 * HOUR
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "enable.idempotence": True} | options)
    for district in DISTRICTS:
        for number in range(CASES):
            subject = f"{name}-{number}"
            for kind, at in (("contact", asked), ("reply", asked + HOUR)):
                value = event(kind, f"{subject}-{kind}", subject, at, district, department="office")
                producer.produce(settings.topic, value, key=district, headers=[*STRUCTURED], on_delivery=sent.delivered)
    assert producer.flush(30) == 0
    return sent


def metric(settings: Settings, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=5) as response:
        families = text_string_to_metric_families(response.read().decode())
    return next(sample.value for family in families for sample in family.samples if sample.name == f"frontdesk_{name}")


async def forwarded(settings: Settings) -> int:
    """Records of the topic with the mark that they were sent on."""
    places = [TopicPartition(settings.topic, number) for number in range(PARTITIONS)]
    count = 0
    async with AIOKafkaConsumer(**client_options(settings), auto_offset_reset="earliest") as consumer:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(*places, timeout_ms=300)).values():
                count += sum(is_forwarded(record.headers) for record in records)
    return count


def test_records_that_librdkafka_puts_elsewhere_are_sent_on_once_and_counted_once(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    port = chosen(["metrics"], {})["metrics"]
    settings, log = fresh_settings("librdkafka", kafka, clickhouse, partitions=PARTITIONS, metrics_port=port), tmp_path / "worker.log"
    total = len(DISTRICTS) * CASES
    with worker(settings, log) as child:
        default = publish(settings, "default")
        assert total / 2 < default.astray < 2 * total, "its default partitioner is crc32, which agrees by chance only"
        wait_until_counted(settings, child, log)
        assert metric(settings, "forwards_total") == default.astray == asyncio.run(forwarded(settings))

        murmur = publish(settings, "murmur", partitioner="murmur2_random")
        assert murmur.astray == 0
        assert len(murmur.places) == PARTITIONS
        wait_until_counted(settings, child, log)
        assert metric(settings, "forwards_total") == default.astray
        assert verdict(settings, VerifiedScope()) == 0

    assert query(settings, "SELECT count(), countIf(contacts = 1 AND replies = 1 AND response_ms = 3600000) FROM cases FINAL") == [
        (2 * total, 2 * total)
    ]
    assert query(settings, "SELECT count() FROM dead_letters FINAL") == [(0,)]
    counted = query(settings, "SELECT sum(contact_n), sum(response_n) FROM windows FINAL WHERE scope = 'district' AND window = '28d'")
    assert counted == [(2 * total, 2 * total)]
