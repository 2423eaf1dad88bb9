"""docs/score.md shows what the score of this commit does."""

from tests.contract.score_simulation import PAGE, SIZES, renewed, simulated


def test_the_table_is_current() -> None:
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page, "run: python -m tests.contract.score_simulation"


def test_the_score_is_nearer_to_the_truth_than_plain_means_and_its_interval_keeps_its_word() -> None:
    for row in map(simulated, SIZES):
        assert row.shrunk < row.raw
        assert 0.87 <= row.coverage <= 0.93
