"""Open time against a brute force that asks the wall clock at every minute of three years, and against a table made by hand's rules."""

import csv
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from events.directory import Directory
from events.schedule import Schedule
from events.zone import day_number

HERE = Path(__file__).parents[1] / "oracles"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BEGIN, END = (round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (2025, 2028))
MINUTES = (END - BEGIN) // MINUTE
FIRST_DAY, LAST_DAY = date(2024, 12, 31), date(2028, 1, 1)
ZONES = (
    "America/Chicago",
    "America/St_Johns",  # half an hour beside the others
    "Australia/Lord_Howe",  # goes forward by half an hour
    "Africa/Casablanca",  # goes back for Ramadan, another day each year
    "Africa/Cairo",  # changes at midnight
    "Pacific/Chatham",  # 45 minutes beside the others, changes at 02:45
)

Pairs = list[tuple[int, int]]


class Plain(NamedTuple):
    """A schedule as the brute force has it: minutes of the day that are open, by day."""

    week: dict[int, Pairs]
    seasons: list[tuple[date, date, dict[int, Pairs]]]
    closed: set[date]
    others: dict[date, Pairs]

    def on(self, day: date) -> Pairs:
        if day in self.closed:
            return []
        if day in self.others:
            return self.others[day]
        week = next((own for first, last, own in self.seasons if first <= day <= last), self.week)
        return week.get(day.weekday(), [])

    def schedule(self, zone: str) -> Schedule:
        def ms(pairs: Pairs) -> Pairs:
            return [(opens * MINUTE, closes * MINUTE) for opens, closes in pairs]

        seasons = [(first, last, {day: ms(pairs) for day, pairs in week.items()}) for first, last, week in self.seasons]
        others = {day: ms(pairs) for day, pairs in self.others.items()}
        return Schedule(zone, {day: ms(pairs) for day, pairs in self.week.items()}, self.closed, seasons=seasons, others=others)


