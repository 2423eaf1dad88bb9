"""The view `scores` says what `projections.score` says, for every kind of cell."""

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from events.directory import Directory
from projections.rows import WINDOW_COLUMNS
from projections.score import AnswerTally, CellTallies, ScoreWeights, score
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.store import Store
from tests.support.observers import Deaf

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

TALLIES = ("rating_n", "rating_sum_bp", "rating_sum_squares_bp2", "response_due_n", "response_kept_n", "quality_n", "quality_sum")
SHAPES = [
    ("district", "", ""),
    ("school", "north", ""),
    ("school", "south", ""),
    ("department", "", "bus"),
    ("school_department", "north", "bus"),
]
DISTRICTS = 2_000
"""With five cells each."""
SIZES = (0, 1, 9, 10, 11, 40, 5_000)

DIRECTORY = Directory.parse("""
revision: 3
zone: America/Chicago
hours: {monday: 08:00-16:00}
score: [{satisfaction: 0.6, response: 0.2, resolution: 0.2}]
districts:
  d1:
    score:
      - {satisfaction: 0.2, response: 0.4, resolution: 0.4, m: 30}
      - {satisfaction: 0.4, response: 0.4, resolution: 0.2, m: 5, valid_from: 2025-01-01}
      - {satisfaction: 1, response: 0, resolution: 0, m: 1, valid_from: 2039-01-01}
""")
FOR_ALL, WEIGHTS = ScoreWeights(0.6, 0.2, 0.2, 12), {"d1": ScoreWeights(0.4, 0.4, 0.2, 5)}

Numbers = dict[str, int]
Name = tuple[str, str, str, str]


def drawn(rng: np.random.Generator) -> Numbers:
    ratings, due, resolved = map(int, rng.choice(SIZES, 3))
    levels = np.array([0, 2_500, 5_000, 7_500, 10_000])
    counts = rng.multinomial(ratings, rng.dirichlet(np.ones(len(levels))))
    told = (ratings, counts @ levels, counts @ levels**2, due, rng.integers(0, due + 1), resolved, rng.integers(0, resolved + 1))
    return dict(zip(TALLIES, map(int, told), strict=True))


def cell(numbers: Numbers) -> CellTallies:
    return CellTallies(
        AnswerTally(numbers["rating_n"], numbers["rating_sum_bp"] / 1e4, numbers["rating_sum_squares_bp2"] / 1e8),
        AnswerTally.of_share(numbers["response_due_n"], numbers["response_kept_n"]),
        AnswerTally.of_share(numbers["quality_n"], numbers["quality_sum"]),
    )


@pytest.fixture(scope="module")
def told(clickhouse: "ClickHouseServer") -> tuple[dict[Name, Numbers], dict[Name, tuple[Any, ...]]]:
    """What was written of each cell, and what the view says of it."""
    server = ClickHouse(port=clickhouse.native_port, database="score_view")
    migrate(server)
    with server.connect() as client:
        write_directory(client, DIRECTORY)
    rng = np.random.default_rng(1)
    written = {(f"d{number}", *shape): drawn(rng) for number in range(DISTRICTS) for shape in SHAPES}
    rows = [_row(name, numbers) for name, numbers in written.items()]
    asyncio.run(_write(server, [list(column) for column in zip(*rows, strict=True)]))
    with server.connect() as client:
        found = client.execute(
            "SELECT district, scope, school, department, score, score_low, score_high, score_reason,"
            " satisfaction_points, response_points, quality_points FROM scores"
        )
    return written, {row[:4]: row[4:] for row in found}


def _row(name: Name, numbers: Numbers) -> list[Any]:
    known = dict(zip(("district", "scope", "school", "department"), name, strict=True)) | {"window": "28d", "as_of": 60} | numbers
    return [known.get(column, 0) for column in WINDOW_COLUMNS]


async def _write(server: ClickHouse, columns: list[Any]) -> None:
    store = Store(server, Deaf())
    await store.write({"windows": columns})
    await store.close()


def test_every_cell_has_the_score_of_the_reference(told: tuple[dict[Name, Numbers], dict[Name, tuple[Any, ...]]]) -> None:
    written, view = told
    assert view.keys() == written.keys()
    for name, numbers in written.items():
        district = None if name[1] == "district" else cell(written[name[0], "district", "", ""])
        wanted = score(cell(numbers), district, WEIGHTS.get(name[0], FOR_ALL))
        values = wanted.value, wanted.low, wanted.high
        assert view[name][3] == wanted.reason
        assert [v is None for v in view[name][:3]] == [v is None for v in values]
        for seen, expected in zip(view[name][:3] + view[name][4:], (*values, *_points(wanted)), strict=True):
            assert seen == (None if expected is None else pytest.approx(expected, abs=1e-9)), name


def _points(wanted: Any) -> tuple[float, float, float]:
    return wanted.satisfaction_points, wanted.response_points, wanted.quality_points
