"""Whether the group's offset follows on what the state of a partition knows.

The breaker judges every record and its memory goes to the changelog with the state of the same records, before the offset is
committed. So the state knows at least as much as the offset says, or records are in no state: the changelog lost some, or was made
anew, or somebody set the offset forward. Transactions' markers and what a publisher took back are offsets too, but no records;
so where the two differ the topic is asked what lies between. Nothing is read where all is well.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from events.exit_code import ExitCode

log = structlog.get_logger("continuity")


class StateMissing(Exception):
    """Records were passed over: they are in no state, and would never be counted."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Continuity:
    """Asks one topic. `consumer` opens a consumer without a group; `has_offset` tells whether the group has committed in a partition."""

    topic: str
    consumer: Callable[[], AbstractAsyncContextManager[AIOKafkaConsumer]]
    has_offset: Callable[[int], Awaitable[bool]]

    async def check(self, partition: int, known_to: int, start: int) -> None:
        """Raise `StateMissing` if there are, or were, records from `known_to` up to and without `start`."""
        if known_to >= start:
            return
        first, found = await self._look(partition, known_to, start)
        if found is not None:
            raise StateMissing(
                f"the group stands at offset {start} of {self.topic} partition {partition}, but what the changelog knows of it "
                f"ends at {known_to}: the records at offsets {found} to {start - 1} are in the topic and would not be counted. "
                f"If the group's offset was set forward, set it back to {known_to} with kafka-consumer-groups --reset-offsets; "
                "if the changelog lost records, `frontdesk rebuild --from log` computes the state again"
            )
        if first > known_to > 0:
            await self._gone(partition, known_to, first)

    async def _gone(self, partition: int, known_to: int, first: int) -> None:
        """They are not in the topic any more. Whoever set the offset beyond them knows; where the group has none, nobody does."""
        where, offsets = f"{self.topic} partition {partition}", f"{known_to} to {first - 1}"
        if not await self.has_offset(partition):
            raise StateMissing(
                f"the records at offsets {offsets} of {where} were deleted before they were counted, and the group has no offset "
                "there any more. Let their publishers send them again; then `frontdesk rebuild --from log+events`, or, to go on without "
                f"them, set the group's offset of that partition to {first} with kafka-consumer-groups --reset-offsets"
            )
        log.error(
            "records were deleted before they were counted, and the group's offset was set beyond them",
            where=where,
            offsets=offsets,
            next="`frontdesk verify` shows what the tables hold",
        )

    async def _look(self, partition: int, known_to: int, start: int) -> tuple[int, int | None]:
        """The topic's first offset, and that of the first record from `known_to` up to and without `start`."""
        tp = TopicPartition(self.topic, partition)
        async with self.consumer() as consumer:
            consumer.assign([tp])
            first: int = (await consumer.beginning_offsets([tp]))[tp]
            consumer.seek(tp, max(known_to, first))
            while await consumer.position(tp) < start:
                for record in (await consumer.getmany(tp, timeout_ms=500, max_records=1)).get(tp, ()):
                    return first, record.offset if record.offset < start else None
        return first, None
