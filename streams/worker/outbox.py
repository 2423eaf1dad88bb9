"""What a worker sends to Kafka beside its changelog: dead letters, records that came to the wrong partition, breaches.

Every send is awaited by the processor before it goes on; one that fails stops the worker, for a record that was neither
counted nor set aside would be lost.
"""

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer

from events.cloudevents import STRUCTURED
from events.rejection import Reason
from projections.announcement import Announcement
from streams.kafka.claim_check import ClaimCheck, claim_check, has_small_headers, is_copied
from streams.sorting import FORWARDED, Record, Refused
from streams.worker.announcements import breach_of

PREFIX = "frontdesk-dead-letter-"


def dead_letter_headers(refused: Refused) -> list[tuple[str, bytes]]:
    """The record's own headers, where they are kept, then where it came from and what is wrong with it, as text.

    Where the record is not copied in full its size and digest follow: then it is read where it came from. Of one that is not to be kept
    there is neither.
    """
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
    if not keeps_bytes(rejection.reason):
        return [(PREFIX + name, str(fact).encode()) for name, fact in facts.items()]
    own = record.headers if has_small_headers(record.key, record.headers) else ()
    if dead_letter_body(refused) != (record.key, record.value) or own is not record.headers:
        check = claim_check(record.value)
        facts |= {"bytes": check.size, "sha256": check.digest}
    return [*own, *((PREFIX + name, str(fact).encode()) for name, fact in facts.items())]


def keeps_bytes(reason: str) -> bool:
    """Whether a dead letter holds anything of its record. Of personal data not even a hash: all telephone numbers can be tried out."""
    return reason != Reason.PERSONAL_DATA


def dead_letter_body(refused: Refused) -> tuple[bytes | None, bytes | None]:
    """Key and value of a dead letter: null and empty where they are not kept. aiokafka sends no record of two nulls."""
    record = refused.record
    if not keeps_bytes(refused.rejection.reason):
        return None, b""
    key = record.key if has_small_headers(record.key, record.headers) else None
    value = b"" if isinstance(record.value, ClaimCheck) or not is_copied(record.value) else record.value
    return key, b"" if key is None and value is None else value


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
                    headers=[*record.headers, (FORWARDED, b"1"), *self._marks],
                    partition=home,
                    timestamp_ms=record.timestamp,
                )
                for record, home in misrouted
            ]
        )

    async def announce(self, announcements: Iterable[Announcement]) -> None:
        """Write what there is to announce of promises, in order, with the district as key."""
        await self._all(
            [
                await self._producer.send(
                    self._breach_topic,
                    key=each.district.encode(),
                    value=breach_of(each).model_dump_json(exclude_none=True).encode(),
                    headers=[("content-type", STRUCTURED)],
                )
                for each in announcements
            ]
        )

    @staticmethod
    async def _all(sent: "list[asyncio.Future[object]]") -> None:
        for acknowledged in sent:
            await acknowledged
