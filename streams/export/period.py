"""Days of a district's own calendar, and the instants between which they lie."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

from events.exit_code import ExitCode
from events.zone import midnight

FIRST_DAY: Final = date(1970, 1, 1)
DAYS: Final = 28
"""Of the period that is meant where none is named: that of the score."""
MINUTE_MS: Final = 60_000


class NoPeriod(ValueError):
    """The days asked for are no period; says why, and what can be asked for."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Period:
    """From `first` to `last`, both included."""

    first: date
    last: date

    @classmethod
    def asked(cls, first: date | None, last: date, newest: date) -> Self:
        """28 days where `first` is left out. Raises `NoPeriod`, also for what ends after the `newest` day there is."""
        if last > newest:
            raise NoPeriod(f"--to {last} lies in the future: leave it out to export up to now")
        first = max(FIRST_DAY, last - timedelta(days=DAYS - 1)) if first is None else first
        if first < FIRST_DAY:
            raise NoPeriod(f"--from {first}: days are counted from {FIRST_DAY} on")
        if first > last:
            raise NoPeriod(f"--from {first} is after --to {last}: a period begins before it ends")
        return cls(first, last)

    def begin(self, zone: str) -> int:
        """The first instant, ms."""
        return midnight(zone, self.first)

    def end(self, zone: str) -> int:
        """The first instant after it, ms."""
        return midnight(zone, self.last + timedelta(days=1))

    def part(self, begins: date, length: str) -> "Period":
        """The day, week or month that begins on a day, as far as it lies in this period; '' is all of it."""
        days = {"day": 1, "week": 7, "month": monthrange(begins.year, begins.month)[1]}
        last = begins + timedelta(days=days[length] - 1) if length else self.last
        return Period(max(begins, self.first), min(last, self.last))
