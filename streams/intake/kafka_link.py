"""The way to Kafka: one idempotent producer with acks=all, made again whenever it is lost.

The intake starts and answers while Kafka is away; it says 503 then. A producer that is idempotent never gives up a batch by
itself, so an event whose acknowledgement did not come in time may still arrive: it is told as not known, and its bytes stay
claimed until the producer has let go of them.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from events.exit_code import ExitCode
from events.personal_data import Allows
from streams.intake.memory_budget import Claim
from streams.intake.problem import Problem, Refusal
from streams.intake.validation import OutgoingRecord, Validator
from streams.kafka import STRUCTURED, idempotent_producer, topic_identity
from streams.settings import Settings

ACKNOWLEDGED_WITHIN_S: Final = 10.0
ASKED_EVERY_S: Final = 2.0
ANSWER_WITHIN_S: Final = 5.0
AGAIN_AFTER_S: Final = 1.0
STOPPED_WITHIN_S: Final = 5.0
BATCH_BYTES: Final = 512 * 1024
RETRY_AFTER_S: Final = 5

log = structlog.get_logger("intake")


class AcknowledgedAt(NamedTuple):
    """Where an acknowledged event is."""

    partition: int
    offset: int


class ProducerLost(Exception):
    """The producer cannot go on; another one can."""

    exit_code = ExitCode.UNAVAILABLE


class KafkaLink:
    """`run` keeps it up; `validator` is there once the topic is known; `away` says why nothing can be sent."""

    def __init__(self, settings: Settings, allows: Allows) -> None:
        """`allows` is the directory's; it may be exchanged while the link is up."""
        self.allows = allows
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._judge: Validator | None = None
        self.away: str | None = "Kafka has not answered yet"

    def validator(self) -> Validator:
        """For the topic as it is. Raises `Problem` while Kafka is away."""
        if self.away is not None or self._judge is None:
            raise _away(self.away or "")
        return self._judge

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with self._producing():
                    await self._watch()
            except (KafkaError, ProducerLost, OSError, TimeoutError) as failure:
                self._is_away(f"{type(failure).__name__}: Kafka cannot be reached, or does not let us in")
                log.warning("Kafka is away", why=str(failure) or type(failure).__name__)
            await asyncio.sleep(AGAIN_AFTER_S)

    async def send(self, records: Sequence[OutgoingRecord], claim: Claim) -> list[AcknowledgedAt | None]:
        """Where each record is, in their order; None where that is not known."""
        producer, sent = self._producer, list[asyncio.Future[RecordMetadata]]()
        if producer is None:
            raise _away("the connection was just lost")
        with suppress(TimeoutError, KafkaError):  # whatever became of each record is read from its future
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
                for record in records:
                    sent.append(await self._hand_over(producer, record))
                await asyncio.wait(sent)
        self._watch_over([future for future in sent if not future.done()], claim)
        return [_place(future) for future in sent] + [None] * (len(records) - len(sent))

    async def _hand_over(self, producer: AIOKafkaProducer, record: OutgoingRecord) -> "asyncio.Future[RecordMetadata]":
        future: asyncio.Future[RecordMetadata] = await producer.send(
            self._settings.topic,
            value=record.value,
            key=record.key,
            partition=record.partition,
            timestamp_ms=record.timestamp,
            headers=STRUCTURED,
        )
        return future

    def _watch_over(self, pending: "Sequence[asyncio.Future[RecordMetadata]]", claim: Claim) -> None:
        """Keep the claim of what the producer still holds."""
        if pending:
            claim.keep()
            gathered = asyncio.gather(*pending, return_exceptions=True)
            gathered.add_done_callback(lambda _: claim.let_go())
            self._is_away("Kafka has not acknowledged in time")

    @asynccontextmanager
    async def _producing(self) -> AsyncIterator[None]:
        identity = await topic_identity(self._settings, self._settings.topic)
        producer = idempotent_producer(self._settings, BATCH_BYTES, 2 * BATCH_BYTES)
        try:
            await producer.start()
            self._judge, self._producer = Validator(identity.partitions, self._allowed), producer
            self._is_there()
            log.info("Kafka is there", topic=self._settings.topic, partitions=identity.partitions)
            yield
        finally:
            self._producer = None
            with suppress(TimeoutError):  # what is left was told as not known
                async with asyncio.timeout(STOPPED_WITHIN_S):
                    await producer.stop()

    async def _watch(self) -> None:
        """Ask for the metadata from time to time, for nobody else tells that Kafka is back. Raises where the producer is lost."""
        while True:
            await asyncio.sleep(ASKED_EVERY_S)
            producer = self._producer
            if producer is None or producer._sender.sender_task.done():  # noqa: SLF001 - nothing public tells it
                raise ProducerLost("the producer has ended")
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    answered = await producer.client.force_metadata_update()
            except TimeoutError:
                answered = False
            if answered:
                self._is_there()
            else:
                self._is_away("Kafka does not answer")

    def _allowed(self, district: str, member: str, text: str) -> bool:
        return self.allows(district, member, text)

    def _is_there(self) -> None:
        self.away = None

    def _is_away(self, why: str) -> None:
        if self.away is None:
            log.warning("Kafka is away", why=why)
        self.away = why


def _place(future: "asyncio.Future[RecordMetadata]") -> AcknowledgedAt | None:
    """None where it is not acknowledged, failed, or where the broker has forgotten the offset of a repeated batch."""
    if not future.done() or future.cancelled() or future.exception() is not None:
        return None
    metadata = future.result()
    return AcknowledgedAt(metadata.partition, metadata.offset) if metadata.offset >= 0 else None


def _away(why: str) -> Problem:
    return Problem(Refusal.KAFKA_AWAY, f"nothing can be taken just now: {why}", retry_after_s=RETRY_AFTER_S, closes=True)