# -- every minute of three years -------------------------------------------------------------------------------------------
@lru_cache
def walls(zone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the wall clock shows at each minute: the day, counted from `FIRST_DAY`, and the minute of the day."""
    clock, shown = ZoneInfo(zone), np.empty(MINUTES, np.int64)
    for hour in range(0, MINUTES, 60):
        before, after = (offset(clock, BEGIN + at * MINUTE) for at in (hour, hour + 59))
        for minute in range(hour, hour + 60) if before != after else ():
            shown[minute] = minute + offset(clock, BEGIN + minute * MINUTE)
        if before == after:
            shown[hour : hour + 60] = np.arange(hour, hour + 60) + before
    shown += DAY // MINUTE
    return shown // (DAY // MINUTE), shown % (DAY // MINUTE)


def offset(clock: ZoneInfo, at: int) -> int:
    """Minutes between Greenwich and the wall clock."""
    return round((datetime.fromtimestamp(at / 1000, clock).utcoffset() or timedelta()) / timedelta(minutes=1))


def open_minutes(plain: Plain, zone: str) -> NDArray[np.bool_]:
    """Whether it is open, minute by minute."""
    days, minutes = walls(zone)
    table = np.zeros(((LAST_DAY - FIRST_DAY).days + 1, DAY // MINUTE), np.bool_)
    for number in range(len(table)):
        for opens, closes in plain.on(FIRST_DAY + timedelta(days=number)):
            table[number, opens:closes] = True
    found: NDArray[np.bool_] = table[days, minutes]
    return found


# -- schedules -------------------------------------------------------------------------------------------------------------
@st.composite
def pairs(draw: st.DrawFn) -> Pairs:
    """Up to three intervals, to the minute, often in the hours in which clocks change."""
    edges = sorted(draw(st.lists(st.one_of(st.integers(0, 1440), st.integers(0, 240)), min_size=2, max_size=6, unique=True)))
    return list(zip(edges[::2], edges[1::2], strict=False))


WEEKS = st.dictionaries(st.integers(0, 6), pairs(), min_size=1, max_size=7)
DAYS = st.dates(FIRST_DAY, LAST_DAY)


@st.composite
def plains(draw: st.DrawFn) -> Plain:
    first = draw(DAYS)
    season = [(first, first + timedelta(days=draw(st.integers(0, 90))), draw(WEEKS))] if draw(st.booleans()) else []
    return Plain(draw(WEEKS), season, draw(st.sets(DAYS, max_size=40)), draw(st.dictionaries(DAYS, pairs(), max_size=8)))


ALWAYS = Plain({day: [(0, 1440)] for day in range(7)}, [], set(), {})


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=6)
@example(plain=ALWAYS, seed=0)
@given(plain=plains(), seed=st.integers(0, 10**6))
def test_it_is_what_a_look_at_every_minute_says(zone: str, plain: Plain, seed: int) -> None:
    schedule, is_open = plain.schedule(zone), open_minutes(plain, zone)
    passed = np.concatenate([[0], np.cumsum(is_open)]) * MINUTE
    base = schedule.open_ms(BEGIN)
    chance = random.Random(seed)
    whole = [*range(0, MINUTES, 97), *chance.choices(range(MINUTES), k=2_000), *around_changes(zone)]
    assert [schedule.open_ms(BEGIN + minute * MINUTE) - base for minute in whole] == passed[whole].tolist()
    for minute in whole[::10]:  # within a minute, and back again
        rest = chance.randrange(MINUTE)
        at, so_far = BEGIN + minute * MINUTE + rest, int(passed[minute]) + rest * int(is_open[minute])
        assert schedule.open_ms(at) - base == so_far
        if so_far > 0:
            reached = int(np.searchsorted(passed, so_far))  # the first minute at whose beginning so much has passed
            assert schedule.instant(base + so_far) == BEGIN + reached * MINUTE - (int(passed[reached]) - so_far)


def around_changes(zone: str) -> Iterator[int]:
    """Every minute of the hours before and after each change of the clock."""
    days, minutes = walls(zone)
    shown = days * (DAY // MINUTE) + minutes
    for change in np.flatnonzero(np.diff(shown) != 1).tolist():
        yield from range(max(change - 150, 0), min(change + 150, MINUTES))


def test_the_clocks_change_in_every_zone() -> None:
    assert all(len(list(around_changes(zone))) >= 1_500 for zone in ZONES)


@given(plain=plains(), zone=st.sampled_from(ZONES))
@settings(max_examples=20)
def test_the_openings_that_sql_gets_say_the_same(plain: Plain, zone: str) -> None:
    schedule = plain.schedule(zone)
    openings = schedule.openings()
    for opens, closes, before in openings[:: len(openings) // 200 + 1]:
        assert schedule.open_ms(opens) == before
        assert schedule.open_ms(closes) == before + closes - opens
        assert schedule.instant(before + 1) == opens + 1
        assert schedule.instant(before + closes - opens) == closes


# -- a thousand cases to check by hand ---------------------------------------------------------------------------------------
DIRECTORY = Directory.parse((HERE / "business_time.yaml").read_text("utf-8"))
TABLE = list(csv.DictReader((HERE / "business_time.csv").read_text("utf-8").splitlines()))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def minutes_of(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def test_the_table_covers_what_is_odd_about_time() -> None:
    subjects = Counter(row["about"] for row in TABLE if row["open"] != "0:00")
    assert len(TABLE) >= 1_000
    assert len(subjects) == 22
    assert min(subjects.values()) >= 20
    assert all(
        minutes_of(row["open"]) == sum(minutes_of(day.rpartition(" ")[2]) for day in row["days"].split(" + "))
        for row in TABLE
        if row["days"]
    )


def test_each_row_of_the_table_is_what_the_directory_says() -> None:
    for row in TABLE:
        begins, ends, wanted = ms(row["from"]), ms(row["to"]), minutes_of(row["open"]) * MINUTE
        schedule = DIRECTORY.schedule_of(row["district"], row["department"], row["school"], begins)
        assert schedule.open_ms(ends) - schedule.open_ms(begins) == wanted, row
        if wanted:
            assert schedule.instant(schedule.open_ms(begins) + wanted) == ms(row["due"]), row


def test_days_have_the_numbers_that_schedules_use() -> None:
    assert (day_number(date(1970, 1, 1)), day_number(date(2026, 11, 24))) == (0, 20_781)
