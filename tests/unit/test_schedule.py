from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.schedule import Schedule
from events.zone import FIRST, LAST

MINUTE, HOUR = 60_000, 3_600_000
CHICAGO = "America/Chicago"
OFFICE = {day: [(8 * HOUR, 16 * HOUR)] for day in range(5)}


def at(text: str, zone: str = CHICAGO) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000)


def open_between(schedule: Schedule, begins: int, ends: int) -> int:
    return schedule.open_ms(ends) - schedule.open_ms(begins)


def minutes_open(zone: str, hours: dict[int, list[tuple[int, int]]], closed: set[date], begins: int, ends: int) -> int:
    """Brute force: asks the wall clock at each minute."""
    clock, total = ZoneInfo(zone), 0
    for instant in range(begins, ends, MINUTE):
        wall = datetime.fromtimestamp(instant // 1_000, clock)
        since_midnight = wall.hour * HOUR + wall.minute * MINUTE
        if wall.date() not in closed and any(opens <= since_midnight < closes for opens, closes in hours.get(wall.weekday(), [])):
            total += MINUTE
    return total


@st.composite
def weeks(draw: st.DrawFn) -> dict[int, list[tuple[int, int]]]:
    """Up to three intervals on some days; edges on quarters of an hour, often in the hours when clocks change."""
    quarters = st.one_of(st.integers(0, 96), st.integers(0, 16))
    days = draw(st.lists(st.integers(0, 6), min_size=1, unique=True))
    edges = {day: sorted(draw(st.lists(quarters, min_size=2, max_size=6, unique=True))) for day in days}
    return {day: [(a * 15 * MINUTE, b * 15 * MINUTE) for a, b in zip(some[::2], some[1::2], strict=False)] for day, some in edges.items()}


# Weeks in which the clock changes (Lord Howe by half an hour, Havana and Cairo at midnight), and a plain one.
CHANGES = st.sampled_from(
    [
        (CHICAGO, datetime(2026, 3, 8, tzinfo=UTC)),
        (CHICAGO, datetime(2026, 11, 1, tzinfo=UTC)),
        ("Europe/Rome", datetime(2026, 3, 29, tzinfo=UTC)),
        ("Europe/Rome", datetime(2026, 10, 25, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
        ("America/Havana", datetime(2026, 3, 8, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 4, 24, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 6, 1, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),  # the day that did not exist
    ]
)


@given(CHANGES, weeks(), st.sets(st.integers(-1, 2)), st.integers(-60 * 24, 60 * 24), st.integers(0, 60 * 36))
@settings(max_examples=60, deadline=None)
def test_open_time_is_what_the_wall_clock_shows(
    change: tuple[str, datetime], hours: dict[int, list[tuple[int, int]]], closed_days: set[int], shift: int, length: int
) -> None:
    zone, day = change
    closed = {(day + timedelta(days=number)).date() for number in closed_days}
    begins = round(day.timestamp() * 1_000) + shift * MINUTE
    ends = begins + length * MINUTE
    schedule = Schedule(zone, hours, closed)
    assert open_between(schedule, begins, ends) == minutes_open(zone, hours, closed, begins, ends)


CHICAGO_OFFICE = Schedule(CHICAGO, OFFICE, [date(2026, 11, 26), date(2026, 11, 27)])
INSTANTS = st.integers(at("2026-11-20T00:00"), at("2026-12-05T00:00"))


@given(INSTANTS, st.integers(1, 200 * HOUR))
def test_an_instant_is_the_earliest_at_which_the_open_time_has_passed(received: int, target: int) -> None:
    wanted = CHICAGO_OFFICE.open_ms(received) + target
    due = CHICAGO_OFFICE.instant(wanted)
    assert due > received
    assert CHICAGO_OFFICE.open_ms(due) == wanted
    assert CHICAGO_OFFICE.open_ms(due - 1) == wanted - 1


@given(INSTANTS, INSTANTS, INSTANTS)
def test_open_time_adds_up_and_never_falls(one: int, two: int, three: int) -> None:
    first, middle, last = sorted([one, two, three])
    whole = open_between(CHICAGO_OFFICE, first, last)
    assert whole == open_between(CHICAGO_OFFICE, first, middle) + open_between(CHICAGO_OFFICE, middle, last)
    assert 0 <= whole <= last - first


@pytest.mark.parametrize(
    ("begins", "ends", "hours"),
    [
        ("2026-11-23T09:00", "2026-11-23T11:30", 2.5),  # within a day
        ("2026-11-23T15:00", "2026-11-24T09:00", 2),  # over a night
        ("2026-11-20T15:00", "2026-11-23T09:00", 2),  # over a weekend
        ("2026-11-25T15:00", "2026-11-30T09:00", 2),  # over two closed days and a weekend
        ("2026-11-22T09:00", "2026-11-22T18:00", 0),  # a Sunday
        ("2026-11-23T06:00", "2026-11-23T08:00", 0),  # before it opens
    ],
)
def test_open_hours_between(begins: str, ends: str, hours: float) -> None:
    assert open_between(CHICAGO_OFFICE, at(begins), at(ends)) == hours * HOUR


def test_a_day_that_is_open_round_the_clock_has_23_or_25_hours_when_the_clock_changes() -> None:
    always = Schedule(CHICAGO, {day: [(0, 24 * HOUR)] for day in range(7)})
    assert open_between(always, at("2026-03-08T00:00"), at("2026-03-09T00:00")) == 23 * HOUR
    assert open_between(always, at("2026-11-01T00:00"), at("2026-11-02T00:00")) == 25 * HOUR
    assert len(always.openings()) == 1


def test_openings_are_apart_in_order_and_count_what_was_before() -> None:
    openings = CHICAGO_OFFICE.openings()
    total, last = 0, 0
    for opens, closes, before in openings:
        assert last < opens < closes
        assert before == total
        total, last = total + closes - opens, closes
    assert (at("2026-11-25T08:00"), at("2026-11-25T16:00")) in {(opens, closes) for opens, closes, _ in openings}
    assert at("2026-11-26T08:00") not in {opens for opens, _, _ in openings}


def test_outside_the_table_no_open_time_passes() -> None:
    opens, closes = CHICAGO_OFFICE.openings()[0][0], CHICAGO_OFFICE.openings()[-1][1]
    assert opens == at("2000-01-03T08:00")
    assert closes == at("2040-12-31T16:00")
    assert (date(2000, 1, 1), date(2040, 12, 31)) == (FIRST, LAST)
    assert CHICAGO_OFFICE.open_ms(0) == CHICAGO_OFFICE.open_ms(opens) == 0
    assert CHICAGO_OFFICE.open_ms(closes) == CHICAGO_OFFICE.open_ms(closes + 10**12)
    assert CHICAGO_OFFICE.instant(-5) == CHICAGO_OFFICE.instant(0) == opens
    assert CHICAGO_OFFICE.instant(10**15) == closes


def test_on_a_schedule_that_never_opens_nothing_falls_due() -> None:
    """As where the closed days of a district and a school leave none."""
    never = Schedule(CHICAGO, {})
    assert never.open_ms(at("2026-11-23T10:00")) == 0
    assert never.instant(HOUR) == never.instant(0) > at("2040-12-31T16:00")
