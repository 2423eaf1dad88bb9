"""The wall clocks of the world: stretches of time in which a zone's offset does not change, from 2000 to 2040.

Days are numbers since the epoch, instants milliseconds since it.
"""

from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000
_SECOND_MS = 1_000
FIRST, LAST = date(2000, 1, 1), date(2040, 12, 31)
"""First and last day of the wall clock that schedules know."""

_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Stretch(NamedTuple):
    """Between two changes of the clock: `begins` <= instant < `ends`, and the wall clock shows instant + `offset`."""

    begins: int
    ends: int
    offset: int


def day_number(day: date) -> int:
    """Days since the epoch."""
    return day.toordinal() - _EPOCH_DAY


BEGIN = (day_number(FIRST) - 1) * DAY_MS
END = (day_number(LAST) + 2) * DAY_MS
"""A day before `FIRST`, and one after `LAST`, wherever one is."""


@lru_cache(maxsize=64)
def stretches(zone: str) -> tuple[Stretch, ...]:
    """All stretches of the zone, without gaps, from `BEGIN` to `END`."""
    clock = ZoneInfo(zone)
    offsets = [(at, _offset(clock, at)) for at in range(BEGIN, END, DAY_MS)]
    changes = [_change(clock, *before, at) for (before, (at, offset)) in pairwise(offsets) if before[1] != offset]
    return tuple(Stretch(begins, ends, _offset(clock, begins)) for begins, ends in pairwise([BEGIN, *changes, END]))


def midnight(zone: str, day: date) -> int:
    """The first instant at which the wall clock shows this day or a later one (a day may be left out, its midnight too)."""
    local = day_number(day) * DAY_MS
    return next(max(begins, local - offset) for begins, ends, offset in stretches(zone) if local < ends + offset)


def _change(clock: ZoneInfo, before: int, offset: int, after: int) -> int:
    """Instant, to the second, of the one change of offset between two."""
    while after - before > _SECOND_MS:
        middle = (before + after) // 2_000 * 1_000
        before, after = (middle, after) if _offset(clock, middle) == offset else (before, middle)
    return after


def _offset(clock: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at // 1_000, clock).utcoffset()
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * 1_000
