"""What a worker sends to Kafka beside its changelog: dead letters, records that came to the wrong partition, breaches.

Every send is awaited by the processor before it goes on; one that fails stops the worker, for a record that was neither
counted nor set aside would be lost.
"""

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer

from events.cloudevents import STRUCTURED
from events.headers import CONTENT_TYPE, MARKED_FORWARDED
from projections.announcement import Announcement
from streams.dead_letters import dead_letter_body, dead_letter_headers
from streams.sorting import Record, Refused
from streams.worker.announcements import breach_of


class Outbox:
    """Sends through the worker's producer and waits until every replica has it."""

    def __init__(
        self, producer: AIOKafkaProducer, dead_letter_topic: str, breach_topic: str, marks: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """`marks` are further headers of records that are sent on."""
        self._producer = producer
        self._marks = marks
        self._dead_letter_topic = dead_letter_topic
        self._breach_topic = breach_topic

    async def set_aside(self, refused: Iterable[Refused]) -> None:
        """Write each refused record to the dead letter topic: bytes untouched, or where they are, or nothing of them (`keeps_bytes`)."""
        sent = []
        for r in refused:
            key, value = dead_letter_body(r)
            topic, partition = self._dead_letter_topic, None if key else 0
            sent.append(await self._producer.send(topic, key=key, value=value, headers=dead_letter_headers(r), partition=partition))
        await self._all(sent)

    async def send_on(self, misrouted: Iterable[tuple[Record, int]]) -> None:
        """Write each record to the partition it belongs to, with its own timestamp and the mark that it was sent on."""
        await self._all(
            [
                await self._producer.send(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=[*record.headers, MARKED_FORWARDED, *self._marks],
                    partition=home,
                    timestamp_ms=record.timestamp,
                )
                for record, home in misrouted
            ]
        )

    async def announce(self, notifications: Iterable[Announcement]) -> None:
        """Write the breach notifications, in order, with the district as key."""
        await self._all(
            [
                await self._producer.send(
                    self._breach_topic,
                    key=each.district.encode(),
                    value=breach_of(each).model_dump_json(exclude_none=True).encode(),
                    headers=[(CONTENT_TYPE, STRUCTURED)],
                )
                for each in notifications
            ]
        )

    @staticmethod
    async def _all(sent: "list[asyncio.Future[object]]") -> None:
        for acknowledged in sent:
            await acknowledged
