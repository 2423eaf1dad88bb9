"""What is measured: the one table from which counters, columns and SQL are made, and against which DDL and docs are held.

A measure is what episodes contribute (`contribution`): at a minute, in a place, two integers a and b. Its shape says what these
are and what is kept of them in every cell and window.
"""

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple


class Shape(Enum):
    COUNT = auto()
    """a is 1: how many."""
    PEOPLE = auto()
    """Messages, each of somebody or nobody: how many, and how many different people."""
    DURATION = auto()
    """a is calendar ms, b is business ms: how many, and on each clock sum, median and 90th percentile."""
    PROMISE = auto()
    """a is 1 when it was kept, else 0; b is 1 when nobody could be told in time: how many were due, kept, missed."""
    SHARE = auto()
    """a is 1 or 0: how many, and how many of them are 1."""
    RATING = auto()
    """a is a rating in ten-thousandths of 0..1: how many, sum, sum of squares, how many satisfied."""


class Measure(NamedTuple):
    """`counted` says what `_n` counts; `of` which time is measured, or what is so of those that are kept."""

    name: str
    shape: Shape
    prefix: str
    counted: str
    of: str = ""


MEASURES: Final = (
    Measure("contact", Shape.COUNT, "contact", "Questions received"),
    Measure("message", Shape.PEOPLE, "message", "Messages received, follow-ups included", "people who wrote"),
    Measure("response", Shape.DURATION, "response", "First responses given", "to first response"),
    Measure("response_due", Shape.PROMISE, "response", "Response deadlines that passed", "answered in time"),
    Measure("resolution", Shape.DURATION, "resolution", "Resolutions that hold", "to resolution"),
    Measure("reopened", Shape.COUNT, "resolution_reopened", "Resolutions of questions that had been reopened"),
    Measure("resolution_due", Shape.PROMISE, "resolution", "Resolution deadlines that passed", "resolved in time"),
    Measure("quality", Shape.SHARE, "quality", "Resolutions of questions that have a deadline", "in time and never reopened"),
    Measure("rating", Shape.RATING, "rating", "Ratings given"),
)
"""In the order of their columns. A measure's number is its place here."""
CONTACT, MESSAGE, RESPONSE, RESPONSE_DUE, RESOLUTION, REOPENED, RESOLUTION_DUE, QUALITY, RATING = range(len(MEASURES))

SATISFIED_BP: Final = 7500
"""A rating from here on is one of the top two of five."""
QUANTILES: Final = ("p50", "p90")
CLOCKS: Final = (("", "calendar milliseconds"), ("_business", "milliseconds of open hours"))


class Column(NamedTuple):
    """A column of `windows`: what it says, and what it is made of.

    `counters` add up to it; a `quantile` is (which of `QUANTILES`, series of the histograms); it counts people where it has neither.
    """

    name: str
    comment: str
    counters: tuple[str, ...] = ()
    quantile: tuple[int, int] | None = None


def of_shape(*shapes: Shape) -> Iterator[tuple[int, Measure]]:
    """Number and measure of all that have one of these shapes."""
    return ((number, measure) for number, measure in enumerate(MEASURES) if measure.shape in shapes)


def counters_of(measure: Measure) -> tuple[str, ...]:
    """What is added up of it in each cell and window; of a promise or a share first what is 1, then what is 0."""
    p = measure.prefix
    match measure.shape:
        case Shape.COUNT | Shape.PEOPLE:
            return (f"{p}_n",)
        case Shape.DURATION:
            return (f"{p}_n", f"{p}_sum_ms", f"{p}_sum_business_ms")
        case Shape.PROMISE:
            return (f"{p}_kept_n", f"{p}_missed_n")
        case Shape.SHARE:
            return (f"{p}_met_n", f"{p}_unmet_n")
        case Shape.RATING:
            return (f"{p}_n", f"{p}_sum_bp", f"{p}_sum_squares_bp2", f"{p}_satisfied_n")


def columns_of(measure: Measure) -> Iterator[Column]:
    """Its columns in `windows`, in order."""
    p, counted, of, counters = measure.prefix, measure.counted, measure.of, counters_of(measure)
    match measure.shape:
        case Shape.COUNT:
            yield Column(f"{p}_n", counted, counters)
        case Shape.PEOPLE:
            yield Column(f"{p}_n", counted, counters)
            yield Column("stakeholder_n", f"Distinct {of}")
        case Shape.DURATION:
            yield Column(f"{p}_n", counted, counters[:1])
            series = series_of(measure)
            for clock, (suffix, unit) in enumerate(CLOCKS):
                yield Column(f"{p}_sum{suffix}_ms", f"Sum of times {of}, {unit}", counters[1 + clock : 2 + clock])
                yield Column(f"{p}_p50{suffix}_ms", f"Median time {of}, {unit}, within 2.5 %", quantile=(0, series + clock))
                yield Column(f"{p}_p90{suffix}_ms", f"90th percentile of the time {of}, {unit}, within 2.5 %", quantile=(1, series + clock))
        case Shape.PROMISE:
            yield Column(f"{p}_due_n", counted, counters)
            yield Column(f"{p}_kept_n", f"Of those, {of}", counters[:1])
            yield Column(f"{p}_missed_n", f"Of those, not {of}", counters[1:])
        case Shape.SHARE:
            yield Column(f"{p}_n", counted, counters)
            yield Column(f"{p}_sum", f"Of those, {of}", counters[:1])
        case Shape.RATING:
            yield Column(f"{p}_n", counted, counters[:1])
            yield Column(f"{p}_sum_bp", "Sum of ratings, ten-thousandths of 0..1", counters[1:2])
            yield Column(f"{p}_sum_squares_bp2", "Sum of squared ratings, squared ten-thousandths", counters[2:3])
            yield Column(f"{p}_satisfied_n", "Ratings of 0.75 and more (top two of five)", counters[3:])


def series_of(measure: Measure) -> int:
    """The first of its two histograms, that of the calendar's clock; the business clock's is the next."""
    return len(CLOCKS) * [name.name for _, name in of_shape(Shape.DURATION)].index(measure.name)


COUNTERS: Final = tuple(counter for measure in MEASURES for counter in counters_of(measure))
"""What is counted and summed in every (cell, window)."""
SERIES: Final = len(CLOCKS) * sum(1 for _ in of_shape(Shape.DURATION))
"""Histograms of every (cell, window): one for each duration and clock."""
COLUMNS: Final = tuple(column for measure in MEASURES for column in columns_of(measure))
"""What a row of `windows` says beside its cell, window and version."""
