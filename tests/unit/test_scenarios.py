"""Stories that went wrong on paper before any code was written, each told to the end: what readers see is exact.

The servers are those of `durable`; what needs real ones is in tests/system/test_scenarios.py.
"""

from contextlib import suppress
from itertools import permutations
from typing import Any

import pytest
from msgspec import msgpack

from events.headers import MARKED_BACKFILL
from events.partition import partition_of
from projections.capacity import MOST_EVENTS
from projections.stream_time import CLOCK_KEY
from tests.support.durable import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    PARTITIONS,
    START,
    Died,
    Durable,
    Headers,
    Outside,
    at_work,
    count_all,
    event,
    live,
    until,
)
from tests.support.stories import Promises

DISTRICT = "riverside"
HOME = partition_of(DISTRICT, PARTITIONS)
NOON = START - START % HOUR
NEIGHBOUR = next(name for name in (f"district-{n}" for n in range(99)) if partition_of(name, PARTITIONS) == HOME)
"""Another district in the same partition."""


def publish(durable: Durable, kind: str, name: str, at: int, *, subject: str = "case-1", arrives: int | None = None, **data: Any) -> None:
    """An event of the district, produced when it happened or later."""
    durable.publish(event(kind, name, subject, at, DISTRICT, **data), at if arrives is None else arrives, HOME)


def cell(durable: Durable, scope: str, window: str, school: str = "", district: str = DISTRICT) -> dict[str, Any]:
    """A window's row as it stands, zeros included."""
    return durable.tables["windows"][district, scope, school, "", window][1]


def clock_written(durable: Durable) -> int:
    """The partition's clock in the changelog; rows as of then are there."""
    clock: int = msgpack.decode(dict(durable.changelog[HOME])[CLOCK_KEY] or b"")[0]
    return clock


def same(one: Durable, other: Durable, *tables: str) -> bool:
    """Whether readers of both see the same, but for where the log has it."""
    without = {"offset": 0, "last_offset": 0, "partition": 0, "produced_at": 0, "backfill": 0}
    return all(
        {key: row | without for key, row in one.rows(table).items()} == {key: row | without for key, row in other.rows(table).items()}
        for table in tables or ("events", "cases", "windows")
    )


# -- a late contact ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("where", ["windows", "changelog", "changelog acknowledged"])
async def test_a_late_contact_moves_an_episode_to_another_school_and_the_worker_dies_before(where: str) -> None:
    #  south  10:00 contact, 10:30 reply           the old cell has 1, and loses it once
    #  north  9:00 contact, which arrives at 11:00
    durable = Durable()
    publish(durable, "contact", "c", NOON - 2 * HOUR, school="south")
    publish(durable, "reply", "r", NOON - 2 * HOUR + 30 * MINUTE)
    await live(durable, 10)
    assert cell(durable, "school", "24h", "south")["contact_n"] == 1
    publish(durable, "contact", "late", NOON - 3 * HOUR, arrives=NOON - HOUR, school="north")

    with pytest.raises(Died, match=f"^{where}$"):
        await live(durable, 10, dies_before=where)
    await live(durable, 10)

    south, north = cell(durable, "school", "24h", "south"), cell(durable, "school", "24h", "north")
    assert (south["contact_n"], south["message_n"], south["response_n"]) == (0, 0, 0)
    assert (north["contact_n"], north["message_n"], north["response_n"]) == (1, 2, 1)
    assert [(row["episode"], row["school"], row["contacts"]) for row in durable.rows("cases").values()] == [("/invented elate", "north", 2)]


# -- time that passes without events -------------------------------------------------------------------------------------
async def test_after_two_hours_without_a_worker_the_last_hour_of_a_quiet_school_is_zero() -> None:
    durable = Durable()
    publish(durable, "contact", "c", NOON, school="north")
    async with at_work(Outside(durable, wall=NOON, follows=True)) as (processor, running):
        await count_all(durable, processor, running)
    assert cell(durable, "school", "1h", "north")["contact_n"] == 1

    later = NOON + 2 * HOUR
    async with at_work(Outside(durable, wall=later, follows=True)) as (_, running):
        await until(lambda: int(cell(durable, "school", "1h", "north")["as_of"]) * 1000 == later, running)

    assert cell(durable, "school", "1h", "north")["contact_n"] == 0
    assert cell(durable, "district", "1h")["contact_n"] == 0
    assert cell(durable, "school", "24h", "north")["contact_n"] == 1


