"""Recovery from a changelog as a real broker leaves it: compacted, with tombstones, with nothing, ahead of the committed offset.

The processor and the changelog are the worker's own, Kafka is real; the rest of the world is `tests.support.durable`.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from deploy.embedded.kafka import Kafka
from events.partition import partition_of
from streams.worker.changelog import Changelog
from tests.support.compaction import cleaning_often, compacted, compacting_changelog
from tests.support.durable import (
    DAY,
    HOUR,
    MINUTE,
    PARTITIONS,
    START,
    WITHIN_S,
    Died,
    Durable,
    Outside,
    at_work,
    count_all,
    event,
    live,
    until,
)

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

DISTRICT = "riverside"
HOME = partition_of(DISTRICT, PARTITIONS)
CASE = b"riverside case-1"


@pytest.fixture(scope="module")
def broker(kafka: Kafka) -> Iterator[str]:
    with cleaning_often(kafka.bootstrap):
        yield kafka.bootstrap


@pytest.fixture
async def changelog(broker: str) -> AsyncIterator[Changelog]:
    async with compacting_changelog(broker, f"compacted-{uuid4().hex[:8]}") as log:
        yield log


class Killed:
    """A changelog whose worker dies as soon as its first records are acknowledged."""

    def __init__(self, log: Changelog) -> None:
        self._log = log
        self.read = log.read

    async def write(self, partition: int, items: Any) -> Any:
        await self._log.write(partition, items)
        raise Died


def history(durable: Durable, first: int = 0, count: int = 8) -> Durable:
    """Cases that grow event by event, two at a time; a late contact takes over the first one."""
    for number in range(first, first + count):
        kind = ("contact", "reply", "resolution", "rating")[number // 2 % 4]
        at = START + number * MINUTE
        data: dict[str, Any] = {"score": 4} if kind == "rating" else {"school": "north"}
        durable.publish(event(kind, number, f"case-{number % 2 + 1}", at, DISTRICT, **data), at, HOME)
    return durable


async def count_with(durable: Durable, changelog: Any, batch: int = 1, **outside: Any) -> None:
    """One worker until all is counted."""
    async with at_work(Outside(durable, **outside), holds=[HOME], changelog=changelog) as (processor, running):
        await until(lambda: processor.ready, running)
        await count_all(durable, processor, running, batch, holds=[HOME])


async def plainly(durable: Durable, **outside: Any) -> Durable:
    """The same log counted by one worker that never dies, with a changelog that keeps everything."""
    plain = Durable(topic=durable.topic)
    async with at_work(Outside(plain, **outside), holds=[HOME]) as (processor, running):
        await count_all(plain, processor, running, holds=[HOME])
    return plain


async def exact(durable: Durable) -> None:
    plain = await plainly(durable)
    for table in ("events", "cases", "windows"):
        assert durable.rows(table) == plain.rows(table)


async def test_a_compacted_changelog(changelog: Changelog) -> None:
    durable = history(Durable())
    await count_with(durable, changelog)
    left = await compacted(changelog, HOME)
    assert sorted(key for key, _ in left if key.startswith(b"riverside")) == [CASE, b"riverside case-2"]

    history(durable, first=8)
    durable.publish(event("contact", "late", "case-1", START - HOUR, DISTRICT, school="south"), START + HOUR, HOME)
    await count_with(durable, changelog)
    await exact(durable)


async def test_a_changelog_that_holds_a_tombstone_and_one_whose_tombstone_is_gone(changelog: Changelog) -> None:
    """The forgotten case is not there any more, and what comes of it then is too late, both before and after compaction."""
    durable = history(Durable(), count=6)
    await count_with(durable, changelog)
    far = START + 102 * DAY
    durable.publish(event("contact", "n", "case-9", far, DISTRICT, school="north"), far, HOME)
    async with at_work(Outside(durable, wall=far, follows=True), holds=[HOME], changelog=changelog) as (processor, running):
        await count_all(durable, processor, running, holds=[HOME])
        await until(lambda: processor.ready and len(processor.partitions[HOME]) == 1, running)
        await processor.revoked(WITHIN_S)

    for _ in range(2):
        durable.publish(event("reply", 2, "case-1", START + 2 * MINUTE, DISTRICT, school="north"), far, HOME)
        async with at_work(Outside(durable, wall=far), holds=[HOME], changelog=changelog) as (processor, running):
            await count_all(durable, processor, running, holds=[HOME])
            assert len(processor.partitions[HOME]) == 1
        left = await compacted(changelog, HOME)
        assert [key for key, _ in left if key.startswith(b"riverside")] == [b"riverside case-9"]
    assert durable.dead_letters == ["too_late", "too_late"]
    assert {row["replies"] for row in durable.rows("cases").values() if row["subject"] == "case-1"} == {1}


async def test_an_empty_changelog_begins_with_the_log(changelog: Changelog) -> None:
    """Nothing was ever written: a new service, or a new changelog topic and a new group beside old rows."""
    durable = history(Durable())
    async with at_work(Outside(durable), holds=[HOME], changelog=changelog) as (processor, running):
        await until(lambda: processor.ready, running)
    assert [items async for items, _ in changelog.read(HOME, 0)] == [[]]
    await live(history(Durable(tables=durable.tables)), 3)
    await count_with(durable, changelog)
    await exact(durable)


async def test_a_changelog_of_which_only_the_clock_is_left(changelog: Changelog) -> None:
    durable = history(Durable(), count=6)
    await count_with(durable, changelog)
    async with at_work(Outside(durable, wall=START + 102 * DAY, follows=True), holds=[HOME], changelog=changelog) as (processor, running):
        await until(lambda: processor.ready and not len(processor.partitions[HOME]), running)
        await processor.revoked(WITHIN_S)  # ends the turn that forgets
    assert [key for key, _ in await compacted(changelog, HOME) if key.startswith(b"riverside")] == []

    async with at_work(Outside(durable, wall=START), holds=[HOME], changelog=changelog) as (processor, running):
        await until(lambda: processor.ready, running)
        assert processor.partitions[HOME].clock == START + 102 * DAY
        assert len(processor.partitions[HOME]) == 0


@pytest.mark.parametrize("between", [False, True], ids=["as it was", "compacted"])
async def test_a_changelog_that_is_ahead_of_the_committed_offset(changelog: Changelog, between: bool) -> None:
    durable = history(Durable())
    await count_with(durable, changelog, batch=3)
    history(durable, first=8)
    before = durable.committed[HOME]
    with pytest.raises(Died):
        await count_with(durable, Killed(changelog), batch=5)
    assert durable.committed[HOME] == before
    if between:
        await compacted(changelog, HOME)

    await count_with(durable, changelog, batch=2)
    await exact(durable)


async def test_a_stopped_and_continued_worker_writes_an_old_record_and_the_topic_is_compacted(changelog: Changelog) -> None:
    """What it had on the wire lands behind newer records; the owner sees it at its next write and writes its own again."""
    durable = history(Durable(), count=2)
    await count_with(durable, changelog, batch=2)
    old = [item async for items, _ in changelog.read(HOME, 0) for item in items if item[0] == CASE]
    history(durable, first=2, count=4)
    async with at_work(Outside(durable), holds=[HOME], changelog=changelog) as (processor, running):
        await count_all(durable, processor, running, holds=[HOME])

        await changelog.write(HOME, old)
        history(durable, first=7, count=1)  # of the other case
        await count_all(durable, processor, running, holds=[HOME])
        await until(lambda: processor.ready, running)

    [(_, kept)] = [item for item in await compacted(changelog, HOME) if item[0] == CASE]
    assert kept != old[-1][1]
    history(durable, first=8)
    await count_with(durable, changelog)
    await exact(durable)


async def test_a_stopped_and_continued_worker_forgets_a_case_that_has_gone_on(changelog: Changelog) -> None:
    """Its tombstone lands behind the record of an event that came meanwhile: for the owner, and for whoever comes after it."""
    durable = history(Durable(), count=6)
    await count_with(durable, changelog)
    far = START + 102 * DAY
    durable.publish(event("rating", "again", "case-1", far, DISTRICT, score=2), far, HOME)
    async with at_work(Outside(durable, wall=far), holds=[HOME], changelog=changelog) as (processor, running):
        await count_all(durable, processor, running, holds=[HOME])
        await changelog.write(HOME, [(CASE, None)])
        durable.publish(event("rating", "more", "case-2", far, DISTRICT, score=2), far, HOME)
        await count_all(durable, processor, running, holds=[HOME])
        await until(lambda: processor.ready, running)
        assert len(processor.partitions[HOME]) == 2
    left = dict(await compacted(changelog, HOME))
    assert CASE in left

    await changelog.write(HOME, [(CASE, None)])
    durable.publish(event("reply", "late", "case-1", far, DISTRICT), far, HOME)
    await count_with(durable, changelog, wall=far)
    [case] = [row for row in durable.rows("cases").values() if row["subject"] == "case-1"]
    assert (case["replies"], case["rating"], case["contacts"]) == (2, 0.25, 1)


async def test_a_recovery_tells_how_far_it_is(changelog: Changelog) -> None:
    told: list[tuple[int, int, int]] = []
    watched = Changelog(changelog.topic, changelog._producer, changelog._consumer, lambda *progress: told.append(progress))
    await changelog.write(HOME, [(CASE, b"x")] * 500)
    assert sum([len(items) async for items, _ in watched.read(HOME, 100)]) == 400
    assert told[0] == (HOME, 0, 400)
    assert told[-1] == (HOME, 400, 400)
    assert told == sorted(told)
