"""Publishing to a real Kafka: what is sent lies where its district lives, complete and in order, or nothing was sent."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from events.codec import Decoder
from events.partition import partition_of
from streams.audit.inventory import distinct_events
from streams.kafka.backlog import backlog
from streams.kafka.client import client_options
from streams.kafka.publisher import Publisher
from streams.kafka.topics import TopicMismatch, ensure_topics, topics
from streams.settings import Settings
from streams.simulation import Plan, simulate
from tests.support.workers import named

if TYPE_CHECKING:
    from deploy.embedded.kafka import Kafka

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[2]
UNTIL = 1_795_212_000_000
"""A Friday afternoon, in ms."""


@pytest.fixture
def settings(kafka: "Kafka") -> Settings:
    """Topics of this test's own."""
    return Settings(kafka_bootstrap=kafka.bootstrap, **named(f"t{uuid.uuid4().hex[:8]}"), partitions=4)


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    file = tmp_path / "simulated.ndjson"
    with file.open("wb") as out:
        out.writelines(event.value + b"\n" for event in simulate(Plan(UNTIL, students=100, days=5, districts=6)))
    return file


def spoil(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"nonsense\n")


def lines_of(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines()


def command(settings: Settings, *arguments: str) -> "subprocess.Popen[bytes]":
    names = ("kafka_bootstrap", "topic", "dead_letter_topic", "breach_topic", "changelog_topic", "group", "partitions")
    own = {f"FRONTDESK_{name.upper()}": str(getattr(settings, name)) for name in names}
    others = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli", *arguments], cwd=ROOT, env=others | own, stdin=pipe, stdout=pipe, stderr=pipe
    )


async def records_of(settings: Settings) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(**client_options(settings), auto_offset_reset="earliest")
    partitions = [TopicPartition(settings.topic, number) for number in range(settings.partitions)]
    consumer.assign(partitions)
    await consumer.start()
    try:
        total = sum((await consumer.end_offsets(partitions)).values())
        return [record for _ in range(total) for record in [await asyncio.wait_for(consumer.getone(), 20)]]
    finally:
        await consumer.stop()


def meaning(value: bytes) -> str:
    """What the contract knows of an event: it is written anew on its way."""
    return repr(Decoder().decode(value, [], FAR))


FAR = 1 << 52
"""A timestamp at which no event is from the future."""


async def test_a_file_arrives_complete_where_its_districts_live(settings: Settings, simulated: Path) -> None:
    process = command(settings, "publish", str(simulated))
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    records = await records_of(settings)
    assert sorted(meaning(record.value) for record in records) == sorted(map(meaning, lines_of(simulated)))
    for record in records:
        district = json.loads(record.value)["data"]["district"]
        assert (record.partition, record.key) == (partition_of(district, 4), district.encode())
        assert record.headers == (("content-type", b"application/cloudevents+json"),)
    assert f"{len(records):,} events are in {settings.topic}".encode() in errors
    assert await distinct_events(settings) == len(records)
    assert (await backlog(settings)).left == len(records)


async def test_within_a_partition_the_order_of_the_file_is_kept(settings: Settings, simulated: Path) -> None:
    async with Publisher(settings) as publisher:
        for line in lines_of(simulated):
            await publisher.send("riverside", line)
    assert [record.value for record in await records_of(settings)] == lines_of(simulated)
    assert publisher.acknowledged == publisher.sent


async def test_backfill_is_marked(settings: Settings, simulated: Path) -> None:
    process = command(settings, "publish", str(simulated), "--backfill")
    process.communicate()
    assert {dict(record.headers)["frontdesk-backfill"] for record in await records_of(settings)} == {b"1"}


async def test_a_file_with_one_mistake_sends_nothing(settings: Settings, simulated: Path) -> None:
    spoil(simulated)
    process = command(settings, "publish", str(simulated))
    _, errors = process.communicate()
    assert process.returncode == 4
    assert b"nothing was sent" in errors
    assert (await backlog(settings)).produced == 0


async def test_a_pipe_is_sent_up_to_the_first_mistake(settings: Settings, simulated: Path) -> None:
    process = command(settings, "publish", "-")
    _, errors = process.communicate(b"\n".join([*lines_of(simulated)[:7], b"nonsense", *lines_of(simulated)[7:]]))
    assert process.returncode == 4
    assert b"stopped at line 8 of stdin: 7 events before it were sent" in errors
    assert (await backlog(settings)).produced == 7


async def test_a_pipe_that_trickles_is_sent_as_it_comes(settings: Settings, simulated: Path) -> None:
    await ensure_topics(settings)
    process = command(settings, "publish", "-")
    assert process.stdin is not None
    process.stdin.write(lines_of(simulated)[0] + b"\n")
    process.stdin.flush()
    await until_produced(settings, 1)
    process.communicate()
    assert process.returncode == 0


async def test_ctrl_c_tells_what_was_acknowledged(settings: Settings, simulated: Path) -> None:
    await ensure_topics(settings)
    process = command(settings, "publish", str(simulated), "--rate", "20")
    await until_produced(settings, 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    produced = (await backlog(settings)).produced
    assert 0 < produced < len(lines_of(simulated))
    assert f"\n{produced:,} events are in {settings.topic}".encode() in errors


async def test_simulated_traffic_arrives(settings: Settings) -> None:
    process = command(settings, "simulate", "--students", "50", "--days", "10")
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert b"cases about late buses" in out
    assert (await backlog(settings)).produced > 100


async def test_topics_are_made_with_what_must_be_true_of_them(settings: Settings) -> None:
    assert set(await ensure_topics(settings)) == {topic.name for topic in topics(settings)}
    assert await ensure_topics(settings) == []
    assert await configs_of(settings, settings.topic) >= {("retention.ms", "-1")}
    assert await configs_of(settings, settings.changelog_topic) >= {("cleanup.policy", "compact"), ("min.compaction.lag.ms", "3600000")}


async def test_a_topic_with_another_number_of_partitions_is_refused(settings: Settings, simulated: Path) -> None:
    await ensure_topics(settings)
    other = settings.model_copy(update={"partitions": 5})
    with pytest.raises(TopicMismatch, match="has 4 partitions, but FRONTDESK_PARTITIONS is 5"):
        await ensure_topics(other)
    process = command(other, "publish", str(simulated))
    _, errors = process.communicate()
    assert process.returncode == 4
    assert b"Traceback" not in errors


async def configs_of(settings: Settings, topic: str) -> set[tuple[str, str]]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    return {(entry[0], entry[1]) for resource in response.resources for entry in resource[4]}


async def until_produced(settings: Settings, count: int, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while (await backlog(settings)).produced < count:  # noqa: ASYNC110 - another process produces: there is no event to wait for
            await asyncio.sleep(0.05)
