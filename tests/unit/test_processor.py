"""The processor's order of writing: whatever step a worker dies at, the next one ends with the same rows."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from events.partition import partition_of
from streams.worker.changelog import ChangelogRestarted
from tests.support.durable import HOUR, PARTITIONS, START, Died, Durable, Fetched, Outside, at_work, event, live, until


@dataclass
class Asked:
    """In place of the question whether state and offset fit together."""

    questions: list[tuple[int, int, int]] = field(default_factory=list)

    async def check(self, partition: int, known_to: int, start: int) -> None:
        self.questions.append((partition, known_to, start))


def history() -> Iterator[tuple[bytes, int, str]]:
    """Two districts; a late contact moves an episode to another school; a duplicate; a record that is no JSON."""
    for number in range(24):
        district, case, at = ("riverside", "hillside")[number % 2], f"case-{number % 5}", START + number * HOUR
        kind = ("contact", "reply", "contact", "resolution", "rating")[number % 5]
        data: dict[str, Any] = {"score": 4} if kind == "rating" else {}
        if kind == "contact":
            data = {"school": f"school-{number % 3}", "department": "office", "stakeholder": f"s-{number % 4}"}
        yield event(kind, number, case, at, district, **data), at, district
    yield event("contact", 100, "case-0", START - HOUR, "riverside", school="north", department="office"), START + 25 * HOUR, "riverside"
    yield event("reply", 1, "case-1", START + HOUR, "hillside"), START + 26 * HOUR, "hillside"
    yield b"not json", START + 26 * HOUR, "hillside"


def topic(misroute: bool = False) -> Durable:
    durable = Durable()
    for value, timestamp, district in history():
        home = partition_of(district, PARTITIONS)
        durable.publish(value, timestamp, (home + 1) % PARTITIONS if misroute and timestamp % (3 * HOUR) == 0 else home)
    return durable


@pytest.fixture(scope="module")
def undisturbed() -> Durable:
    durable = topic()
    asyncio.run(live(durable, batch=4))
    return durable


def test_two_districts_are_in_two_partitions() -> None:
    assert partition_of("riverside", PARTITIONS) != partition_of("hillside", PARTITIONS)


@pytest.mark.parametrize("dies_at", range(1, 60, 3))
async def test_a_worker_that_dies_anywhere_leaves_nothing_wrong(dies_at: int, undisturbed: Durable) -> None:
    durable = topic()

    with pytest.raises(Died):
        await live(durable, batch=3, dies_at=dies_at % 27 + 1)
    await live(durable, batch=5)

    for table in ("events", "cases", "windows"):
        assert durable.rows(table) == undisturbed.rows(table)
    assert set(durable.dead_letters) == {"not_json"}


async def test_a_record_in_the_wrong_partition_is_sent_on_and_counted_once(undisturbed: Durable) -> None:
    durable = topic(misroute=True)

    await live(durable, batch=4)

    facts = {k: r["contacts"] for k, r in durable.rows("cases").items()}
    assert facts == {k: r["contacts"] for k, r in undisturbed.rows("cases").items()}


async def test_batches_do_not_matter(undisturbed: Durable) -> None:
    durable = topic()

    await live(durable, batch=1)

    assert durable.rows("cases") == undisturbed.rows("cases")


async def test_a_recovered_partition_is_asked_whether_its_state_fits_the_offset(undisturbed: Durable) -> None:
    """The state knows of every record before the committed offset, bad ones included; a lost changelog knows of none."""
    asked, ends = Asked(), [undisturbed.committed[p] for p in range(PARTITIONS)]
    async with at_work(Outside(undisturbed), continuity=asked) as (_, running):
        await until(lambda: len(asked.questions) == PARTITIONS, running)
    assert asked.questions == [(p, ends[p], ends[p]) for p in range(PARTITIONS)]
    asked.questions.clear()
    async with at_work(Outside(replace(undisturbed, changelog=defaultdict(list))), continuity=asked) as (_, running):
        await until(lambda: len(asked.questions) == PARTITIONS, running)
    assert asked.questions == [(p, 0, ends[p]) for p in range(PARTITIONS)]


class Stubborn(Outside):
    """A rim whose rows cannot be stopped half-way, as a thread cannot; it holds its partitions under the newest epoch only."""

    def __init__(self, durable: Durable) -> None:
        super().__init__(durable)
        self.epoch = 1
        self.writing, self.let_go = asyncio.Event(), asyncio.Event()

    async def _write_rows(self, tables: dict[str, list[list[Any]]]) -> None:
        self.writing.set()
        while not self.let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.let_go.wait()
        await super()._write_rows(tables)

    def holds(self, _partition: int, epoch: int) -> bool:
        return epoch == self.epoch


async def test_a_batch_of_an_assignment_before_writes_nothing_under_the_one_that_follows() -> None:
    #  epoch 1: rows are on their way --- revoke, not settled in time --- epoch 2: the same partitions --- the rows have landed
    durable = topic()
    outside = Stubborn(durable)
    async with at_work(outside) as (processor, running):
        await processor.take(Fetched(durable, 0, durable.topic[0]))
        await outside.writing.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await processor.revoked(0.01)
        outside.epoch = 2
        await processor.assigned(range(PARTITIONS), 2)
        outside.let_go.set()
        await until(lambda: processor.ready and processor._batch is not None and processor._batch.done(), running)
        assert not any(durable.changelog.values())
        assert not any(durable.committed.values())
        await processor.take(Fetched(durable, 0, durable.topic[0], epoch=2))
        await until(lambda: durable.committed[0] == len(durable.topic[0]), running)
    assert durable.changelog[0]


class Interrupted(Outside):
    """A rim that ends the worker in the middle of a recovery, while the changelog has a consumer open."""

    def __init__(self, durable: Durable) -> None:
        super().__init__(durable)
        self.reading: list[AsyncGenerator[Any, None]] = []

    def read(self, partition: int, start: int) -> AsyncGenerator[tuple[list[tuple[bytes, bytes | None]], int], None]:
        self.reading.append(super().read(partition, start))  # kept, so that nothing but a close ends it
        return self.reading[-1]

    def beat(self) -> None:
        raise Died("in the middle of the recovery")


async def test_a_recovery_that_fails_closes_the_changelogs_consumer() -> None:
    outside = Interrupted(topic())
    async with at_work(outside) as (_, running):
        with pytest.raises(Died):
            await until(lambda: False, running)
    assert [reading.ag_frame for reading in outside.reading] == [None]


async def test_a_changelog_that_begins_again_stops_the_worker(undisturbed: Durable) -> None:
    """What is written then makes the new one look like a state, which it is not."""
    durable = replace(undisturbed, topic=defaultdict(list, undisturbed.topic), changelog=defaultdict(list, undisturbed.changelog))
    async with at_work(Outside(durable)) as (processor, running):
        await until(lambda: processor.ready, running)
        durable.changelog.clear()
        await processor.take(Fetched(durable, 0, durable.topic[0][:1]))
        await processor.take(Fetched(durable, 1, durable.topic[1][:1]))
        with pytest.raises(ChangelogRestarted, match="goes on at 0: it was made anew or emptied"):
            await until(lambda: False, running)


async def test_rows_ahead_of_a_dead_workers_clock_do_not_hide_later_ones() -> None:
    #  11:00 contact      12:00 it leaves the last hour; the worker writes that row and dies before it has written down its clock
    #                     a record of 11:59:59 arrives at the next worker, whose changelog knows of 11:00 only
    noon = START - START % HOUR
    durable = topic_of_one(noon - HOUR)
    [partition] = [p for p in range(PARTITIONS) if durable.topic[p]]
    with pytest.raises(Died):
        await live_until_noon(durable, partition, noon)
    assert durable.rows("windows").get(NORTH) is None
    durable.publish(event("contact", 2, "case-2", noon - 1_000, "riverside", school="north"), noon - 1_000, partition)

    async with at_work(Outside(durable, wall=noon)) as (processor, running):
        await processor.take(Fetched(durable, partition, durable.topic[partition][1:]))
        await until(lambda: durable.committed[partition] == len(durable.topic[partition]), running)

    assert durable.rows("windows")[NORTH]["contact_n"] == 1


NORTH = ("riverside", "school", "north", "", "1h")


async def live_until_noon(durable: Durable, partition: int, noon: int) -> None:
    outside = Outside(durable, wall=noon - HOUR)
    async with at_work(outside) as (processor, running):
        await processor.take(Fetched(durable, partition, durable.topic[partition]))
        await until(lambda: durable.committed[partition] == 1, running)
        outside.follows, outside.wall, outside.dies_at = True, noon, outside.deeds + 3
        await until(lambda: False, running)


def topic_of_one(at: int) -> Durable:
    durable = Durable()
    durable.publish(event("contact", 1, "case-1", at, "riverside", school="north"), at, partition_of("riverside", PARTITIONS))
    return durable


async def test_every_window_is_written_again_where_the_tables_were_switched() -> None:
    durable = topic()
    async with at_work(Outside(durable)) as (processor, running):
        for p in range(PARTITIONS):
            await processor.take(Fetched(durable, p, durable.topic[p]))
        await until(lambda: all(durable.committed[p] == len(durable.topic[p]) for p in range(PARTITIONS)), running)
        before = durable.rows("windows")
        durable.tables["windows"].clear()
        processor.write_windows_again()
        await until(lambda: durable.rows("windows") == before, running)
