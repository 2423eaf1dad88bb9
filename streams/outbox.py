"""What a worker sends to Kafka beside its changelog: dead letters, records that came to the wrong partition, breaches.

Every send is awaited by the desk before it goes on; one that fails stops the worker, for a record that was neither
counted nor set aside would be lost.
"""

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer

from events.cloudevents import STRUCTURED
from events.rejection import Reason
from projections.announcement import Announcement
from streams.announcements import breach_of
from streams.intray import FORWARDED, Record, Refused

PREFIX = "frontdesk-dead-letter-"


def dead_letter_headers(refused: Refused) -> list[tuple[str, bytes]]:
    """The record's own headers, where they are kept, then where it came from and what is wrong with it, as text."""
    record, rejection = refused.record, refused.rejection
    facts = {
        "reason": rejection.reason.value,
        "path": rejection.path,
        "message": rejection.message,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
    }
    own = record.headers if keeps_bytes(rejection.reason) else ()
    return [*own, *((PREFIX + name, str(fact).encode()) for name, fact in facts.items())]


def keeps_bytes(reason: str) -> bool:
    """Whether a dead letter holds anything of its record. Of personal data not even a hash: all telephone numbers can be tried out."""
    return reason != Reason.PERSONAL_DATA


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
        """Write each refused record to the dead letter topic: bytes untouched, or nothing of them (`keeps_bytes`)."""
        await self._all(
            [
                await self._producer.send(
                    self._dead_letter_topic,
                    key=key,
                    value=b"" if key is None and value is None else value,  # aiokafka sends no record that has neither
                    headers=dead_letter_headers(r),
                    partition=None if key else 0,
                )
                for r in refused
                for key, value in ((r.record.key, r.record.value) if keeps_bytes(r.rejection.reason) else (None, None),)
            ]
        )

    async def send_on(self, misrouted: Iterable[tuple[Record, int]]) -> None:
        """Write each record to the partition it belongs to, with its own timestamp and the mark that it was sent on."""
        await self._all(
            [
                await self._producer.send(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=[*record.headers, (FORWARDED, b"1"), *self._marks],
                    partition=home,
                    timestamp_ms=record.timestamp,
                )
                for record, home in misrouted
            ]
        )

    async def announce(self, said: Iterable[Announcement]) -> None:
        """Write what there is to say of promises, in order, with the district as key."""
        await self._all(
            [
                await self._producer.send(
                    self._breach_topic,
                    key=each.district.encode(),
                    value=breach_of(each).model_dump_json(exclude_none=True).encode(),
                    headers=[("content-type", STRUCTURED)],
                )
                for each in said
            ]
        )

    @staticmethod
    async def _all(sent: "list[asyncio.Future[object]]") -> None:
        for acknowledged in sent:
            await acknowledged
