"""Buckets are narrow enough, and counts in them give quantiles by nearest rank."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.histogram import BUCKETS, STARTS, VALUES, Histograms, bucket_of
from projections.place import Places

DAY_MS = 86_400_000
P50, P90 = 0, 1


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


class Filled:
    """One place's histogram of response times in the 28 days' window."""

    def __init__(self) -> None:
        self.places = Places()
        self.place = self.places.place("north", "", "")
        self.histograms = Histograms(self.places)

    def add(self, durations: list[int], sign: int = 1) -> None:
        keys = self.place * 4 * BUCKETS + bucket_of(ints(*durations))
        self.histograms.add(np.full(len(durations), 3), keys, np.full(len(durations), sign))

    def quantiles(self) -> tuple[float, float]:
        p50, p90 = self.histograms.quantiles(ints(1 * 4 + 3))
        return float(p50[0, 0]), float(p90[0, 0])


@given(st.one_of(st.integers(0, 1_000), st.integers(0, DAY_MS), st.integers(0, 5_000 * DAY_MS)))
def test_a_bucket_stands_for_each_of_its_values_within_two_and_a_half_percent(duration: int) -> None:
    assert abs(VALUES[bucket_of(ints(duration))[0]] - duration) <= 0.0244 * duration


@pytest.mark.parametrize("bucket", range(BUCKETS - 1))
def test_both_ends_of_every_bucket_are_close_to_what_it_stands_for(bucket: int) -> None:
    for end in (int(STARTS[bucket]), int(STARTS[bucket + 1]) - 1):
        assert bucket_of(ints(end))[0] == bucket
        assert abs(VALUES[bucket] - end) <= 0.0244 * end


def test_buckets_cover_well_over_400_days_and_what_is_beyond_falls_into_the_last() -> None:
    assert STARTS[-1] > 10 * 400 * DAY_MS
    assert bucket_of(ints(10**17))[0] == BUCKETS - 1


def test_buckets_leave_no_gap() -> None:
    assert STARTS[0] == 0
    assert all(before < after for before, after in pairwise(STARTS.tolist()))


def test_short_durations_are_exact() -> None:
    assert VALUES[bucket_of(np.arange(20))].tolist() == list(range(20))


def test_an_empty_histogram_has_quantiles_of_zero() -> None:
    assert Filled().quantiles() == (0.0, 0.0)


@pytest.mark.parametrize(
    ("n", "p50", "p90"),
    [(1, 1, 1), (2, 1, 2), (3, 2, 3), (9, 5, 9), (10, 5, 9), (11, 6, 10), (20, 10, 18)],
)
def test_quantiles_are_by_nearest_rank(n: int, p50: int, p90: int) -> None:
    filled = Filled()
    filled.add(list(range(1, n + 1)))
    assert filled.quantiles() == (p50, p90)


def test_what_is_taken_back_is_gone_and_its_page_is_used_again() -> None:
    filled = Filled()
    filled.add([5, 6, 7])
    filled.quantiles()
    size = filled.histograms.nbytes
    filled.add([5, 6, 7], sign=-1)
    assert filled.quantiles() == (0.0, 0.0)
    filled.add([DAY_MS])
    assert filled.quantiles()[P50] == pytest.approx(DAY_MS, rel=0.0244)
    assert filled.histograms.nbytes == size


def test_taking_back_what_never_was_spoils_no_other_histogram() -> None:
    filled = Filled()
    filled.add([1])
    filled.add([2], sign=-1)
    filled.add([DAY_MS])
    assert filled.quantiles()[P50] == pytest.approx(DAY_MS, rel=0.0244)


def test_a_quantile_is_found_across_pages() -> None:
    filled = Filled()
    filled.add([1] * 89 + [DAY_MS] * 11)
    p50, p90 = filled.quantiles()
    assert p50 == 1
    assert p90 == pytest.approx(DAY_MS, rel=0.0244)


def test_histograms_grow_with_the_cells() -> None:
    filled = Filled()
    filled.add([7])
    for school in range(400):
        place = filled.places.place("north", f"school-{school}", "bus")
        filled.histograms.add(ints(3), ints(place * 4 * BUCKETS + school % 20), ints(1))
    every = filled.histograms.quantiles(np.arange(3, filled.places.rows_n, 4))
    assert every.shape == (2, 4, filled.places.rows_n // 4)
    last_school = filled.places.rows_n // 4 - 2
    assert every[P90, 0, last_school] == 399 % 20
