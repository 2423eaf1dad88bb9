"""How busy a date is, and whether anybody is at a desk: school days, weekends, holidays, breaks and summer.

A made-up but typical calendar of a US district. The mean of `volume` over the school days of a week is 1.
"""

from datetime import date, timedelta
from functools import lru_cache

WEEKDAY_VOLUME = (1.18, 1.04, 0.97, 0.95, 0.86, 0.07, 0.1)
HOLIDAY_VOLUME = 0.08
BREAK_VOLUME = 0.12
SUMMER_VOLUME = 0.15
ENROLLMENT_VOLUME = 0.5

MONDAY, THURSDAY = 0, 3


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th (from 1) `weekday` (Monday is 0) of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """Single days on which the offices are closed, too."""
    thanksgiving = nth_weekday(year, 11, THURSDAY, 4)
    memorial = nth_weekday(year, 6, MONDAY, 1) - timedelta(days=7)
    return frozenset(
        {
            date(year, 1, 1),
            nth_weekday(year, 1, MONDAY, 3),
            nth_weekday(year, 2, MONDAY, 3),
            memorial,
            date(year, 6, 19),
            date(year, 7, 4),
            nth_weekday(year, 9, MONDAY, 1),
            thanksgiving,
            thanksgiving + timedelta(days=1),
            date(year, 12, 24),
            date(year, 12, 25),
        }
    )


def is_break(day: date) -> bool:
    """Winter and spring break: no school, the offices half asleep but staffed."""
    spring = nth_weekday(day.year, 3, MONDAY, 3)
    return (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 2) or spring <= day < spring + timedelta(days=5)


def is_summer(day: date) -> bool:
    return (6, 10) <= (day.month, day.day) < (8, 16)


def is_staffed(day: date) -> bool:
    """Whether the offices answer on this date."""
    return day.weekday() < 5 and day not in holidays(day.year)  # noqa: PLR2004 - Monday to Friday


def is_school_day(day: date) -> bool:
    return is_staffed(day) and not is_break(day) and not is_summer(day)


def volume(day: date) -> float:
    """New cases of a date relative to those of a mean school day."""
    if day in holidays(day.year):
        return HOLIDAY_VOLUME
    usual = WEEKDAY_VOLUME[day.weekday()]
    if is_break(day):
        return usual * BREAK_VOLUME
    if is_summer(day):
        return usual * (ENROLLMENT_VOLUME if (day.month, day.day) >= (8, 1) else SUMMER_VOLUME)
    return usual