async def test_a_district_that_sends_nothing_for_a_day_goes_to_zero_with_the_records_of_its_neighbour() -> None:
    durable = Durable()
    publish(durable, "contact", "c", NOON)
    await live(durable, 1)
    assert cell(durable, "district", "24h")["contact_n"] == 1
    durable.publish(event("contact", "n", "case-9", NOON + DAY, NEIGHBOUR), NOON + DAY, HOME)
    await live(durable, 1)

    assert [cell(durable, "district", window)["contact_n"] for window in ("1h", "24h", "7d", "28d")] == [0, 0, 1, 1]
    assert cell(durable, "district", "1h", district=NEIGHBOUR)["contact_n"] == 1


async def test_a_district_that_sends_nothing_for_a_day_goes_to_zero_by_the_wall_clock() -> None:
    durable = Durable()
    publish(durable, "contact", "c", NOON)
    outside = Outside(durable, wall=NOON, follows=True)
    async with at_work(outside) as (processor, running):
        await count_all(durable, processor, running)
        seen = []
        for hours in (0, 1, 23, 25):
            outside.wall = NOON + hours * HOUR
            processor._wake.set()
            await until(lambda: clock_written(durable) == outside.wall, running)
            seen.append([cell(durable, "district", window)["contact_n"] for window in ("1h", "24h")])
    assert seen == [[1, 1], [0, 1], [0, 1], [0, 0]]


async def test_the_clock_does_not_go_back_where_the_next_workers_machine_is_an_hour_behind() -> None:
    durable = Durable()
    publish(durable, "contact", "c", NOON)
    async with at_work(Outside(durable, wall=NOON + HOUR, follows=True)) as (processor, running):
        await count_all(durable, processor, running)
        await until(lambda: int(cell(durable, "district", "7d")["as_of"]) * 1000 == NOON + HOUR, running)
    publish(durable, "contact", "d", NOON + MINUTE, subject="case-2")

    async with at_work(Outside(durable, wall=NOON, follows=True)) as (processor, running):
        await count_all(durable, processor, running)
        assert processor.partitions[HOME].clock == NOON + HOUR
    assert int(cell(durable, "district", "7d")["as_of"]) * 1000 == NOON + HOUR
    assert [cell(durable, "district", window)["contact_n"] for window in ("1h", "24h")] == [1, 2]


async def test_a_record_of_tomorrow_does_not_move_the_clock_and_neither_does_a_restart() -> None:
    durable = Durable()
    publish(durable, "contact", "c", NOON)
    publish(durable, "contact", "d", NOON, arrives=NOON + DAY, subject="case-2")
    for _ in range(2):
        async with at_work(Outside(durable, wall=NOON)) as (processor, running):
            await count_all(durable, processor, running)
            await until(lambda: processor.ready, running)
            assert processor.partitions[HOME].clock == NOON
    assert cell(durable, "district", "1h")["contact_n"] == 2


# -- records on their way to another partition -----------------------------------------------------------------------------
@pytest.mark.parametrize("dies_at", range(1, 9))
async def test_a_worker_that_dies_while_it_sends_records_on_counts_each_once(dies_at: int) -> None:
    durable, straight = Durable(), Durable()
    for number in range(4):
        value = event("contact", number, f"case-{number}", NOON + number, DISTRICT, school="north")
        durable.publish(value, NOON, 1 - HOME)
        straight.publish(value, NOON, HOME)
    await live(straight, 10)

    with pytest.raises(Died):
        await live(durable, 3, dies_at=dies_at)
    await live(durable, 10)

    assert same(durable, straight)
    assert len(durable.topic[HOME]) >= 4
    assert durable.dead_letters == []


async def test_two_workers_of_which_one_sends_on_what_the_other_has_counted_already() -> None:
    """The one died before it committed: what it sends on again is known by then."""
    durable = Durable()
    durable.publish(event("contact", 1, "case-1", NOON, DISTRICT), NOON, 1 - HOME)
    with pytest.raises(Died, match="forwards acknowledged"):
        await live(durable, 10, dies_before="forwards acknowledged")
    async with at_work(Outside(durable), holds=[HOME]) as (processor, running):
        await count_all(durable, processor, running, holds=[HOME])
    await live(durable, 10)

    assert len(durable.topic[HOME]) == 2
    assert [row["contacts"] for row in durable.rows("cases").values()] == [1]
    assert cell(durable, "district", "24h")["message_n"] == 1


