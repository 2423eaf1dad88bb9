"""The log from its first record: it is another one (made again, or with more partitions), or the workers' state of it is lost.

Offsets, the changelog and the group's place are void then. So a worker, the usual one, counts the new log from its first
record into the tables beside, under the next epoch, with a changelog of that epoch's own. That is exact and can be interrupted for the
reasons for which a worker is exact and can be interrupted; the workers that start after the switch go on where it ended. What only
the old archive has can be sent to the topic again, as backfill.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from clickhouse_driver import Client

from events.exit_code import ExitCode
from events.kinds import rewritten
from sinks.clickhouse.archive import districts, lacking
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.dead_letters import accept, accepted
from sinks.clickhouse.staging import begin_epoch
from streams.kafka import STRUCTURED_BACKFILL, Backlog, Publisher, backlog, begin_again, ensure_changelog
from streams.rebuild.journal import Journal
from streams.settings import Settings
from streams.worker.breaker import Flood
from streams.worker.process import run_beside
from streams.worker.processor import Processor

ASKED_EVERY_S: Final = 0.5


class Stands(Exception):
    """A flood of refused records: a person has to look at it."""

    exit_code = ExitCode.REFUSED


class Interrupted(Exception):
    """The worker was asked to stop before it was done."""

    exit_code = ExitCode.INTERRUPTED


def introduce(journal: Journal, server: ClickHouse, settings: Settings, partitions: int) -> None:
    """Once: let the group begin at the first record, and let the tables beside belong to the new log."""
    begun = journal.now
    asyncio.run(ensure_changelog(settings, begun.epoch, partitions))
    if begun.read_to:
        return
    asyncio.run(begin_again(settings, partitions))
    with server.connect() as client, replace(server, database=begun.database).connect() as beside:
        begin_epoch(beside, begun.epoch, begun.topic_id, partitions)
        _pass_what_was_passed(client, beside, begun.topic_id)
    journal.note(read_to=[0] * partitions)


def _pass_what_was_passed(client: Client, beside: Client, topic_id: str) -> None:
    """Floods that people let pass in this topic."""
    for partition, until in accepted(client, topic_id).items():
        accept(beside, topic_id, partition, until)


def count(journal: Journal, settings: Settings, advance: Callable[[Backlog], None]) -> None:
    """Run a worker on the tables beside until it has counted what the log held a moment ago. Raises `Stands` or `Interrupted`."""
    ended: list[bool] = []

    async def until_done(processor: Processor) -> None:
        await _until_counted(processor, settings, journal, advance)
        ended.append(True)

    run_beside(settings.model_copy(update={"clickhouse_database": journal.now.database, "metrics_port": 0}), until_done)
    if not ended:
        raise Interrupted


async def _until_counted(processor: Processor, settings: Settings, journal: Journal, advance: Callable[[Backlog], None]) -> None:
    """Twice up to the end: what was sent on to its right partition in the first round is before the end of the second."""
    for _ in range(2):
        held = await backlog(settings)
        while not (state := await backlog(settings)).has_counted(held):
            advance(state)
            await asyncio.to_thread(journal.beat)
            if processor.floods:
                raise Stands(_advice(processor.floods[0], journal.now.database))
            await asyncio.sleep(ASKED_EVERY_S)


async def send_again(client: Client, database: str, settings: Settings, advance: Callable[[int], None]) -> int:
    """Send to the topic what only the old archive has, as backfill. Returns how many events; sent twice they count once."""
    async with Publisher(settings) as publisher:
        for done, (district, _) in enumerate(districts(client), 1):
            for subject, event in await asyncio.to_thread(lacking, client, database, district):
                await publisher.send(district, rewritten(district, subject, event), STRUCTURED_BACKFILL)
            advance(done)
    return publisher.sent


def _advice(flood: Flood, database: str) -> str:
    return (
        f"{flood}. Look at them with FRONTDESK_CLICKHOUSE_DATABASE={database} frontdesk dead-letters list; to let them pass, use "
        "`frontdesk dead-letters accept` with the same variable, then rebuild again: it goes on from here"
    )
