"""Rolling numbers of every cell in four windows, kept by differences and read as absolute rows.

Takes signed contributions at any minute: the long past is ignored (also on retraction), the future waits for its minute.
What a row says depends on the sum of all contributions and on `as_of` alone, never on batches or on the order in which
time and contributions came. Knows neither a clock nor a sink.
"""

from array import array

import numpy as np
from numpy.typing import NDArray

from projections.deadlines import Deadlines
from projections.histogram import Histograms, keys_of
from projections.measures import COLUMNS, COUNTERS, MEASURES, SATISFIED_BP, Column, Shape, counters_of, of_shape, series_of
from projections.panes import WINDOWS, Ints, Rollup, oldest
from projections.place import SCOPES, Cell, Places, grown
from projections.rows import Columns
from projections.stakeholder import Stakeholders

LONGEST = len(WINDOWS) - 1
_NAMES = np.array(WINDOWS, np.object_)
_AT = {name: i for i, name in enumerate(COUNTERS)}
_SLOTS = 1 << (len(COUNTERS) - 1).bit_length()  # room for a counter in a key
_FIELDS = 6  # measure, minute, place, a, b, sign
_FULL = 65_536 * _FIELDS  # what may be put off until it is filed

SignedMessage = tuple[int, int, str, int]
"""(minute, place, stakeholder, 1 or -1)."""


def _taking(number: int) -> tuple[int, int]:
    """The counters that take a contribution of this measure: where a is not 1, and where it is."""
    names = counters_of(MEASURES[number])
    kept, otherwise = names[0], names[1] if MEASURES[number].shape in {Shape.PROMISE, Shape.SHARE} else names[0]
    return _AT[otherwise], _AT[kept]


_ONE_FOR = np.array([_taking(number) for number in range(len(MEASURES))], np.int64)
"""(measure, a == 1) -> the counter that takes the contribution's sign."""


_TIMED = np.array([number for number, _ in of_shape(Shape.DURATION)])
_SERIES_OF = np.zeros(len(MEASURES), np.int64)
_SERIES_OF[_TIMED] = [series_of(each) for _, each in of_shape(Shape.DURATION)]


