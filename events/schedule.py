"""Working time: how long a department was open between two instants, and when so much open time has passed.

An instant is open when the wall clock of the zone then shows an open hour, so a night that a clock change makes longer
or shorter counts as long as it was. Open time is added up once, from 2000 to 2040, and kept for every 128th day only; of a
span that somebody asks about a table of its openings is made and stays. A question is two look-ups in short tables, and a
schedule takes 10 kB and 12 more for each span in use, where a table of all its openings would take a megabyte.

Before those years no open time has passed, and after them none passes any more: an instant is never earlier than the first
opening nor later than the last closing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from events.zone import BEGIN, DAY_MS, END, FIRST, LAST, Stretch, day_number, stretches

Pair = tuple[int, int]
Intervals = Sequence[Pair]
"""Open hours of a day: pairs of milliseconds since the wall clock's midnight, ascending, apart, up to 24 h."""
Hours = Mapping[int, Intervals]
"""Open hours by weekday, Monday 0."""
Season = tuple[date, date, Hours]
"""First and last day of a time of the year with other weekly hours. Seasons are apart."""
Days = frozenset[int]
"""Days of the wall clock, as numbers since the epoch."""
Table = tuple[list[int], list[int], list[int]]
"""When each opening of a span begins, how much was open before it, and with it; first, one without length where the span begins."""

SPAN_MS = 128 * DAY_MS
_FIRST, _LAST = day_number(FIRST), day_number(LAST)
_MONDAY = 3
"""The epoch was a Thursday: with this added, every seventh day is a Monday."""


class Schedule:
    """Instants and open time are milliseconds. What it answers never changes; only the tables of spans come as they are needed."""

    __slots__ = ("_closed", "_first", "_holidays", "_hours", "_last", "_others", "_seasons", "_sums", "_tables", "zone")

    def __init__(
        self,
        zone: str,
        hours: Hours,
        closed: Iterable[date] = (),
        *,
        holidays: Days = frozenset(),
        seasons: Iterable[Season] = (),
        others: Mapping[date, Intervals] | None = None,
    ) -> None:
        """Days are dates of the wall clock. `others` have hours of their own; what is closed is closed in any case.

        `holidays` are closed too; many schedules share one set. On a schedule that never opens nothing falls due before 2041.
        """
        self.zone = zone
        self._hours = hours
        self._closed = frozenset(map(day_number, closed))
        self._holidays = holidays
        self._seasons = [(day_number(first), day_number(last), own) for first, last, own in seasons]
        self._others = {day_number(day): tuple(intervals) for day, intervals in (others or {}).items()}
        self._tables: dict[int, Table] = {}
        openings = self.openings()
        self._first, self._last = (openings[0][0], openings[-1][1]) if openings else (END, END)
        self._sums = _sums(openings)

    def open_ms(self, at: int) -> int:
        """Open time from the beginning of 2000 to `at`."""
        number = (at - BEGIN) // SPAN_MS
        table = self._tables.get(number)  # the span in a dictionary and 7 steps in C: 0.3 us; 0.38 with one table of all openings
        if table is None:
            if at <= self._first or at >= self._last:
                return 0 if at <= self._first else self._sums[-1]
            table = self._table(number)
        opens, before, ends = table
        row = bisect_right(opens, at) - 1
        passed, whole = before[row] + at - opens[row], ends[row]
        return passed if passed < whole else whole  # noqa: FURB136 - half the time of min

    def instant(self, open_ms: int) -> int:
        """Earliest instant at which so much open time has passed since the beginning of 2000."""
        if open_ms <= 0:
            return self._first
        number = bisect_left(self._sums, open_ms) - 1
        if number == len(self._sums) - 1:
            return self._last
        opens, before, ends = self._tables.get(number) or self._table(number)
        row = bisect_left(ends, open_ms)
        return opens[row] + open_ms - before[row]

    def openings(self) -> list[tuple[int, int, int]]:
        """Every opening: opens at, closes at, open time before it."""
        openings, total = [], 0
        for opens, closes in _merged(self._intervals(BEGIN, END)):
            openings.append((opens, closes, total))
            total += closes - opens
        return openings

    def hours_on(self, day: int) -> Intervals:
        """Open hours of a day (its number since the epoch), by the wall clock."""
        if day in self._holidays or day in self._closed:
            return ()
        if day in self._others:
            return self._others[day]
        hours = next((own for first, last, own in self._seasons if first <= day <= last), self._hours) if self._seasons else self._hours
        return hours.get((day + _MONDAY) % 7, ())

    def weekly(self, weekday: int) -> Intervals:
        """Open hours of a weekday, Monday 0, where nothing else is said."""
        return self._hours.get(weekday, ())

    def _table(self, number: int) -> Table:
        begins, total = BEGIN + number * SPAN_MS, self._sums[number]
        opens, before, ends = [begins], [total], [total]
        for opens_at, closes_at in _merged(self._intervals(begins, begins + SPAN_MS)):
            opens.append(opens_at)
            before.append(total)
            total += closes_at - opens_at
            ends.append(total)
        self._tables[number] = opens, before, ends
        return opens, before, ends

    def _intervals(self, begins: int, ends: int) -> Iterator[Pair]:
        """Yield what is open between two instants, in order: the wall clock's days within each stretch of the zone."""
        for stretch in stretches(self.zone):
            here = Stretch(max(begins, stretch.begins), min(ends, stretch.ends), stretch.offset)
            first, last = (here.begins + here.offset) // DAY_MS, (here.ends - 1 + here.offset) // DAY_MS
            for day in range(max(_FIRST, first), min(_LAST, last) + 1):
                yield from _clipped(here, day, self.hours_on(day))


def _clipped(stretch: Stretch, day: int, intervals: Intervals) -> Iterator[Pair]:
    """Yield intervals of a day of the wall clock as instants, as far as they lie in this stretch."""
    begins, ends, offset = stretch
    midnight = day * DAY_MS - offset
    for opens, closes in intervals:
        clipped = max(begins, midnight + opens), min(ends, midnight + closes)
        if clipped[0] < clipped[1]:
            yield clipped


def _merged(intervals: Iterable[Pair]) -> Sequence[Pair]:
    """Join intervals that touch, such as at midnight."""
    merged: list[Pair] = []
    for opens, closes in intervals:
        if merged and merged[-1][1] == opens:
            merged[-1] = (merged[-1][0], closes)
        else:
            merged.append((opens, closes))
    return merged


def _sums(openings: Sequence[tuple[int, int, int]]) -> list[int]:
    """Open time up to the beginning of each span, and up to the end of the last one."""
    opens = [opens_at for opens_at, _, _ in openings]
    sums = []
    for begins in range(BEGIN, END + SPAN_MS, SPAN_MS):
        row = bisect_right(opens, begins) - 1
        if row < 0:
            sums.append(0)
        else:
            opens_at, closes_at, before = openings[row]
            sums.append(before + min(begins, closes_at) - opens_at)
    return sums
