"""A processor that is given another directory while it works, and dies anywhere: what is left is as if it had always been so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from events.directory import DEFAULT, Directory
from streams.worker.processor import Processor
from tests.unit.test_processor import PARTITIONS, Died, Durable, Fetched, Outside, topic, until

ANOTHER = Directory.parse(DEFAULT.content.replace("8 business hours", "3 business hours").replace('"revision":0', '"revision":5'))


@asynccontextmanager
async def at_work(outside: Outside, directory: Directory) -> AsyncIterator[tuple[Processor, "asyncio.Task[None]"]]:
    processor = Processor(
        directory=directory,
        partitions=PARTITIONS,
        topic_id="",
        epoch=1,
        rows=outside,  # type: ignore[arg-type] # a stand-in with the same methods
        changelog=outside,  # type: ignore[arg-type] # as above
        outbox=outside,  # type: ignore[arg-type] # as above
        assignment=outside,  # type: ignore[arg-type] # as above
        clock=outside,
        follow_wall=True,
        meter=outside,  # type: ignore[arg-type] # as above
    )
    running = asyncio.create_task(processor.run())
    await processor.assigned(range(PARTITIONS), 1)
    try:
        yield processor, running
    finally:
        running.cancel()
        await asyncio.wait({running})


async def live(durable: Durable, directory: Directory, adopted: Directory | None = None, dies_at: int = 10**9) -> None:
    """One worker until all is folded; half-way through it is given another directory. Or until it dies."""
    async with at_work(Outside(durable, dies_at), directory) as (processor, running):
        for half in (1, 2):
            ends = {p: len(log) * half // 2 for p, log in durable.topic.items()}
            for p, end in ends.items():
                records = durable.topic[p][durable.committed[p] : end]
                if records:
                    await processor.take(Fetched(durable, p, records))
            await until(lambda ends=ends: all(durable.committed[p] >= ends[p] for p in ends), running)  # type: ignore[misc]
            if adopted is not None:
                processor.adopt(adopted)
        await until(lambda: adopted is None or is_under(durable, adopted), running)


def is_under(durable: Durable, directory: Directory) -> bool:
    return {row["directory_revision"] for row in durable.rows("cases").values()} == {directory.revision}


@pytest.fixture(scope="module")
def always_so() -> Durable:
    durable = topic()
    asyncio.run(live(durable, ANOTHER))
    return durable


def same(durable: Durable, other: Durable) -> None:
    for table in ("cases", "windows"):
        assert durable.rows(table) == other.rows(table)


def test_the_other_directory_moves_deadlines(always_so: Durable) -> None:
    durable = topic()
    asyncio.run(live(durable, DEFAULT))
    due = [{key: row["response_due_at"] for key, row in each.rows("cases").items()} for each in (durable, always_so)]
    assert due[0].keys() == due[1].keys()
    assert due[0] != due[1]


async def test_what_is_adopted_half_way_is_as_if_it_had_always_been_so(always_so: Durable) -> None:
    durable = topic()
    await live(durable, DEFAULT, ANOTHER)
    same(durable, always_so)


@pytest.mark.parametrize("dies_at", range(1, 20))
async def test_a_worker_that_dies_while_it_restates_leaves_nothing_wrong(dies_at: int, always_so: Durable) -> None:
    durable = topic()
    with contextlib.suppress(Died):  # the last of these deeds come only when turns are cut so
        await live(durable, DEFAULT, ANOTHER, dies_at)
    await live(durable, ANOTHER)
    same(durable, always_so)


async def test_a_processor_that_is_woken_and_cancelled_at_once_ends() -> None:
    async with at_work(Outside(topic()), DEFAULT) as (processor, running):
        await until(lambda: processor.ready, running)
        await asyncio.wait({running}, timeout=0.05)  # until it sleeps
        processor.adopt(ANOTHER)
        running.cancel()
        done, _ = await asyncio.wait({running}, timeout=5)
        assert done == {running}


async def test_what_is_recovered_later_is_under_it_too() -> None:
    async with at_work(Outside(topic()), DEFAULT) as (processor, running):
        await processor.assigned([0], 2)
        await until(lambda: processor.ready, running)
        processor.adopt(ANOTHER)
        await until(lambda: processor.partitions[0].store.directory is ANOTHER, running)
        await processor.assigned([0, 1], 3)
        await until(lambda: processor.ready, running)
        assert processor.partitions[1].store.directory is ANOTHER
