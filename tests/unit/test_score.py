"""The score: a few answers make neither heroes nor villains, and the interval says how sure it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.score import NOTHING_KNOWN, AnswerTally, CellTallies, ScorePart, ScoreWeights, score

NOBODY = AnswerTally(0, 0, 0)


def ratings(*values: float) -> AnswerTally:
    return AnswerTally(len(values), sum(values), sum(value * value for value in values))


def tallies() -> st.SearchStrategy[AnswerTally]:
    return st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), max_size=60).map(lambda values: ratings(*values))


def shares() -> st.SearchStrategy[AnswerTally]:
    return st.integers(0, 200).flatmap(lambda n: st.integers(0, n).map(lambda met: AnswerTally.of_share(n, met)))


def cells() -> st.SearchStrategy[CellTallies]:
    return st.builds(CellTallies, tallies(), shares(), shares())


def test_by_hand() -> None:
    # S = (12 x 0.75 + 12 x 0.7) / 24, R = (30 + 12 x 0.7) / (40 + 12), Q = (5 + 12 x 0.7) / (8 + 12)
    found = score(CellTallies(ratings(*[0.75] * 12), AnswerTally.of_share(40, 30), AnswerTally.of_share(8, 5)))
    assert found.satisfaction_points == pytest.approx(50 * 0.725)
    assert found.response_points == pytest.approx(25 * 38.4 / 52)
    assert found.quality_points == pytest.approx(25 * 13.4 / 20)
    assert found.value == pytest.approx(50 * 0.725 + 25 * 38.4 / 52 + 25 * 0.67)
    assert found.reason == ""


def test_under_ten_ratings_there_is_no_score_and_the_reason_stands_there() -> None:
    nine, ten = (score(CellTallies(ratings(*[1.0] * n), NOBODY, NOBODY)) for n in (9, 10))
    assert (nine.value, nine.low, nine.high, nine.reason) == (None, None, None, "fewer than 10 ratings in 28 days")
    assert nine.satisfaction_points == pytest.approx(50 * (9 + 12 * 0.7) / 21)
    assert ten.value is not None


def test_a_school_is_pulled_towards_its_district_and_the_district_towards_what_is_usual() -> None:
    district = CellTallies(ratings(*[0.25] * 300), AnswerTally.of_share(500, 100), AnswerTally.of_share(500, 100))
    empty = score(CellTallies(ratings(*[0.25] * 10), NOBODY, NOBODY), district)
    assert empty.response_points == pytest.approx(25 * (100 + 12 * 0.7) / 512)
    assert score(CellTallies(NOBODY, NOBODY, NOBODY)).response_points == pytest.approx(25 * 0.7)


def test_ten_equal_ratings_are_not_certain() -> None:
    found = score(CellTallies(ratings(*[1.0] * 10), AnswerTally.of_share(10, 10), AnswerTally.of_share(10, 10)))
    assert found.value is not None
    assert found.low is not None
    assert found.value - found.low > 5


def test_weights_are_the_districts_own() -> None:
    found = score(CellTallies(ratings(*[1.0] * 20), AnswerTally.of_share(20, 0), NOBODY), weights=ScoreWeights(1.0, 0.0, 0.0, m=5))
    assert (found.value, found.response_points) == (pytest.approx(100 * (20 + 5 * 0.7) / 25), 0)


@given(cells(), st.none() | cells())
def test_points_add_up_and_the_interval_holds_the_score(cell: CellTallies, district: CellTallies | None) -> None:
    found = score(cell, district)
    if found.value is None:
        assert cell.satisfaction.n < 10
        return
    assert found.value == pytest.approx(found.satisfaction_points + found.response_points + found.quality_points)
    assert 0 <= _known(found.low) <= found.value <= _known(found.high) <= 100


@given(tallies(), st.floats(0, 1))
def test_a_part_lies_between_its_own_answers_and_its_parent(tally: AnswerTally, parent: float) -> None:
    part = ScorePart.pulled(tally, ScorePart(parent, parent, 0.0), 12)
    own = tally.total / tally.n if tally.n else parent
    assert min(own, parent) - 1e-9 <= part.mean <= max(own, parent) + 1e-9
    assert part.variance >= 0


@given(cells())
def test_more_of_the_same_answers_make_it_surer(cell: CellTallies) -> None:
    parts = [
        CellTallies(*(AnswerTally(t.n * k, t.total * k, t.squares * k) for t in (cell.satisfaction, cell.response, cell.quality)))
        for k in (1, 100)
    ]
    once, often = (each.parts(NOTHING_KNOWN, 12).satisfaction.variance for each in parts)
    assert often <= once + 1e-12


def _known(value: float | None) -> float:
    assert value is not None
    return value
