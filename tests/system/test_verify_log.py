"""Offsets without a record: markers of transactions and what was taken back are told from what is not there."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from streams.audit.committed import NotCommitted, until_committed
from streams.kafka.client import client_options
from streams.kafka.log_reader import LogReader
from streams.settings import Settings
from tests.support.workers import fresh_settings

pytestmark = pytest.mark.embedded


async def transactions(settings: Settings) -> None:
    """Offsets 0 and 1 plain; 2 to 4 and a marker; 6 and 7 taken back, and a marker; 9 plain."""
    plain = AIOKafkaProducer(**client_options(settings))
    transactional = AIOKafkaProducer(**client_options(settings), transactional_id=settings.group)
    await plain.start()
    await transactional.start()
    try:
        for value in (b"0", b"1"):
            await plain.send_and_wait(settings.topic, value, partition=0)
        async with transactional.transaction():
            for value in (b"2", b"3", b"4"):
                await transactional.send(settings.topic, value, partition=0)
        await transactional.begin_transaction()
        for value in (b"6", b"7"):
            await transactional.send_and_wait(settings.topic, value, partition=0)
        await transactional.abort_transaction()
        await until_end(settings, 9)  # the marker is written after the answer
        await plain.send_and_wait(settings.topic, b"9", partition=0)
    finally:
        await transactional.stop()
        await plain.stop()


async def until_end(settings: Settings, offset: int) -> None:
    async with LogReader(settings, 1) as reader, asyncio.timeout(20):
        while (await reader.marks())[0].end < offset:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.05)


def test_markers_are_told_from_holes(kafka: Kafka, clickhouse: ClickHouseServer) -> None:
    settings = fresh_settings("verify_log", kafka, clickhouse, partitions=1)

    async def read() -> tuple[list[int], list[int], list[int]]:
        await transactions(settings)
        async with LogReader(settings, 1) as reader:
            [marks] = await reader.marks()
            assert (marks.first, marks.committed, marks.end) == (0, 0, 10)
            seen = [record.offset async for records in reader.records(0, 0, 10) for record in records]
            return seen, await reader.missing(0, [(5, 9)]), await reader.missing(0, [(0, 2), (5, 6)])

    seen, missing, as_if_missing = asyncio.run(read())
    assert seen == [0, 1, 2, 3, 4, 9]
    assert missing == []
    assert as_if_missing == [0, 1], "where neither marker nor transaction is, it counts as a hole"


def test_rows_of_what_nobody_commits_are_not_waited_for_without_end(kafka: Kafka, clickhouse: ClickHouseServer) -> None:
    settings = fresh_settings("verify_unsettled", kafka, clickhouse, partitions=1)

    async def ask() -> None:
        async with AIOKafkaProducer(**client_options(settings)) as producer:
            await producer.send_and_wait(settings.topic, b"0", partition=0)
        await until_committed(settings, {}, 1)
        with pytest.raises(NotCommitted, match="partition 0 has rows up to offset 0, but is committed only up to 0"):
            await until_committed(settings, {0: 5}, 1, within_s=0.1)

    asyncio.run(ask())