class Counters:
    """Counts and sums of every (cell, window). Mutable. A key is place * `_SLOTS` + counter."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._totals = np.zeros(256 * len(COUNTERS), np.int64)

    def add(self, windows: Ints, keys: Ints, amounts: Ints) -> None:
        """Add each signed amount to its counter in all cells of its place."""
        self._reserve()
        rows = self._places.rows_of(keys // _SLOTS, windows)
        np.add.at(self._totals, (rows * len(COUNTERS) + (keys % _SLOTS)[:, None]).ravel(), np.repeat(amounts, SCOPES))

    def totals(self, rows: Ints) -> Ints:
        """(rows, counters)."""
        self._reserve()
        return self._totals.reshape(-1, len(COUNTERS))[rows]

    def _reserve(self) -> None:
        self._totals = grown(self._totals, self._places.rows_n * len(COUNTERS))


class Windows:
    """All windows of one partition. Mutable; the one owner of its arrays.

    Minutes are ms // 60000. Contributions are put off until something is read, so many small `add`s cost as one.
    """

    def __init__(self, as_of: int = 0) -> None:
        self._as_of = as_of
        self._places = Places()
        self._counters = Counters(self._places)
        self._histograms = Histograms(self._places)
        self._stakeholders = Stakeholders(self._places)
        self._counted = Rollup(self._counters, as_of)
        self._measured = Rollup(self._histograms, as_of, np.int32)
        self._met = Rollup(self._stakeholders, as_of, np.int32)
        self._deadlines = Deadlines(self._places, as_of)
        self._contributions: list[int] = []
        self._messages: list[SignedMessage] = []
        self._early: list[SignedMessage] = []

    @property
    def as_of(self) -> int:
        """The minute up to which, itself included, contributions are in."""
        return self._as_of

    def place(self, district: str, school: str, department: str) -> int:
        """Give the dense id of where something happened; '' for a school or a department that was not named."""
        return self._places.place(district, school, department)

    def add(self, contributions: list[int]) -> None:
        """Take flat records of six: measure, minute, place, a, b, sign (1 or -1), the first as in `measures`."""
        self._contributions += contributions
        if len(self._contributions) >= _FULL:
            self._file()

    def add_message(self, minute: int, place: int, stakeholder: str, sign: int) -> None:
        """Take (sign 1) or take back (-1) a stakeholder's message; '' counts as a message of nobody."""
        self._messages.append((minute, place, stakeholder, sign))

    def advance(self, minute: int) -> None:
        """Move the edges of all windows to `minute`; an earlier one changes nothing."""
        if minute <= self._as_of:
            return
        self._as_of = minute
        for rollup in (self._counted, self._measured, self._met, self._deadlines):
            rollup.advance(minute)
        self._messages += self._early
        self._early = []

    def claim(self, district: str, scope: str, school: str, department: str) -> None:
        """Let this cell be there, with zeros if nothing counts in it, and be among the next `changed`."""
        self._places.touch(self._places.cell(Cell(district, scope, school, department)))

    def touch_all(self) -> None:
        """Let every cell be among the next `changed`."""
        self._file()
        self._places.touch(slice(None))

    def changed(self) -> Columns:
        """Every (cell, window) touched or claimed since the last call, as `WINDOW_COLUMNS` up to partition and version.

        Equally long columns: lists of str for the names and the window, int64 arrays for numbers (`as_of` in seconds since
        the epoch), float64 arrays for the percentiles in ms (0.0 where n = 0).
        """
        self._file()
        return self._columns(self._places.take_touched())

    def total(self, district: str, scope: str = "district", school: str = "", department: str = "") -> Columns:
        """Give the four rows of one cell as they are now, shaped as `changed` gives them and touching nothing."""
        self._file()
        cell = self._places.cell(Cell(district, scope, school, department))
        return self._columns(np.arange(cell * len(WINDOWS), (cell + 1) * len(WINDOWS)))

    @property
    def nbytes(self) -> int:
        """Bytes in arrays that are in use, without the names."""
        tallies = self._places.rows_n * len(COUNTERS) * 8 + self._histograms.nbytes + self._stakeholders.nbytes
        return tallies + self._counted.nbytes + self._measured.nbytes + self._met.nbytes + self._deadlines.nbytes

    @property
    def cells(self) -> list[Cell]:
        """Every cell that anything was ever contributed to, by its number."""
        return self._places.cells

    def cells_of(self, places: Ints) -> Ints:
        """(places, 4): the numbers of the cells that each place counts in, 0 where there is none."""
        return self._places.cells_of[places].astype(np.int64)

    def due_since(self, first: Ints) -> Ints:
        """(cells, periods, 4): promises that came due in each cell from the minute `first[cell, period]` on (see `deadlines`)."""
        self._file()
        return self._deadlines.since(first)

    def _file(self) -> None:
        if self._contributions:
            records = np.frombuffer(array("q", self._contributions), np.int64).reshape(-1, _FIELDS)
            self._contributions = []
            self._counted.file(*_counted(records))
            self._measured.file(*_measured(records))
            self._deadlines.file(records)
            self._pass_by(records[:, 1], records[:, 2])
        if self._messages:
            self._file_messages()

    def _pass_by(self, minutes: Ints, places: Ints) -> None:
        """Let the cells of what is older than every window be written too: unchanged, but now with what came.

        Their rows say as of when they are right. A row of before would not be, if the longest window had held what came, then.
        """
        passed = np.unique(places[minutes < oldest(self._as_of, LONGEST)])
        self._places.rows_of(passed, np.full(len(passed), LONGEST))

    def _file_messages(self) -> None:
        messages, first = self._messages, oldest(self._as_of, LONGEST)
        self._messages = []
        held = [message for message in messages if first <= message[0] <= self._as_of]
        if len(held) < len(messages):
            self._set_aside(messages, first)
        if not held:
            return
        minutes, places, names, signs = zip(*held, strict=True)
        self._counted.file(np.array(minutes), np.array(places) * _SLOTS + _AT["message_n"], np.array(signs))
        if any(names):
            if not all(names):
                minutes, places, names, signs = zip(*(message for message in held if message[2]), strict=True)
            self._met.file(np.array(minutes), self._stakeholders.enter(places, names), np.array(signs))

    def _set_aside(self, messages: list[SignedMessage], first: int) -> None:
        """The future's wait for their minute; the cells of those from before `first` are written too."""
        self._early += [message for message in messages if message[0] > self._as_of]
        passed = [message for message in messages if message[0] < first]
        if passed:
            minutes, places, *_ = zip(*passed, strict=True)
            self._pass_by(np.array(minutes), np.array(places))

    def _columns(self, rows: Ints) -> Columns:
        if not len(rows):
            return []
        cells, windows = np.divmod(rows, len(WINDOWS))
        names = self._places.names[cells].T.tolist()
        total = dict(zip(COUNTERS, np.ascontiguousarray(self._counters.totals(rows).T), strict=True))
        quantiles = self._histograms.quantiles(rows)

        def numbers(column: Column) -> NDArray[np.int64] | NDArray[np.float64]:
            if column.quantile is not None:
                quantile: NDArray[np.float64] = quantiles[column.quantile]
                return quantile
            if not column.counters:
                return self._stakeholders.people(rows)
            counted: Ints = np.sum([total[counter] for counter in column.counters], axis=0)
            return counted

        return [*names, _NAMES[windows].tolist(), np.full(len(rows), self._as_of * 60), *map(numbers, COLUMNS)]


def _counted(records: Ints) -> tuple[Ints, Ints, Ints]:
    """Minutes, keys and amounts for the counters."""
    measure, minute, place, a, b, sign = records.T
    key = place * _SLOTS
    minutes, keys, amounts = [minute], [key + _ONE_FOR[measure, (a == 1).astype(np.intp)]], [sign]

    def put(chosen: NDArray[np.bool_], counter: str, amount: Ints) -> None:
        minutes.append(minute[chosen])
        keys.append(key[chosen] + _AT[counter])
        amounts.append((amount * sign)[chosen])

    for number, each in of_shape(Shape.DURATION):
        _, calendar, business = counters_of(each)
        put(measure == number, calendar, a)
        put(measure == number, business, b)
    for number, each in of_shape(Shape.RATING):
        rated, (_, total, squares, satisfied) = measure == number, counters_of(each)
        put(rated, total, a)
        put(rated, squares, a * a)
        put(rated & (a >= SATISFIED_BP), satisfied, np.ones_like(a))
    return np.concatenate(minutes), np.concatenate(keys), np.concatenate(amounts)


def _measured(records: Ints) -> tuple[Ints, Ints, Ints]:
    """Minutes, keys and amounts for the histograms."""
    timed = records[np.isin(records[:, 0], _TIMED)]
    measure, minute, place, a, b, sign = timed.T
    series = _SERIES_OF[measure]
    return np.tile(minute, 2), np.concatenate((keys_of(place, series, a), keys_of(place, series + 1, b))), np.tile(sign, 2)
