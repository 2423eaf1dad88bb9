"""Which topic this is: its id and its number of partitions, as the brokers know them.

A topic that is deleted and made again has its old name and another id; its offsets begin anew, and rows made from the
old one would outlive those of the new. aiokafka asks for metadata in a version that has no topic ids, so the request of
version 12 (KIP-516) is spelled out here.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from streams.kafka.client import client_options
from streams.settings import Settings


@dataclass(frozen=True)
class TopicIdentity:
    """Id (the usual text of a UUID) and number of partitions of a topic."""

    topic_id: str
    partitions: int


class Uuid:
    """Sixteen bytes on the wire."""

    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))

    @classmethod
    def repr(cls, value: uuid.UUID) -> str:
        return str(value)


TEXT = CompactString("utf-8")
BROKER = (("node_id", Int32), ("host", TEXT), ("port", Int32), ("rack", TEXT), ("tags", TaggedFields))
PARTITION = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline", CompactArray(Int32)),
    ("tags", TaggedFields),
)
TOPIC = (
    ("error_code", Int16),
    ("name", TEXT),
    ("topic_id", Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*PARTITION)),
    ("authorized_operations", Int32),
    ("tags", TaggedFields),
)


class _MetadataResponse(Response):  # type: ignore[misc] # aiokafka publishes no types
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*BROKER)),
        ("cluster_id", TEXT),
        ("controller_id", Int32),
        ("topics", CompactArray(*TOPIC)),
        ("tags", TaggedFields),
    )


class _MetadataRequestV12(RequestStruct):  # type: ignore[misc] # aiokafka publishes no types
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV12]):  # type: ignore[misc] # aiokafka publishes no types
    API_KEY = 3

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        return request_struct_class([(uuid.UUID(int=0), topic, {}) for topic in self._topics], False, False, {})


async def topic_identity(settings: Settings, topic: str) -> TopicIdentity:
    """Ask the brokers. Raises aiokafka's `KafkaError` when they are away or there is no such topic."""
    found = (await topic_identities(settings, [topic]))[topic]
    if found is None:
        raise UnknownTopicOrPartitionError(f"topic {topic}")
    return found


async def topic_identities(settings: Settings, topics: Collection[str]) -> dict[str, TopicIdentity | None]:
    """Ask the brokers; None where there is no such topic. Raises aiokafka's `KafkaError` when they are away."""
    client = AIOKafkaClient(**client_options(settings))
    try:
        await client.bootstrap()
        response: Any = await client.send(client.get_random_node(), _MetadataRequest(topics))
    finally:
        await client.close()
    return {name: _identity(error, name, topic_id, len(partitions)) for error, name, topic_id, _, partitions, *_ in response.topics}


def _identity(error: int, name: str, topic_id: uuid.UUID, partitions: int) -> TopicIdentity | None:
    if error == UnknownTopicOrPartitionError.errno:
        return None
    if error:
        raise for_code(error)(f"topic {name}")
    return TopicIdentity(str(topic_id), partitions)
