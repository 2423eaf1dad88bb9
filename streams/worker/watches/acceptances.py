"""How a worker learns that people let a flood pass: a row in ClickHouse, asked for while a partition stands.

A row outlives workers and needs no address of one: whichever holds the partition, now or after a restart, finds it.
"""

import asyncio
from functools import partial
from typing import Final

import structlog

from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.dead_letters import accepted
from sinks.clickhouse.retry import until_answered
from streams.worker.processor import Processor

ASKED_EVERY_S: Final = 2.0

log = structlog.get_logger("acceptance")


async def follow_acceptances(processor: Processor, server: ClickHouse, topic_id: str) -> None:
    """Until cancelled: tell the processor what was accepted. An outage of ClickHouse passes; another error of it is raised."""
    while True:
        await asyncio.sleep(ASKED_EVERY_S)
        if processor.floods:
            known = await until_answered(
                partial(_accepted, server, topic_id), lambda _, failure: log.warning("acceptances are asked for again", why=str(failure))
            )
            for partition, until in known.items():
                processor.accept(partition, until)


def _accepted(server: ClickHouse, topic_id: str) -> dict[int, int]:
    with server.connect() as client:
        return accepted(client, topic_id)
