"""What the changelog writes is looked at before it is sent: a record that does not fit is told with its case."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator

from streams.kafka.topics import STATE_BATCH_BYTES
from streams.terminal.outcome import ExitCode, outcome_of
from streams.worker.changelog import LARGEST_RECORD, Changelog, Oversized

KEY = b"riverside case-1"


class Broker:
    """A producer whose broker takes batches of so many bytes."""

    def __init__(self, takes: int = STATE_BATCH_BYTES) -> None:
        self.takes = takes
        self.sent: list[int] = []

    def create_batch(self) -> BatchBuilder:
        return MessageAccumulator(None, 900_000, 0, 30, loop=asyncio.get_running_loop()).create_builder()

    async def send_batch(self, batch: BatchBuilder, _topic: str, *, partition: int) -> "asyncio.Future[Any]":
        assert partition == 1
        acknowledged = asyncio.get_running_loop().create_future()
        batch.close()
        if batch.size() > self.takes:
            acknowledged.set_exception(MessageSizeTooLargeError())
        else:
            acknowledged.set_result(type("Acknowledged", (), {"offset": sum(self.sent)}))
            self.sent.append(batch.record_count())
        return acknowledged


def changelog(broker: Any) -> Changelog:
    return Changelog("changelog", broker, lambda: pytest.fail("nothing is read"))


async def test_the_largest_record_that_is_let_through_fits_in_the_topic() -> None:
    broker = Broker()
    spans = await changelog(broker).write(1, [(b"a b", b"1"), (KEY, bytes(LARGEST_RECORD - len(KEY))), (b"a c", None)])
    assert broker.sent == [1, 1, 1]
    assert [(span.first, span.after) for span in spans] == [(0, 1), (1, 2), (2, 3)]


async def test_a_larger_one_is_not_sent_and_named() -> None:
    broker = Broker()
    with pytest.raises(Oversized, match=r"case case-1 of district riverside has 2,096,129 bytes"):
        await changelog(broker).write(1, [(KEY, bytes(LARGEST_RECORD - len(KEY) + 1))])
    assert broker.sent == []


async def test_where_the_topic_takes_less_the_largest_is_named() -> None:
    with pytest.raises(Oversized, match=r"case case-1 of district riverside has 1,200,016 bytes.* max\.message\.bytes"):
        await changelog(Broker(takes=1_048_588)).write(1, [(b"a b", b"1"), (KEY, bytes(1_200_000))])


def test_it_is_nothing_to_start_again_for() -> None:
    outcome = outcome_of(Oversized("changelog", KEY, b""))
    assert outcome is not None
    assert outcome.code == ExitCode.REFUSED
    assert "frontdesk rebuild --from log" in outcome.message
