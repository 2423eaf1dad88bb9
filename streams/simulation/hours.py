"""Clocks that stand still while nobody is there: staff answer in office hours, families write while awake.

A table of openings and two interpolations turn "after 90 minutes of working time" into instants, for whole columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.simulation.school_year import is_staffed

Millis = NDArray[np.int64]
Floats = NDArray[np.float64]

HOUR_MS = 3_600_000
OFFICE = (7.5, 16.5)
AWAKE = (6.25, 22.5)
HORIZON_DAYS = 200


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening times as two columns of equal length: instants (ms since the epoch) and the open ms that lie before them."""

    instants: Floats
    open_ms: Floats

    def after(self, start: Millis, open_ms: Floats) -> Millis:
        """The instants at which the clock has run `open_ms` longer than at `start`."""
        reached = np.interp(start, self.instants, self.open_ms) + np.maximum(open_ms, 1.0)
        return np.maximum(np.interp(reached, self.open_ms, self.instants).astype(np.int64), start + 1)


def midnight(day: date, zone: ZoneInfo) -> int:
    """The instant at which a date begins, ms since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


@lru_cache(maxsize=16)
def office_hours(month: date, zone: ZoneInfo) -> Hours:
    """Working time from the first day of a month on; enough for whatever begins in that month."""
    return _table(month, zone, OFFICE, is_staffed)


@lru_cache(maxsize=16)
def waking_hours(month: date, zone: ZoneInfo) -> Hours:
    return _table(month, zone, AWAKE, lambda _: True)


def _table(first: date, zone: ZoneInfo, hours: tuple[float, float], is_open: Callable[[date], bool]) -> Hours:
    days = (first + timedelta(days=i) for i in range(-1, HORIZON_DAYS))
    openings = [midnight(day, zone) for day in days if is_open(day)]
    instants = [at + hour * HOUR_MS for at in openings for hour in hours]
    length = (hours[1] - hours[0]) * HOUR_MS
    # One millisecond passes overnight, so that both columns increase and either can be looked up in the other.
    open_ms = [i * (length + 1) + end for i in range(len(openings)) for end in (0.0, length)]
    return Hours(np.array(instants, dtype=np.float64), np.array(open_ms, dtype=np.float64))
