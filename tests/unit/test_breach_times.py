"""Four weeks of a simulated district: promises that pass, and when they are told of, against the rules read without an accumulator.

Delivered live, late and shuffled, replayed, and after three hours in which no worker ran.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import pytest

from events.codec import Decoder
from events.directory import DEFAULT
from projections.announcement import Announcement
from projections.case_store import case_named
from projections.partition import Entry, Partition
from streams.simulation import Plan, simulate
from tests.oracles.plain_breaches import Known, Words, last_words, name_of, plain_words
from tests.support.stories import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
UNTIL = 1_795_000_000_000
DAYS = 28
STEP = 20 * MINUTE
"""The clock comes by so often where nothing happens."""


@cache
def history() -> tuple[Entry, ...]:
    """Each record produced when its event happened."""
    decoder, entries = Decoder(), []
    for i, each in enumerate(simulate(Plan(UNTIL, students=250, days=DAYS))):
        decoded = decoder.decode(each.value, [("content-type", b"application/cloudevents+json")], each.time)
        assert isinstance(decoded, tuple), decoded
        entries.append((i, each.time, False, *decoded))
    return tuple(entries)


@cache
def late(seed: int = 3) -> tuple[Entry, ...]:
    """The same events out of order: most are on their way for up to two hours, some for days."""
    draw = random.Random(seed)
    delays = [draw.choice((0, draw.randrange(2 * HOUR), draw.randrange(2 * HOUR), draw.randrange(3 * DAY))) for _ in history()]
    told = sorted((entry[1] + delay, entry) for delay, entry in zip(delays, history(), strict=True))
    return tuple((i, timestamp, *entry[2:]) for i, (timestamp, entry) in enumerate(told))


class Uncounted(Ledger):
    """Windows that add nothing up: they are not what is looked at here."""

    def add(self, flat: list[int]) -> None: ...
    def add_message(self, minute: int, place: int, stakeholder: str, sign: int) -> None: ...


@dataclass
class Told:
    """What was said, and between which two states of the clock."""

    partition: Partition = field(default_factory=lambda: Partition(0, DEFAULT, windows=Uncounted()))  # type: ignore[arg-type] # a stand-in
    said: list[tuple[int, int, Announcement]] = field(default_factory=list)
    clock: int = 0

    def turn(self, entries: list[Entry], clock: int, wall: int | None = None) -> None:
        self.partition.fold(entries)
        self.partition.advance(clock)
        said = self.partition.drain(wall=clock if wall is None else wall).announcements
        self.said += [(self.clock, clock, each) for each in said]
        self.clock = clock

    def words(self) -> Words:
        return last_words([each for _, _, each in self.said])


def turns(log: tuple[Entry, ...], until: int) -> Iterator[tuple[list[Entry], int]]:
    """The log as a worker takes it that keeps up: what came in each `STEP`, and the clock after it."""
    clock, batch = log[0][1] // STEP * STEP, []
    for entry in log:
        while entry[1] > clock + STEP:
            clock += STEP
            yield batch, clock
            batch = []
        batch.append(entry)
    while clock < until:
        clock += STEP
        yield batch, clock
        batch = []


@cache
def live(log: tuple[Entry, ...]) -> Told:
    told = Told()
    for batch, clock in turns(log, max(UNTIL, log[-1][1])):
        told.turn(batch, clock)
    return told


def news(words: Words, is_silent: Callable[[int], bool]) -> Words:
    return {name: word for name, word in words.items() if not is_silent(name[-1])}


def test_the_four_weeks_have_all_that_is_compared() -> None:
    words = plain_words(history(), UNTIL, DEFAULT)
    kinds = {(target, stage, word) for (*_, target, stage, _), word in words.items()}
    assert len(history()) > 2_000
    assert len(words) > 200
    assert kinds >= {(t, s, w) for t in ("response", "resolution") for s in ("warning", "breach") for w in ("raised", "cleared")}


def test_live_each_is_told_within_the_turn_in_which_it_came_due() -> None:
    told = live(history())
    assert told.words() == plain_words(history(), told.clock, DEFAULT)
    raised = [(before, name_of(each), after) for before, after, each in told.said if each.state == "raised"]
    assert len(raised) == len({name for _, name, _ in raised}) > 200
    assert [each for each in raised if not each[0] <= each[1][-1] < each[2]] == []


def test_late_and_out_of_order_the_last_words_are_those_of_the_rules() -> None:
    log = late()
    told = live(log)
    assert told.words() == plain_words(log, told.clock, DEFAULT)
    assert {each.state for _, _, each in told.said} == {"raised", "cleared", "withdrawn"}


def test_whatever_the_delivery_what_has_passed_in_the_end_is_the_same() -> None:
    in_order, shuffled = live(history()).partition, live(late()).partition
    assert passed(in_order) == passed(shuffled) == plainly_passed()


def test_a_replay_ends_with_the_same_and_has_told_nobody() -> None:
    told, log = Told(), list(history())
    for begin in range(0, len(log), 500):
        told.turn(log[begin : begin + 500], log[min(begin + 500, len(log)) - 1][1], wall=UNTIL + 30 * DAY)
    told.turn([], UNTIL, wall=UNTIL + 30 * DAY)
    assert told.said == []
    assert passed(told.partition) == plainly_passed()


@pytest.mark.parametrize("day", [9, 14, 20])
def test_three_hours_without_a_worker_leave_out_what_is_over_an_hour_past_and_nothing_else(day: int) -> None:
    #  turns up to 11:00, then the next one at 14:00: with all records of the three hours, or before them
    gone = (UNTIL - DAYS * DAY) // DAY * DAY + day * DAY + 17 * HOUR
    back = gone + 3 * HOUR
    told, missed = Told(), []
    for batch, clock in turns(history(), UNTIL):
        if gone < clock < back:
            missed += batch
        else:
            told.turn(missed + batch, clock)
            missed = []
    expected = plain_words(history(), told.clock, DEFAULT)
    raised_then = [name for name in expected if gone <= name[-1] < back]
    assert raised_then, "nothing came due in these hours: choose others"
    said = told.words()
    assert news(said, lambda at: gone <= at < back - HOUR) == news(expected, lambda at: gone <= at < back - HOUR)
    silent = [each for _, _, each in told.said if gone <= each.passed.at < back - HOUR]
    assert all(each.state != "raised" and each.passed.at <= gone + 15 * MINUTE for each in silent)
    assert [each for before, _, each in told.said if each.state == "raised" and each.passed.at < before] == []


def test_that_the_clock_alone_jumps_three_hours_ahead_is_no_other_case() -> None:
    """Caught up, the clock follows the wall: nothing came meanwhile, but time has passed."""
    log = tuple(entry for entry in history() if entry[1] <= UNTIL - 6 * DAY)
    gone = log[-1][1] + 1
    told = Told()
    for batch, clock in turns(log, gone):
        told.turn(batch, clock)
    before = told.clock
    told.turn([], before + 3 * HOUR)
    at_once = {name_of(each) for since, _, each in told.said if since == before}
    expected = plain_words(log, before + 3 * HOUR, DEFAULT)
    assert at_once == {name for name in expected if before + 2 * HOUR <= name[-1] < before + 3 * HOUR}


# -- what has passed in the end -----------------------------------------------------------------------------------------
def passed(partition: Partition) -> set[tuple[str, ...]]:
    """Every instant that passed unanswered, as `breaches` in ClickHouse tells it, from the partition's records."""
    from projections.announcement import standing  # noqa: PLC0415 - as above
    from projections.case import decode_case  # noqa: PLC0415 - as above

    found = set()
    for key, record in partition.store.records.items():
        district, subject = case_named(key)
        episodes = decode_case(record).episodes
        for episode in episodes:
            episode.late_ms = 0
        found |= {(subject, *map(str, each)) for each in standing(district, subject, episodes, UNTIL)}
    return found


def plainly_passed() -> set[tuple[str, ...]]:
    cases: dict[str, Known] = {}
    for _, timestamp, _, district, subject, event in history():
        cases.setdefault(subject, Known(district, subject, DEFAULT)).add(event, timestamp)
    return {tuple(map(str, name[1:])) for case in cases.values() for name in case.passed(UNTIL)}
