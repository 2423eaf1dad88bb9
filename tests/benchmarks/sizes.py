"""How large the districts of a state are: a few of 200,000 students, many of 500. Benchmarks draw the same ones in Python and in SQL.

Sizes follow Zipf's law: of 1,200 districts the largest has a tenth of all students, and the smaller half have a tenth together.
"""

from dataclasses import replace
from math import log
from typing import Final

from streams.simulation.district import SimulatedDistrict, district

LARGEST: Final = 200_000
SMALLEST: Final = 500
DRAWN_PLACE: Final = "toUInt32(floor(exp(intHash64(number) / 18446744073709551616 * log(%(districts)s + 1)) - 1))"
"""SQL: the place, 0 for the largest, of the district that `number` falls into."""


def share(place: int, districts: int) -> float:
    """How much of everything falls into the district at `place`: the chance of `DRAWN_PLACE`."""
    return log((place + 2) / (place + 1)) / log(districts + 1)


def students(place: int, districts: int) -> int:
    return max(SMALLEST, round(LARGEST * share(place, districts) / share(0, districts)))


def sampled(place: int, districts: int, one_in: int) -> SimulatedDistrict:
    """The district with all its schools, of whose students one in so many writes."""
    whole = district(place, students(place, districts))
    return replace(whole, students=max(1, whole.students // one_in))
