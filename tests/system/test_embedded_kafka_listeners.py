"""The doors of the embedded Kafka with a password, with TLS and with both, as aiokafka's clients use them."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from deploy.embedded.kafka import Kafka
from deploy.embedded.listener import Protocol

pytestmark = pytest.mark.embedded

SECURED: tuple[Protocol, ...] = ("SASL_PLAINTEXT", "SSL", "SASL_SSL")
USER, PASSWORD = "worker", "open sesame"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("secured"), listeners=SECURED, users={USER: PASSWORD}) as kafka:
        yield kafka


def options(kafka: Kafka, protocol: Protocol, password: str = PASSWORD, authority: Path | None = None) -> dict[str, Any]:
    given: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap_of(protocol), "security_protocol": protocol}
    if "SASL" in protocol:
        given |= {"sasl_mechanism": "PLAIN", "sasl_plain_username": USER, "sasl_plain_password": password}
    if "SSL" in protocol:
        given |= {"ssl_context": create_ssl_context(cafile=str(authority or kafka.authority))}
    return given


@pytest.mark.parametrize("protocol", SECURED)
async def test_clients_send_and_receive(secured: Kafka, protocol: Protocol) -> None:
    topic = f"by-{protocol.lower()}"
    admin = AIOKafkaAdminClient(**options(secured, protocol))
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(**options(secured, protocol)) as producer:
        await producer.send_and_wait(topic, b"hello")
    async with AIOKafkaConsumer(topic, auto_offset_reset="earliest", **options(secured, protocol)) as consumer:
        assert (await consumer.getone()).value == b"hello"


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
async def test_a_wrong_password_is_refused(secured: Kafka, protocol: Protocol) -> None:
    producer = AIOKafkaProducer(**options(secured, protocol, password="wrong"))
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


async def test_a_certificate_that_is_not_trusted_is_refused(secured: Kafka) -> None:
    producer = AIOKafkaProducer(**options(secured, "SSL") | {"ssl_context": ssl.create_default_context()})
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


async def test_a_restart_keeps_the_certificate_and_the_ports(secured: Kafka) -> None:
    before = (secured.authority.read_bytes(), [secured.bootstrap_of(protocol) for protocol in SECURED])
    secured.stop()
    secured.start()
    assert (secured.authority.read_bytes(), [secured.bootstrap_of(protocol) for protocol in SECURED]) == before
    async with AIOKafkaProducer(**options(secured, "SASL_SSL")):
        pass


def test_passwords_are_for_the_owners_eyes(secured: Kafka) -> None:
    kept = [
        path
        for path in secured.data.rglob("*")
        if path.is_file() and path.stat().st_size < 1 << 16 and PASSWORD.encode() in path.read_bytes()
    ]
    assert [path.name for path in kept] == ["server.properties"]
    assert kept[0].stat().st_mode & 0o077 == 0
