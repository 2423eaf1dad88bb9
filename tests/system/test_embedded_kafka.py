"""The embedded Kafka as a server: what is acknowledged stays, whatever happens to the process; clients find it where it was."""

import asyncio
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.embedded import Unavailable
from deploy.embedded.kafka import Kafka
from deploy.embedded.port import chosen, is_free
from deploy.embedded.process import Failed, until

pytestmark = pytest.mark.embedded

KILL_ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))
ACKNOWLEDGED_A_ROUND = 2_000
SENDERS = 50
BOUND_S = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Kafka]:
    """A Kafka of this test's own, to be stopped and killed at will."""
    with Kafka(tmp_path / "kafka") as kafka:
        yield kafka


async def make_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for acknowledged in [await producer.send(topic, value) for value in values]:
            await acknowledged


async def consume(bootstrap: str, topic: str) -> list[bytes]:
    """All values of the topic's only partition."""
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes] = []
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                values += [record.value for record in records]
    return values


async def test_records_come_back_as_they_were_sent(kafka: Kafka) -> None:
    sent = [b"one", b"two", b"three"]
    await make_topic(kafka.bootstrap, "in-and-out")
    await produce(kafka.bootstrap, "in-and-out", sent)
    assert await consume(kafka.bootstrap, "in-and-out") == sent


async def test_no_topic_is_made_by_accident(kafka: Kafka) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=2_000) as producer:
        with pytest.raises(KafkaError):
            await producer.send_and_wait("never-made", b"lost")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        assert "never-made" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_a_restart_keeps_records_and_port(server: Kafka) -> None:
    await make_topic(server.bootstrap, "kept")
    await produce(server.bootstrap, "kept", [b"before"])
    bootstrap = server.bootstrap
    server.stop()
    server.start()
    assert server.bootstrap == bootstrap
    await produce(server.bootstrap, "kept", [b"after"])
    assert await consume(server.bootstrap, "kept") == [b"before", b"after"]


@pytest.mark.timeout(120 + 30 * KILL_ROUNDS)
async def test_kills_lose_no_acknowledged_record(server: Kafka) -> None:
    """One producer goes on over kills in the middle of its sends; the log those leave behind (lock file, open segments) is no hindrance."""
    acknowledged: list[bytes] = []
    numbers = count()

    async def send_on(producer: AIOKafkaProducer) -> None:
        while True:
            value = b"%d" % next(numbers)
            with suppress(KafkaError):  # not acknowledged: nothing was promised
                await producer.send_and_wait("killed", value)
                acknowledged.append(value)

    await make_topic(server.bootstrap, "killed")
    async with AIOKafkaProducer(bootstrap_servers=server.bootstrap, acks="all", retry_backoff_ms=50) as producer:
        senders = [asyncio.create_task(send_on(producer)) for _ in range(SENDERS)]
        for _ in range(KILL_ROUNDS):
            await grown(acknowledged, ACKNOWLEDGED_A_ROUND)
            await asyncio.to_thread(server.kill)
            assert (server.data / "log" / ".lock").exists()
            await asyncio.to_thread(server.start)
        await grown(acknowledged, 1)
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    stored = set(await consume(server.bootstrap, "killed"))
    assert len(acknowledged) > KILL_ROUNDS * ACKNOWLEDGED_A_ROUND
    assert set(acknowledged) <= stored


async def grown(values: list[bytes], by: int) -> None:
    """Return once the list has grown by so many."""
    goal = len(values) + by
    assert await asyncio.to_thread(until, lambda: len(values) >= goal, BOUND_S)


def test_a_second_kafka_on_the_folder_is_told_who_has_it(server: Kafka) -> None:
    with pytest.raises(Unavailable, match=rf"another Kafka \(process {server.identity.pid}\) works in"):
        Kafka(server.data).start()
    assert server.alive()


def test_a_port_that_was_asked_for_and_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} is taken by another program: stop it"):
            Kafka(tmp_path, port).start()


def test_a_port_of_before_that_is_taken_is_replaced(server: Kafka) -> None:
    port = server.port
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        server.start()
        assert server.port != port


@pytest.mark.usefixtures("kafka")  # so that Kafka is prepared on this machine, and the first start here is the one that is meant
def test_a_port_that_is_taken_at_the_last_moment_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first choice of ports is of one that somebody takes before Kafka binds it."""
    choices: list[int] = []

    def unlucky_at_first(names: Iterable[str], wanted: Mapping[str, int]) -> dict[str, int]:
        ports = chosen(names, wanted) | ({} if choices else {"PLAINTEXT": taken.getsockname()[1]})
        choices.append(ports["PLAINTEXT"])
        return ports

    monkeypatch.setattr("deploy.embedded.kafka.chosen", unlucky_at_first)
    with socket.create_server(("127.0.0.1", 0)) as taken, Kafka(tmp_path) as kafka:
        assert choices == [taken.getsockname()[1], kafka.port]


def test_ports_differ_and_are_free() -> None:
    ports = chosen("abc", {})
    assert len(set(ports.values())) == len(ports)
    assert all(is_free(port) for port in ports.values())
    assert chosen("abc", dict.fromkeys("abc", ports["a"]))["a"] == ports["a"]


def test_a_disk_without_room_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="MB free and Kafka needs"):
        Kafka(tmp_path, least_free_bytes=1 << 60).start()


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="choose another data folder"):
        Kafka(tmp_path / "file" / "kafka").start()


def test_half_a_format_is_done_again(server: Kafka) -> None:
    server.stop()
    (server.data / "log" / "meta.properties").unlink()
    server.start()
    assert server.alive()


def test_a_kafka_that_will_not_start_is_told_with_its_log_and_leaves_nothing(server: Kafka) -> None:
    server.stop()
    (server.data / "log" / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=other\n")
    with pytest.raises(Failed, match=r"Kafka ended while starting(?s:.*)Stored node id 7 doesn't match") as told:
        server.start()
    assert "\tat " not in str(told.value)
    assert not server.alive()