# -- the same id -------------------------------------------------------------------------------------------------------
async def test_the_same_id_with_two_contents_is_the_same_whichever_comes_first() -> None:
    contents = [
        (event("contact", "c", "case-1", NOON, DISTRICT, school="south"), NOON),
        (event("contact", "c", "case-1", NOON, DISTRICT, school="north"), NOON + MINUTE),
        (event("reply", "r", "case-1", NOON + HOUR, DISTRICT), NOON + HOUR),
    ]
    results = []
    for order in permutations(contents):
        for dies_before in ("", "changelog"):
            durable = Durable()
            for value, _ in order:
                durable.publish(value, NOON + HOUR, HOME)
            if dies_before:
                with pytest.raises(Died):
                    await live(durable, 1, dies_before=dies_before)
            await live(durable, 1)
            results.append(durable)
    assert all(same(durable, results[0]) for durable in results)
    [case] = results[0].rows("cases").values()
    assert (case["school"], case["contacts"], case["conflicts"], case["response_ms"]) == ("north", 1, 1, HOUR)
    assert len(results[0].rows("events")) == 3, "the archive keeps both contents"
    assert cell(results[0], "school", "24h", "south")["contact_n"] == 0


# -- what was forgotten ------------------------------------------------------------------------------------------------
def resolved_case() -> Durable:
    """Asked, answered and resolved at noon."""
    durable = Durable()
    for kind, name, at in (("contact", "c", NOON), ("reply", "r", NOON + HOUR), ("resolution", "x", NOON + 2 * HOUR)):
        publish(durable, kind, name, at, school="north")
    return durable


async def forget(durable: Durable, after: int = 101 * DAY) -> None:
    """A worker whose clock is so far that the case is forgotten."""
    known = len(durable.changelog[HOME])
    async with at_work(Outside(durable, wall=NOON + after, follows=True)) as (processor, running):
        await count_all(durable, processor, running)
        await until(lambda: (b"riverside case-1", None) in durable.changelog[HOME][known:], running)


async def test_a_duplicate_that_comes_after_its_case_was_forgotten_changes_no_row() -> None:
    durable = resolved_case()
    await live(durable, 10)
    before = durable.rows("cases")
    await forget(durable)
    publish(durable, "reply", "r", NOON + HOUR, arrives=NOON + 101 * DAY, school="north")

    with pytest.raises(Died):
        await live(durable, 10, dies_before="changelog")
    await live(durable, 10)

    assert durable.rows("cases") == before
    assert set(durable.dead_letters) == {"too_late"}


async def test_the_last_instant_at_which_a_case_is_remembered_leaves_no_gap_to_too_late() -> None:
    """A duplicate of its last event at exactly 100 days is either known, or too late; never the first of a new case."""
    durable = resolved_case()
    await live(durable, 10)
    before = durable.rows("cases")
    last = NOON + 2 * HOUR
    async with at_work(Outside(durable, wall=last + 100 * DAY, follows=True)) as (processor, running):
        await until(lambda: processor.ready and processor.partitions[HOME].clock == last + 100 * DAY, running)
        publish(durable, "resolution", "x", last, arrives=last + 100 * DAY, school="north")
        await count_all(durable, processor, running)
    kept = {"last_offset": 0}
    assert {key: row | kept for key, row in durable.rows("cases").items()} == {key: row | kept for key, row in before.items()}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_worker_does_not_forget_what_another_one_has_already_added_to(order: tuple[int, int]) -> None:
    """An old event came while its case was remembered; the worker wrote the rows and died. The next one must not call it too late."""
    durable = resolved_case()
    await live(durable, 10)
    late = NOON + 102 * DAY
    neighbours = event("contact", "n", "case-9", late, NEIGHBOUR)
    mine = event("rating", "q", "case-1", NOON + 3 * HOUR, DISTRICT, score=4)
    for value in [(neighbours, mine)[n] for n in order]:
        durable.publish(value, late, HOME)
    with pytest.raises(Died):
        await live(durable, 10, dies_before="changelog")
    assert [row["rating"] for row in durable.rows("cases").values() if row["subject"] == "case-1"] == [0.75]

    outside = Outside(durable, wall=late)
    async with at_work(outside) as (processor, running):
        await until(lambda: processor.ready, running)  # turns without records
        await count_all(durable, processor, running, batch=1)

    assert durable.dead_letters == []
    assert [row["rating"] for row in durable.rows("cases").values() if row["subject"] == "case-1"] == [0.75]


