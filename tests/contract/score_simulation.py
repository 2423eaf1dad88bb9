"""How far the score is from the truth, by simulation: schools whose true service is known, and a few answers of each.

    python -m tests.contract.score_simulation        renews the table in docs/score.md

A district has 40 schools. The true shares of a school's answers are drawn around its district's (Dirichlet), so that the true
means of schools differ with the variance s² / m that the score assumes; then `n` ratings, and twice as many promises, are drawn.
`raw` takes the plain means of the answers, `shrunk` is the score. Everything here is invented.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from projections.score import FEWEST_RATINGS, NOTHING_KNOWN, Z90, AnswerTally, CellTallies, ScoreWeights, score

PAGE = Path(__file__).parents[2] / "docs" / "score.md"
BEGIN, END = "<!-- simulation -->\n", "<!-- /simulation -->\n"
SIZES = (5, 10, 20, 50)
DISTRICTS, SCHOOLS = 100, 40
LEVELS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
RATINGS = np.array([0.10, 0.10, 0.15, 0.25, 0.40])
KEPT, GOOD = np.array([0.2, 0.8]), np.array([0.3, 0.7])

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Of a district's schools: their true means, and how often each of `levels` was answered."""

    levels: Floats
    truth: Floats
    counts: NDArray[np.int64]

    def tally(self, school: int) -> AnswerTally:
        return self._tally(self.counts[school])

    def together(self) -> AnswerTally:
        return self._tally(self.counts.sum(axis=0))

    def _tally(self, counts: NDArray[np.int64]) -> AnswerTally:
        return AnswerTally(int(counts.sum()), float(counts @ self.levels), float(counts @ self.levels**2))


@dataclass(frozen=True)
class Row:
    """Root mean square errors in points of 100, and the share of intervals that hold the truth."""

    n: int
    raw: float
    shrunk: float
    coverage: float


def answers(rng: np.random.Generator, levels: Floats, shares: Floats, n: int) -> Answers:
    of_schools = rng.dirichlet(shares * (ScoreWeights().m - 1), size=SCHOOLS)  # variance s² / (concentration + 1)
    return Answers(levels, of_schools @ levels, rng.multinomial(n, of_schools))


def simulated(n: int) -> Row:
    found = np.array(list(_schools(n, np.random.default_rng(n))))
    errors = np.sqrt((found[:, :2] ** 2).mean(axis=0))
    return Row(n, float(errors[0]), float(errors[1]), float(found[:, 2].mean()))


def _schools(n: int, rng: np.random.Generator) -> Iterator[tuple[float, float, bool]]:
    """(error of the plain means, error of the score, whether its interval holds the truth)."""
    weights, yes = ScoreWeights(), np.array([0.0, 1.0])
    parts = (weights.satisfaction, weights.response, weights.quality)
    for _ in range(DISTRICTS):
        told = (answers(rng, LEVELS, RATINGS, n), answers(rng, yes, KEPT, 2 * n), answers(rng, yes, GOOD, 2 * n))
        district = CellTallies(*(each.together() for each in told))
        for school in range(SCHOOLS):
            cell = CellTallies(*(each.tally(school) for each in told))
            truth = 100 * sum(weight * float(each.truth[school]) for weight, each in zip(parts, told, strict=True))
            means = [tally.total / tally.n for tally in (cell.satisfaction, cell.response, cell.quality)]
            value, margin = _value(cell, district, weights)
            yield 100 * sum(w * m for w, m in zip(parts, means, strict=True)) - truth, value - truth, abs(value - truth) <= margin


def _value(cell: CellTallies, district: CellTallies, weights: ScoreWeights) -> tuple[float, float]:
    """The score and its margin, also where there are too few ratings to tell them."""
    found = score(cell, district, weights)
    value = found.satisfaction_points + found.response_points + found.quality_points
    parts = cell.parts(district.parts(NOTHING_KNOWN, weights.m), weights.m)
    weighed = (
        (weights.satisfaction, parts.satisfaction),
        (weights.response, parts.response),
        (weights.quality, parts.quality),
    )
    return value, Z90 * 100 * sum(weight * weight * part.variance for weight, part in weighed) ** 0.5


def table() -> str:
    lines = [
        "| ratings of a school | error of the plain means | error of the score | intervals of 90 % that hold the truth |",
        "|---|---|---|---|",
    ]
    for row in map(simulated, SIZES):
        note = "" if row.n >= FEWEST_RATINGS else " (not shown to readers)"
        lines.append(f"| {row.n}{note} | {row.raw:.1f} | {row.shrunk:.1f} | {row.coverage:.0%} |")
    return "\n".join(lines) + "\n"


def renewed(page: str) -> str:
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    return head + BEGIN + table() + END + tail


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
