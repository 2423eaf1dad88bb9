"""How this project's own Kafka clients reach the brokers: one translation of the settings into aiokafka's arguments."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka import record_batches  # noqa: F401 - all consumers read with it
from streams.settings import Settings

REQUEST_TIMEOUT_MS = 20_000


def client_options(settings: Settings) -> dict[str, Any]:
    """Arguments that producers, consumers and admin clients of aiokafka have in common.

    Raises OSError with the name of the certificate authority's file when that cannot be read.
    """
    encrypted = settings.kafka_security.endswith("SSL")
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "client_id": "frontdesk",
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "security_protocol": settings.kafka_security,
        "ssl_context": trusted(settings.kafka_ca_file) if encrypted else None,
    }
    if settings.kafka_security.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that asks and changes topics and groups. Raises aiokafka's `KafkaError` when the brokers are away."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def idempotent_producer(settings: Settings, batch_bytes: int, request_bytes: int) -> AIOKafkaProducer:
    """Not started: every record once, and acknowledged when every replica in sync has it."""
    return AIOKafkaProducer(
        **client_options(settings), acks="all", enable_idempotence=True, max_batch_size=batch_bytes, max_request_size=request_bytes
    )


@asynccontextmanager
async def reader(settings: Settings, partitions: Sequence[TopicPartition] = (), **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer outside the workers' group, of these partitions. It commits nothing by itself, and stands nowhere before a `seek`.

    Raises aiokafka's `KafkaError` when the brokers are away.
    """
    consumer = AIOKafkaConsumer(**(client_options(settings) | {"enable_auto_commit": False, "auto_offset_reset": "none"} | options))
    try:
        await consumer.start()
        if partitions:
            consumer.assign(partitions)
        yield consumer
    finally:
        await consumer.stop()


def trusted(authority: Path | None) -> ssl.SSLContext:
    """TLS that trusts this certificate authority, or the system's. Raises OSError with the file's name, which `ssl` leaves out."""
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(authority)) from error
