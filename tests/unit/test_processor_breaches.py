"""The processor's word on promises: whatever step a worker dies at, in the end everybody has been told the same."""

import asyncio
from typing import Any

import pytest

from events.directory import DEFAULT
from events.partition import partition_of
from tests.oracles.plain_breaches import last_words, plain_words
from tests.support.durable import HOUR, MINUTE, PARTITIONS, Died, Durable, Fetched, Outside, at_work, event, until

MONDAY = 1_789_999_200_000
"""A Monday, 9:00 in Chicago: an hour after the default directory opens."""
RIVERSIDE = partition_of("riverside", PARTITIONS)


def history() -> Durable:
    """A day of one district: answers in time, late, late on their way, and none at all."""
    told = [
        (0, 0, "contact", "kept", {"priority": "critical", "department": "nursing"}),
        (0, 0, "contact", "late", {"priority": "critical"}),
        (1, 1, "contact", "lost", {"priority": "critical", "school": "north"}),
        (1, 1, "contact", "never", {"priority": "critical"}),
        (30, 30, "reply", "kept", {}),
        (97, 97, "contact", "thanks", {"needs_reply": False}),
        (119, 119, "contact", "other", {}),
        (130, 130, "reply", "late", {}),
        (90, 140, "reply", "lost", {}),
        (141, 141, "contact", "after", {}),
        (150, 150, "resolution", "late", {}),
        (290, 290, "contact", "later", {}),
    ]
    durable = Durable()
    for number, (minute, arrives, kind, subject, data) in enumerate(told):
        at = MONDAY + minute * MINUTE
        durable.publish(event(kind, number, subject, at, "riverside", **data), MONDAY + arrives * MINUTE, RIVERSIDE)
    return durable


async def live(durable: Durable, batch: int, dies_at: int = 10**9, lag: int = 0) -> None:
    """One worker to the end of the log, or until it dies; its wall clock is `lag` ms ahead of what it fetches."""
    outside = Outside(durable, dies_at, wall=MONDAY)
    async with at_work(outside) as (processor, running):
        position = durable.committed[RIVERSIDE]
        while position < len(durable.topic[RIVERSIDE]):
            records = durable.topic[RIVERSIDE][position : position + batch]
            outside.wall = records[-1].timestamp + lag
            await processor.take(Fetched(durable, RIVERSIDE, records))
            position += len(records)
            await until(lambda position=position: durable.committed[RIVERSIDE] >= position, running)  # type: ignore[misc] # bound as it is now


def reference(durable: Durable) -> dict[Any, str]:
    """From the rules alone."""
    from streams.sorting import Sorter  # noqa: PLC0415 - only here

    entries = Sorter(PARTITIONS).sort(RIVERSIDE, durable.topic[RIVERSIDE]).entries
    return plain_words(entries, durable.topic[RIVERSIDE][-1].timestamp, DEFAULT)


def test_the_story_has_all_that_can_be_said() -> None:
    words = reference(history())
    assert {
        (subject, target, stage, word) for _, subject, _, _, target, stage, _, word in ((*name, word) for name, word in words.items())
    } >= {
        ("late", "response", "breach", "cleared"),
        ("lost", "response", "breach", "withdrawn"),
        ("never", "response", "breach", "raised"),
        ("never", "response", "warning", "raised"),
    }
    assert not [name for name in words if name[1] == "kept"]


@pytest.mark.parametrize("batch", [1, 3])
async def test_undisturbed_it_says_what_the_rules_say(batch: int) -> None:
    durable = history()
    await live(durable, batch)
    assert last_words(durable.said) == reference(durable)


@pytest.mark.parametrize("batch", [1, 2, 3])
async def test_a_worker_that_dies_anywhere_leaves_no_word_unsaid(batch: int) -> None:
    deaths = 0
    for dies_at in range(1, 200):
        durable = history()
        try:
            await live(durable, batch, dies_at)
        except Died:
            deaths += 1
        await live(durable, batch + 2)
        assert last_words(durable.said) == reference(durable), f"after a death at deed {dies_at}"
        if dies_at > deaths:  # it came to the end
            break
    assert deaths > 20


async def test_a_word_is_in_the_topic_before_the_state_that_knows_of_it() -> None:
    #  every deed is one of: rows, words, changelog; the worker dies right after the words of a turn
    for dies_at in range(1, 200):
        durable = history()
        with_words = len(durable.said)
        try:
            await live(durable, 1, dies_at)
        except Died:
            if len(durable.said) > with_words:
                written = len(durable.changelog[RIVERSIDE])
                await live(durable, 1)
                assert len(durable.changelog[RIVERSIDE]) > written
                return
    raise AssertionError("nothing was ever said")


@pytest.mark.parametrize("dies_at", [5, 12, 20, 27])
async def test_a_replay_of_old_times_says_nothing_also_when_it_is_interrupted(dies_at: int) -> None:
    durable = history()
    with pytest.raises(Died):
        await live(durable, 1, dies_at, lag=1_000 * HOUR)
    await live(durable, 1, lag=1_000 * HOUR)
    assert durable.said == []


async def test_time_alone_makes_it_speak() -> None:
    durable = Durable()
    durable.publish(event("contact", 1, "case-1", MONDAY, "riverside", priority="critical"), MONDAY, RIVERSIDE)
    outside = Outside(durable, wall=MONDAY, follows=True)
    async with at_work(outside) as (processor, running):
        await processor.take(Fetched(durable, RIVERSIDE, durable.topic[RIVERSIDE]))
        await until(lambda: durable.committed[RIVERSIDE] == 1, running)
        assert durable.said == []
        outside.wall = MONDAY + 2 * HOUR + 1
        await until(lambda: len(durable.said) == 2, running)
    assert [(each.passed.stage, each.state) for each in durable.said] == [("warning", "raised"), ("breach", "raised")]


def test_the_test_has_a_loop_of_its_own() -> None:
    asyncio.run(live(history(), 12))