async def test_what_a_dead_worker_took_in_is_not_too_late_where_its_rows_are_far_ahead() -> None:
    """A replay: one batch spans more than 100 days. The next worker's clock goes on from the rows, its judgement of lateness does not."""
    durable = Durable()
    publish(durable, "contact", "c", NOON)
    publish(durable, "contact", "d", NOON + 150 * DAY, subject="case-2")
    with pytest.raises(Died):
        await live(durable, 10, dies_before="changelog")
    assert len(durable.rows("events")) == 2

    await live(durable, 1)

    assert durable.dead_letters == []
    assert len(durable.rows("cases")) == 2


@pytest.mark.parametrize("dies_before", ["changelog", "changelog acknowledged"])
async def test_a_record_that_was_too_late_is_so_again_although_its_case_has_begun_since(dies_before: str) -> None:
    """The state is ahead of the committed offset: it knows a case that did not exist when the record was judged."""
    durable, now = Durable(), NOON + 150 * DAY
    publish(durable, "reply", "old", NOON, arrives=now)
    publish(durable, "contact", "c", now)
    publish(durable, "reply", "old", NOON, arrives=now)
    with pytest.raises(Died):
        await live(durable, 10, dies_before=dies_before)
    await live(durable, 2)

    assert {row["offset"] for _, row in durable.tables["dead_letters"].values()} == {0}
    assert {(row["id"], row["offset"]) for row in durable.rows("events").values()} == {("ec", 1), ("eold", 2)}


# -- a forgotten case that begins anew ------------------------------------------------------------------------------------
LATER = 200 * DAY
"""After the case was forgotten, which is 100 days."""
BACKFILLED = (MARKED_BACKFILL,)


def answered_case() -> Durable:
    """Asked and answered, never resolved; forgotten; then somebody asks again under the same subject."""
    durable = Durable()
    publish(durable, "contact", "c", NOON, school="north")
    publish(durable, "reply", "r", NOON + HOUR)
    return durable


async def begun_anew(durable: Durable) -> Durable:
    """The case after it was forgotten and a contact came that knows nothing of it."""
    await live(durable, 10)
    await forget(durable)
    publish(durable, "contact", "d", NOON + LATER, school="south")
    await live(durable, 10)
    return durable


def episodes(durable: Durable) -> dict[str, tuple[int, int]]:
    """Contacts and replies by episode."""
    return {row["episode"].removeprefix("/invented e"): (row["contacts"], row["replies"]) for row in durable.rows("cases").values()}


async def test_a_question_after_its_case_was_forgotten_is_a_case_of_its_own() -> None:
    durable = await begun_anew(answered_case())
    assert episodes(durable) == {"c": (1, 1), "d": (1, 0)}
    assert cell(durable, "district", "24h")["contact_n"] == 1


@pytest.mark.parametrize("headers", [(), BACKFILLED], ids=["late", "backfilled"])
@pytest.mark.parametrize("dies_before", ["", "events", "cases", "windows", "changelog", "changelog acknowledged"])
async def test_an_event_from_before_it_was_forgotten_makes_the_case_whole(headers: Headers, dies_before: str) -> None:
    """It alone would be an episode without the rest. Once the case is whole again, the new question is a follow-up of the old one."""
    durable = await begun_anew(answered_case())
    before = NOON + HOUR // 2
    durable.publish(event("reply", "q", "case-1", before, DISTRICT), NOON + LATER, HOME, headers)
    if dies_before:
        with pytest.raises(Died):
            await live(durable, 10, dies_before=dies_before)
    await live(durable, 10)

    assert episodes(durable) == {"c": (2, 2)}
    assert cell(durable, "school", "24h", "south")["contact_n"] == 0
    assert cell(durable, "school", "24h", "north")["message_n"] == 1
    [(_, case)] = [(key, row) for key, row in durable.rows("cases").items()]
    assert case["response_ms"] == HOUR // 2


