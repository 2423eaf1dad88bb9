"""Windows by example: edges, waiting, retraction, claims, and what a row looks like."""

from typing import Any

import numpy as np
import pytest

from projections.measures import CONTACT, QUALITY, RATING, RESOLUTION, RESPONSE, RESPONSE_DUE
from projections.panes import Panes
from projections.rows import WINDOW_COLUMNS
from projections.windows import Windows

NOON = 29_733_120  # a minute at which panes of every width begin
HOUR, DAY = 60, 1_440
NAMES = WINDOW_COLUMNS[:-2]


def windows_at(minute: int) -> Windows:
    windows = Windows()
    windows.advance(minute)
    return windows


def rows(columns: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(NAMES, row, strict=True)) for row in zip(*columns, strict=True)]


def contacts(windows: Windows, district: str = "north") -> list[int]:
    """How many contacts a district has in 1h, 24h, 7d, 28d."""
    return [row["contact_n"] for row in rows(windows.total(district))]


def contact(windows: Windows, minute: int, sign: int = 1, school: str = "", department: str = "") -> None:
    windows.add([CONTACT, minute, windows.place("north", school, department), 0, 0, sign])


def test_a_contact_now_is_in_all_windows_of_all_its_cells() -> None:
    windows = windows_at(NOON)
    contact(windows, NOON, school="lincoln", department="bus")
    changed = rows(windows.changed())
    assert [(row["scope"], row["school"], row["department"]) for row in changed[::4]] == [
        ("district", "", ""),
        ("school", "lincoln", ""),
        ("department", "", "bus"),
        ("school_department", "lincoln", "bus"),
    ]
    assert [row["window"] for row in changed] == ["1h", "24h", "7d", "28d"] * 4
    assert {row["contact_n"] for row in changed} == {1}
    assert {row["as_of"] for row in changed} == {NOON * 60}


@pytest.mark.parametrize(
    ("school", "department", "scopes"),
    [("", "", ["district"]), ("lincoln", "", ["district", "school"]), ("", "bus", ["district", "department"])],
)
def test_a_place_counts_only_where_it_is_named(school: str, department: str, scopes: list[str]) -> None:
    windows = windows_at(NOON)
    contact(windows, NOON, school=school, department=department)
    assert [row["scope"] for row in rows(windows.changed())[::4]] == scopes


@pytest.mark.parametrize(("window", "width", "panes"), [(0, 1, 60), (1, 15, 96), (2, 120, 84), (3, 720, 56)])
def test_the_trailing_edge_is_exact_to_the_pane(window: int, width: int, panes: int) -> None:
    #  pane 0 |contact ... | ... | pane n - 1 | pane n: now the contact is out
    windows = windows_at(NOON)
    contact(windows, NOON + 1 if width > 1 else NOON)
    windows.advance(NOON + width * panes - 1)
    assert contacts(windows)[window] == 1
    windows.advance(NOON + width * panes)
    assert contacts(windows)[window] == 0
    assert contacts(windows)[window + 1 :] == [1] * (3 - window)


def test_what_is_due_later_waits_for_its_minute() -> None:
    windows = windows_at(NOON)
    contact(windows, NOON + 5)
    assert windows.changed() == []
    windows.advance(NOON + 4)
    assert windows.changed() == []
    windows.advance(NOON + 5)
    assert contacts(windows) == [1, 1, 1, 1]
    assert len(rows(windows.changed())) == 4


def test_what_is_taken_back_while_it_waits_never_counts() -> None:
    windows = windows_at(NOON)
    contact(windows, NOON + 5)
    windows.changed()
    contact(windows, NOON + 5, sign=-1)
    assert windows.changed() == []
    windows.advance(NOON + 10)
    assert windows.changed() == []
    assert contacts(windows) == [0, 0, 0, 0]


