"""What a rebuild folds case by case from a set of events is what a worker made of them record by record."""

from collections import defaultdict
from typing import Any

from hypothesis import given

from projections.archive import Archived
from projections.partition import Entry
from projections.replay import Replay
from projections.rows import CASE_COLUMNS, WINDOW_COLUMNS
from tests.support.histories import logs
from tests.support.stories import DAY, DISTRICT, PROMISES, START, contact, entries, folded, reply, resolution, rows

CELL = ("district", "scope", "school", "department", "window")
CASE = ("opened_at", "subject", "episode")


def archived(log: list[Entry]) -> list[Archived]:
    """What the archive makes of the records: each event once, under its largest offset."""
    cases: dict[tuple[str, str], dict[Any, tuple[int, Any]]] = defaultdict(dict)
    for offset, _, _, district, subject, event in log:
        cases[district, subject][repr(event)] = offset, event
    return [Archived(*key, max(o for o, _ in kept.values()), [e for _, e in reversed(kept.values())]) for key, kept in cases.items()]


def replay_of(log: list[Entry], clock: int, settled: int | None = None) -> Replay:
    return Replay(0, PROMISES, 1, clock, settled=(log[-1][0] + 1) if settled is None else settled)


def by_key(stored: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    return {tuple(row[k] for k in CASE): row for row in stored}


@given(logs())
def test_cases_and_windows_are_those_of_the_fold(log: list[Entry]) -> None:
    log = [(offset, timestamp, True, *rest) for offset, timestamp, _, *rest in log]  # type: ignore[misc] # accepted, all of them
    partition, tables = folded(log)
    replay = replay_of(log, partition.clock)
    made = rows(replay.fold(archived(log)), CASE_COLUMNS)
    kept = [row for row in tables.cases.values() if not row["is_deleted"]]
    assert by_key(made) == by_key(kept)
    assert numbers(rows(replay.windows(), WINDOW_COLUMNS)) == numbers(tables.windows.values())


def numbers(stored: Any) -> dict[Any, dict[str, Any]]:
    """Windows that say anything, without what tells when they were written."""
    return {
        tuple(row[k] for k in CELL): {k: v for k, v in row.items() if k not in {"as_of", "version"}}
        for row in stored
        if any(v for k, v in row.items() if k.endswith("_n"))
    }


def test_a_case_that_its_worker_is_writing_has_no_row_but_counts_in_the_windows() -> None:
    log = [*entries([contact(0), reply(1)], "case-1"), *entries([contact(2)], "case-2", first=2)]
    replay = replay_of(log, START + DAY, settled=2)
    assert {row["subject"] for row in rows(replay.fold(archived(log)), CASE_COLUMNS)} == {"case-1"}
    [district] = [r for r in rows(replay.windows(), WINDOW_COLUMNS) if (r["scope"], r["window"]) == ("district", "28d")]
    assert (district["contact_n"], district["version"] >> 32 & (1 << 64) - 1) == (2, 2)


def test_windows_count_over_all_batches_of_a_district() -> None:
    log = [*entries([contact(0), resolution(1)], "case-1"), *entries([contact(2)], "case-2", first=2)]
    replay = replay_of(log, START + DAY)
    for case in archived(log):
        replay.fold([case])
    [district] = [r for r in rows(replay.windows(), WINDOW_COLUMNS) if (r["scope"], r["window"]) == ("district", "28d")]
    assert (district["contact_n"], district["resolution_n"], district["district"]) == (2, 1, DISTRICT)


def test_both_contents_of_a_conflict_are_taken() -> None:
    both = [contact(0, "c", school="south"), contact(0, "c", school="north")]
    (row,) = rows(Replay(0, PROMISES, 1, START, settled=4).fold([Archived(DISTRICT, "case-1", 3, both)]), CASE_COLUMNS)
    assert (row["school"], row["conflicts"], row["last_offset"]) == ("north", 1, 3)