@pytest.mark.parametrize("batch", [1, 2, 10])
@pytest.mark.parametrize("dies_at", [NEVER, *range(2, 12)])
async def test_where_batches_end_and_workers_die_does_not_matter_to_a_case_that_begins_anew(batch: int, dies_at: int) -> None:
    durable = answered_case()
    await live(durable, 10)
    await forget(durable)
    at = NOON + LATER
    durable.publish(event("reply", "late", "case-1", NOON + 2 * HOUR, DISTRICT), at, HOME)  # too late
    durable.publish(event("resolution", "x", "case-1", at, DISTRICT), at, HOME)  # an orphan, as far as is known
    durable.publish(event("contact", "d", "case-1", at + HOUR, DISTRICT), at + HOUR, HOME)
    durable.publish(event("reply", "q", "case-1", NOON + 3 * HOUR, DISTRICT), at + HOUR, HOME)
    durable.publish(event("rating", "s", "case-1", NOON + 4 * HOUR, DISTRICT, score=5), at + HOUR, HOME, BACKFILLED)
    if dies_at < NEVER:
        with suppress(Died):
            await live(durable, batch, dies_at=dies_at)
    await live(durable, 3)

    assert episodes(durable) == {"c": (2, 2)}
    assert {row["offset"] for _, row in durable.tables["dead_letters"].values()} == {2}


async def test_a_case_that_was_forgotten_twice_comes_back_as_one() -> None:
    durable = await begun_anew(answered_case())
    await forget(durable, after=4 * LATER)
    durable.publish(event("reply", "q", "case-1", NOON + HOUR // 2, DISTRICT), NOON + 4 * LATER, HOME, BACKFILLED)
    await live(durable, 10)
    assert episodes(durable) == {"c": (2, 2)}


# -- a full case ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dies_before", ["cases", "dead letters", "changelog"])
async def test_a_case_of_2001_events_holds_the_first_2000_whoever_died_meanwhile(dies_before: str) -> None:
    durable = Durable()
    publish(durable, "contact", 0, NOON)
    for number in range(1, MOST_EVENTS + 1):
        publish(durable, "reply", number, NOON + number * 1_000)
    publish(durable, "contact", "earlier", NOON - HOUR, arrives=NOON + HOUR)
    publish(durable, "reply", 7, NOON + 7_000, arrives=NOON + HOUR)
    with pytest.raises(Died):
        await live(durable, 900 if dies_before != "dead letters" else 5_000, dies_before=dies_before)
    await live(durable, 700)

    [case] = durable.rows("cases").values()
    assert (case["contacts"], case["replies"], case["episode"]) == (1, MOST_EVENTS - 1, "/invented e0")
    assert len(durable.rows("events")) == MOST_EVENTS
    refused = durable.tables["dead_letters"].values()
    assert sorted((row["offset"], row["reason"]) for _, row in refused) == [(MOST_EVENTS, "case_full"), (MOST_EVENTS + 1, "case_full")]


# -- the directory -----------------------------------------------------------------------------------------------------
PROMISES: dict[int, Any] = {1: Promises(1), 2: Promises(2, HOUR), 3: Promises(3)}


async def test_two_workers_with_different_directories_and_a_rollback_end_as_the_last_one_says() -> None:
    """Two is in force in one partition only when it is taken back: three says what one did."""
    neighbour = next(name for name in (f"d-{n}" for n in range(99)) if partition_of(name, PARTITIONS) != HOME)
    durable, plain = Durable(), Durable()
    for log in (durable, plain):
        for n, district in enumerate((DISTRICT, neighbour, DISTRICT)):
            value = event("contact", n, f"case-{n}", NOON + n * MINUTE, district, school="north")
            log.publish(value, NOON + n * MINUTE, partition_of(district, PARTITIONS))
    await live(plain, 10, directory=PROMISES[3])

    await live(durable, 1, directory=PROMISES[1])
    promised_first = due(durable)
    async with at_work(Outside(durable), PROMISES[2], [HOME]) as (_, running):
        await until(lambda: {row["directory_revision"] for row in of(durable, DISTRICT)} == {2}, running)
    assert {row["directory_revision"] for row in of(durable, neighbour)} == {1}
    assert due(durable) != promised_first
    with pytest.raises(Died):
        async with at_work(Outside(durable, dies_before="changelog"), PROMISES[3]) as (_, running):
            await until(lambda: False, running)
    async with at_work(Outside(durable), PROMISES[3]) as (_, running):
        await until(lambda: {row["directory_revision"] for row in durable.rows("cases").values()} == {3}, running)

    assert same(durable, plain)
    assert due(durable) == promised_first


def of(durable: Durable, district: str) -> list[dict[str, Any]]:
    return [row for row in durable.rows("cases").values() if row["district"] == district]


def due(durable: Durable) -> dict[str, int]:
    return {row["subject"]: row["response_due_at"] for row in durable.rows("cases").values()}