@pytest.mark.parametrize("elapsed", [0, 30, HOUR, 3 * HOUR, DAY, 6 * DAY, 8 * DAY, 27 * DAY])
def test_a_retraction_finds_its_original_however_far_it_has_climbed(elapsed: int) -> None:
    windows = windows_at(NOON + 7)
    contact(windows, NOON + 7)
    for minute in range(0, elapsed + 1, max(1, elapsed // 5)):
        windows.advance(NOON + 7 + minute)
    assert sum(contacts(windows)) > 0
    contact(windows, NOON + 7, sign=-1)
    assert contacts(windows) == [0, 0, 0, 0]
    windows.advance(NOON + 100 * DAY)
    assert contacts(windows) == [0, 0, 0, 0]


def test_the_long_past_is_ignored_and_so_is_its_retraction() -> None:
    windows = windows_at(NOON)
    contact(windows, NOON - 40 * DAY)
    contact(windows, NOON - 40 * DAY, sign=-1)
    windows.add_message(NOON - 40 * DAY, windows.place("north", "", ""), "ana", 1)
    told = windows.changed()
    assert [sum(column) for column in told[6:]] == [0] * len(told[6:]), "its cells are written, as they were"


def test_a_jump_over_everything_leaves_zeros_and_says_so() -> None:
    windows = windows_at(NOON)
    contact(windows, NOON)
    contact(windows, NOON + 50)
    windows.changed()
    windows.advance(NOON + 100 * DAY)
    assert [row["contact_n"] for row in rows(windows.changed())] == [0, 0, 0, 0]
    assert windows.nbytes < 20_000


def test_time_never_goes_back() -> None:
    windows = windows_at(NOON)
    windows.advance(NOON - 1)
    assert windows.as_of == NOON


def test_nothing_new_is_nothing_changed() -> None:
    windows = windows_at(NOON)
    contact(windows, NOON)
    assert windows.changed() != []
    windows.advance(NOON + 1)
    assert windows.changed() == []


def test_one_who_writes_twice_is_one_stakeholder() -> None:
    windows = windows_at(NOON)
    bus, food = windows.place("north", "lincoln", "bus"), windows.place("north", "lincoln", "food")
    for place, who in ((bus, "ana"), (bus, "ana"), (food, "ana"), (food, "ben"), (food, "")):
        windows.add_message(NOON, place, who, 1)
    found = {(row["scope"], row["department"]): (row["message_n"], row["stakeholder_n"]) for row in rows(windows.changed())}
    assert found == {
        ("district", ""): (5, 2),
        ("school", ""): (5, 2),
        ("department", "bus"): (2, 1),
        ("school_department", "bus"): (2, 1),
        ("department", "food"): (3, 2),
        ("school_department", "food"): (3, 2),
    }


def test_one_who_writes_to_many_departments_in_one_batch_is_one_stakeholder_of_the_school() -> None:
    windows = windows_at(NOON)
    for department in ("bus", "food", "it", "bus", "nurse"):
        windows.add_message(NOON, windows.place("north", "lincoln", department), "ana", 1)
    assert rows(windows.total("north"))[0]["stakeholder_n"] == 1
    assert rows(windows.total("north", "school", "lincoln"))[0]["stakeholder_n"] == 1
    assert [rows(windows.total("north", "department", "", name))[0]["stakeholder_n"] for name in ("bus", "food", "it", "nurse")] == [1] * 4


def test_a_stakeholder_stays_until_the_last_message_leaves() -> None:
    windows = windows_at(NOON)
    place = windows.place("north", "", "")
    windows.add_message(NOON, place, "ana", 1)
    windows.advance(NOON + 30)
    windows.add_message(NOON + 30, place, "ana", 1)
    windows.add_message(NOON + 30, place, "ben", 1)
    windows.add_message(NOON + 30, place, "ben", -1)
    windows.advance(NOON + 89)
    assert rows(windows.total("north"))[0]["stakeholder_n"] == 1
    windows.advance(NOON + 90)
    assert [row["stakeholder_n"] for row in rows(windows.total("north"))] == [0, 1, 1, 1]


def test_ids_of_forgotten_stakeholders_are_used_again() -> None:
    windows = windows_at(NOON)
    place = windows.place("north", "lincoln", "bus")
    for month in range(5):
        windows.advance(NOON + month * 30 * DAY)
        for who in range(300):
            windows.add_message(windows.as_of, place, f"{month}-{who}", 1)
        assert [row["stakeholder_n"] for row in rows(windows.total("north"))] == [300] * 4
    assert len(windows._stakeholders) == 300
    assert windows._stakeholders._entry_ids.n == 301
    assert windows._stakeholders._pair_ids.n == 1 + 4 * 300


def test_a_message_of_the_next_minutes_waits_and_can_be_taken_back() -> None:
    windows = windows_at(NOON)
    place = windows.place("north", "", "")
    for who, sign in (("ana", 1), ("ben", 1), ("ben", -1)):
        windows.add_message(NOON + 2, place, who, sign)
    assert windows.changed() == []
    windows.advance(NOON + 2)
    assert [(row["message_n"], row["stakeholder_n"]) for row in rows(windows.changed())] == [(1, 1)] * 4


def test_a_claimed_cell_gives_zeros_in_all_windows() -> None:
    windows = windows_at(NOON)
    windows.claim("north", "school", "lee", "")
    changed = rows(windows.changed())
    assert [(row["district"], row["scope"], row["school"], row["department"], row["window"]) for row in changed] == [
        ("north", "school", "lee", "", window) for window in ("1h", "24h", "7d", "28d")
    ]
    assert not any(value for row in changed for name, value in row.items() if name in NAMES[6:])
    assert windows.changed() == []


def test_touching_all_gives_every_cell_once_more() -> None:
    windows = windows_at(NOON)
    contact(windows, NOON - 2 * DAY, school="lee")
    windows.changed()
    windows.touch_all()
    assert [row["contact_n"] for row in rows(windows.changed())] == [0, 0, 1, 1] * 2


def test_a_row_has_every_number_of_every_measure() -> None:
    windows = windows_at(NOON)
    place = windows.place("north", "", "")
    for record in (
        [RESPONSE, NOON, place, 4_000_000, 2_000_000, 1],
        [RESPONSE, NOON, place, 1_000_000, 10, 1],
        [RESOLUTION, NOON, place, 19, 12, 1],
        [RESPONSE_DUE, NOON, place, 1, 0, 1],
        [RESPONSE_DUE, NOON, place, 0, 0, 1],
        [QUALITY, NOON, place, 1, 0, 1],
        [QUALITY, NOON, place, 0, 0, 1],
        [RATING, NOON, place, 7_500, 0, 1],
        [RATING, NOON, place, 2_500, 0, 1],
    ):
        windows.add(record)
    row = rows(windows.total("north"))[0]
    assert {name: row[name] for name in NAMES[9:] if row[name] and "response_p" not in name} == {
        "response_n": 2,
        "response_sum_ms": 5_000_000,
        "response_sum_business_ms": 2_000_010,
        "response_due_n": 2,
        "response_kept_n": 1,
        "response_missed_n": 1,
        "resolution_n": 1,
        "resolution_sum_ms": 19,
        "resolution_p50_ms": 19,
        "resolution_p90_ms": 19,
        "resolution_sum_business_ms": 12,
        "resolution_p50_business_ms": 12,
        "resolution_p90_business_ms": 12,
        "quality_n": 2,
        "quality_sum": 1,
        "rating_n": 2,
        "rating_sum_bp": 10_000,
        "rating_sum_squares_bp2": 62_500_000,
        "rating_satisfied_n": 1,
    }
    assert row["response_p50_ms"] == pytest.approx(1_000_000, rel=0.0244)
    assert row["response_p90_ms"] == pytest.approx(4_000_000, rel=0.0244)
    assert row["response_p50_business_ms"] == 10


def test_columns_are_equally_long_and_named_as_in_the_table() -> None:
    windows = windows_at(NOON)
    contact(windows, NOON)
    columns = windows.changed()
    assert len(columns) == len(NAMES)
    assert {len(column) for column in columns} == {4}


def test_more_than_fits_one_filing_is_filed_in_parts() -> None:
    windows = windows_at(NOON)
    place = windows.place("north", "", "")
    windows.add([CONTACT, NOON, place, 0, 0, 1] * 70_000)
    windows.add([CONTACT, NOON, place, 0, 0, 1] * 10)
    assert contacts(windows) == [70_010] * 4
    assert windows.nbytes < 20_000 + 70_010 * 16


def test_panes_keep_few_runs_and_add_up() -> None:
    random = np.random.default_rng(3)
    panes, truth = Panes(), np.zeros((20, 50), np.int64)
    for _ in range(30):
        pane, key, amount = random.integers(0, 20, 3_000), random.integers(0, 50, 3_000), random.integers(-3, 4, 3_000)
        panes.add(pane, key, amount)
        np.add.at(truth, (pane, key), amount)
    found = np.zeros_like(truth)
    for last in (4, 4, 12, 19):
        taken = panes.take(last)
        assert (np.diff(taken.panes * 50 + taken.keys) > 0).all()
        np.add.at(found, (taken.panes, taken.keys), taken.amounts)
        assert (found[: last + 1] == truth[: last + 1]).all()
        assert not found[last + 1 :].any()
    assert len(panes) == 0
