"""Where the breaker opens is a function of the log: not of batches, restarts or who was the worker."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.partition import partition_of
from streams.worker.breaker import MINUTE_MS, MINUTES_KEPT, MOST_REFUSED, Breaker, Flood
from streams.worker.processor import Processor
from tests.support.durable import PARTITIONS, START, Died, Durable, Fetched, Outside, at_work, event, until

MANY = MOST_REFUSED + 1


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int


def log(letters: str, minute: int = 0, start: int = 0) -> tuple[list[Record], set[int]]:
    """Records of one minute: `b` is a bad one, `.` a good one."""
    records = [Record(start + at, minute * MINUTE_MS + at % MINUTE_MS) for at in range(len(letters))]
    return records, {start + at for at, letter in enumerate(letters) if letter == "b"}


def opens_at(letters: str) -> int | None:
    flood = Breaker(0).judge(*log(letters))
    return None if flood is None else flood.offset


def test_it_opens_at_the_first_record_over_both_bounds() -> None:
    assert opens_at("b" * MOST_REFUSED) is None
    assert opens_at("b" * (MOST_REFUSED + 5)) == MOST_REFUSED


def test_half_of_the_records_are_not_over_half() -> None:
    assert opens_at(".b" * 3_000) is None
    assert opens_at(".b" * 3_000 + "b") == 6_000


def test_few_bad_ones_are_no_flood_whatever_their_share() -> None:
    assert opens_at("b" * 900) is None


def test_good_records_never_open_it() -> None:
    #  1,001 bad among 3,000 good ones, then bad ones until they are the larger part: 3,001 of 6,001
    assert opens_at("." * 3_000 + "b" * 3_001) == 6_000


def test_each_minute_is_counted_by_itself() -> None:
    breaker = Breaker(0)
    assert breaker.judge(*log("b" * 900, minute=1)) is None
    assert breaker.judge(*log("b" * 900, minute=2, start=900)) is None
    assert breaker.judge(*log("b" * 101, minute=1, start=1_800)) == Flood(0, 1_900, 1, MANY, MANY)


def test_what_is_not_taken_is_asked_again_with_the_same_answer() -> None:
    breaker, (records, bad) = Breaker(3), log("b" * 2_000)
    flood = breaker.judge(records, bad)
    assert flood is not None
    assert breaker.judge(records[flood.offset :], bad) == flood
    assert "partition 3 stands at offset 1000" in str(flood)
    assert "--partition 3 --until" in str(flood)


def test_what_was_accepted_passes_and_counts_nothing() -> None:
    breaker, (records, bad) = Breaker(0), log("b" * 5_000)
    assert breaker.judge(records, bad) is not None

    breaker.accept(2_999)

    flood = breaker.judge(records[1_000:], bad)
    assert flood is not None
    assert flood.offset == 3_000 + MOST_REFUSED


def test_accepting_less_than_before_takes_nothing_back() -> None:
    breaker = Breaker(0)
    breaker.accept(1_500)
    breaker.accept(50)
    flood = breaker.judge(*log("b" * 5_000))
    assert flood is not None
    assert flood.offset == 1_501 + MOST_REFUSED


def test_only_so_many_minutes_are_kept() -> None:
    breaker = Breaker(0)
    assert breaker.judge(*log("b" * 1_000)) is None
    for minute in range(1, MINUTES_KEPT + 1):
        assert breaker.judge(*log(".", minute, 1_000 + minute)) is None
    assert breaker.judge(*log("b", 0, 2_000)) is None, "the first minute was given up"


def test_only_news_are_written() -> None:
    breaker = Breaker(0)
    assert breaker.news() == []
    breaker.judge(*log("b"))
    assert [key for key, _ in breaker.news()] == [b" breaker"]
    assert breaker.news() == []


def test_an_older_memory_adds_nothing() -> None:
    stopped, owner = Breaker(0), Breaker(0)
    stopped.judge(*log("b" * 10))
    owner.judge(*log("b" * 1_000))
    known = owner.memory()

    owner.restore(stopped.memory())

    assert owner.memory() == known


letters = st.lists(st.sampled_from(["b" * 400, ".b" * 150, "." * 300, "b" * 30, "."]), max_size=12).map("".join)
cuts = st.lists(st.integers(0, 4_000), max_size=6)


@given(letters, cuts, st.integers(0, 2))
def test_neither_batches_nor_restarts_nor_repeats_decide_where_it_opens(letters: str, cuts: list[int], repeated: int) -> None:
    records = [Record(at, at // 2_500 * MINUTE_MS) for at in range(len(letters))]
    bad = {at for at, letter in enumerate(letters) if letter == "b"}
    whole = Breaker(0).judge(records, bad)

    assert _in_lives(records, bad, sorted({0, *cuts}), repeated) == whole


def _in_lives(records: Sequence[Record], bad: set[int], cuts: list[int], repeated: int) -> Flood | None:
    """Each batch by another worker, which reads a few records again that the one before it had not committed."""
    memory = None
    for begin, end in zip(cuts, [*cuts[1:], len(records)], strict=True):
        breaker = Breaker(0)
        breaker.restore(memory)
        flood = breaker.judge(records[max(0, begin - repeated * 50) : end], bad)
        if flood is not None:
            return flood
        memory = breaker.memory()
    return None


# -- at the processor -------------------------------------------------------------------------------------------------------
FLOODED = partition_of("riverside", PARTITIONS)
QUIET = partition_of("hillside", PARTITIONS)


def flooded_topic() -> Durable:
    """A good record and 1,500 bad ones in one partition, a good one in the other."""
    durable = Durable()
    durable.publish(event("contact", 1, "case-1", START, "riverside"), START, FLOODED)
    for _ in range(1_500):
        durable.publish(b"not json", START, FLOODED)
    durable.publish(event("contact", 2, "case-2", START, "hillside"), START, QUIET)
    return durable


async def fetch(processor: Processor, durable: Durable, batch: int) -> None:
    """Hand over all that is not committed, in batches."""
    for partition in (FLOODED, QUIET):
        records = durable.topic[partition][durable.committed[partition] :]
        for begin in range(0, len(records), batch):
            fetched: Any = Fetched(durable, partition, records[begin : begin + batch])
            await processor.take(fetched)


@pytest.mark.parametrize("batch", [2_000, 100, 7])
async def test_a_flood_stops_its_partition_until_it_is_accepted_and_no_other(batch: int) -> None:
    durable = flooded_topic()
    async with at_work(Outside(durable)) as (processor, running):
        await fetch(processor, durable, batch)
        await until(lambda: bool(processor.floods) and durable.committed[QUIET] == 1, running)

        assert [flood.offset for flood in processor.floods] == [1_001]
        assert not processor.ready
        assert durable.committed[FLOODED] == 1_001 // batch * batch
        await until(lambda: len(durable.dead_letters) == 1_000, running)
        assert processor.oldest_waiting(FLOODED) == START

        processor.accept(FLOODED, 1_000)
        assert processor.floods, "it stands one further"
        processor.accept(FLOODED, 1_500)
        await until(lambda: durable.committed[FLOODED] == 1_501, running)

    assert processor.ready
    assert len(durable.dead_letters) == 1_500
    assert {key[0] for key in durable.rows("cases")} == {"riverside", "hillside"}


async def test_the_next_worker_stands_at_the_same_record() -> None:
    durable = flooded_topic()
    for batch in (400, 300, 2_000):
        async with at_work(Outside(durable)) as (processor, running):
            await fetch(processor, durable, batch)
            await until(lambda: bool(processor.floods) and durable.committed[QUIET] == 1, running)

            assert [flood.offset for flood in processor.floods] == [1_001]


@pytest.mark.parametrize("dies_at", range(1, 12))
async def test_a_worker_that_dies_does_not_move_where_it_stands(dies_at: int) -> None:
    durable = flooded_topic()
    outside = Outside(durable, dies_at)
    with suppress(Died):
        async with at_work(outside) as (processor, running):
            await fetch(processor, durable, 300)
            await until(lambda: bool(processor.floods), running)

    async with at_work(Outside(durable)) as (processor, running):
        await fetch(processor, durable, 50)
        await until(lambda: bool(processor.floods), running)
        assert [flood.offset for flood in processor.floods] == [1_001]
