"""How it stands in each cell, against a count over all episodes by the plain rules."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.announcement import STAGES, TARGETS
from projections.overview import PERIODS, PERIODS_MS, Overview, first_minutes, overview
from projections.panes import WIDTHS, oldest
from projections.partition import Entry, Partition
from projections.promises import PRIORITIES
from tests.oracles.plain_breaches import Known
from tests.support.stories import DAY, DISTRICT, MIN, PROMISES, START, EightHours, H, Tables, after, contact, reply, resolution
from tests.unit.test_promises import borders, deliveries

if TYPE_CHECKING:
    from events.event import Event

Counts = dict[tuple[Any, ...], int]
HOURS = EightHours()


def schedule_of(*_: str) -> Any:
    return HOURS


def counted(found: Overview) -> Counts:
    """All that is not zero, by name."""
    counts: Counts = {}
    for number, cell in enumerate(found.cells):
        named = {
            **{(name,): getattr(found, name)[number] for name in ("open_n", "waiting_n", "oldest_waiting_since")},
            **{
                ("overdue", target, stage, priority): found.overdue[number, t, s, p]
                for t, target in enumerate(TARGETS)
                for s, stage in enumerate(STAGES)
                for p, priority in enumerate(PRIORITIES)
            },
            **{
                ("backlog", target, priority): found.backlog[number, t, p]
                for t, target in enumerate(TARGETS)
                for p, priority in enumerate(PRIORITIES)
            },
            **{
                (name, target, period): getattr(found, name)[number, t, w]
                for name in ("due", "missed")
                for t, target in enumerate(TARGETS)
                for w, period in enumerate(PERIODS)
            },
        }
        counts |= {(*cell, *name): int(value) for name, value in named.items() if value}
    return counts


def plainly(log: list[Entry], clock: int) -> Counts:
    counts: Counter[tuple[Any, ...]] = Counter()
    waits: dict[tuple[str, ...], int] = {}
    cases: dict[str, Known] = {}
    for _, timestamp, _, district, subject, event in log:
        cases.setdefault(subject, Known(district, subject, PROMISES)).add(event, timestamp)
    for case in cases.values():
        for facts in case.facts:
            known_at = case.since[facts["opened_at"], facts["episode"]]
            for cell in cells_of(facts):
                if facts["received_at"] is not None and facts["status"] != "spam":
                    counts.update(of_deadlines(facts, cell, known_at, clock))
                    if facts["resolved_at"] is None:
                        counts.update(of_open(facts, cell, known_at, clock))
                        if facts["waiting_since"] is not None:
                            waits[cell] = min(waits.get(cell, facts["waiting_since"]), facts["waiting_since"])
    return dict(counts) | {(*cell, "oldest_waiting_since"): since for cell, since in waits.items()}


def cells_of(facts: dict[str, Any]) -> list[tuple[str, ...]]:
    school, department = facts["school"], facts["department"]
    return [
        (DISTRICT, "district", "", ""),
        *([(DISTRICT, "school", school, "")] if school else []),
        *([(DISTRICT, "department", "", department)] if department else []),
    ]


def promised(facts: dict[str, Any]) -> list[tuple[str, int | None, int | None, int | None]]:
    return [
        ("response", facts["response_warn_at"], facts["response_due_at"], facts["answered_at"]),
        ("resolution", facts["resolution_warn_at"], facts["resolution_due_at"], facts["first_resolved_at"]),
    ]


def of_open(facts: dict[str, Any], cell: tuple[str, ...], known_at: int, clock: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = [(*cell, "open_n")]
    if facts["waiting_since"] is not None:
        found.append((*cell, "waiting_n"))
    for target, warn_at, due_at, ended_at in promised(facts):
        if warn_at is not None and due_at is not None and ended_at is None:
            if due_at < clock:
                known_late = due_at < known_at - H
                found.append((*cell, *(("backlog", target) if known_late else ("overdue", target, "breach")), facts["priority"]))
            elif warn_at < clock:
                found.append((*cell, "overdue", target, "warning", facts["priority"]))
    return found


def of_deadlines(facts: dict[str, Any], cell: tuple[str, ...], known_at: int, clock: int) -> list[tuple[Any, ...]]:
    found = []
    for target, _, due_at, ended_at in promised(facts):
        if due_at is not None and due_at >= known_at - H:
            minute, as_of = due_at // MIN + 1, clock // MIN
            level = next((i for i in range(4) if oldest(as_of, i) <= minute <= as_of), None)
            if level is not None:
                last = (minute // WIDTHS[level] + 1) * WIDTHS[level] - 1
                missed = ended_at is None or ended_at > due_at
                for period, length in zip(PERIODS, PERIODS_MS, strict=True):
                    if last >= HOURS.instant(HOURS.open_ms(clock) - length) // MIN + 1:
                        found += [(*cell, "due", target, period)] + [(*cell, "missed", target, period)] * missed
    return found


@given(deliveries(), borders, st.integers(0, 4), st.integers(0, 24 * 60))
def test_it_is_what_the_plain_rules_count(log: list[Entry], cuts: list[int], days: int, minutes: int) -> None:
    clock = log[-1][1] + days * DAY + minutes * MIN
    partition, tables = Partition(0, PROMISES), Tables()
    for begin, end in pairwise([0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]):
        partition.fold(log[begin:end])
        tables.write(partition.drain())
    partition.advance(clock)
    tables.write(partition.drain())
    expected = plainly(log, clock)
    assert counted(overview(partition, schedule_of)) == expected
    assert counted(overview(tables.restored(), schedule_of)) == expected


def at(hours: float, *events: Event, wall: float = 0) -> Overview:
    partition = Partition(0, PROMISES)
    partition.fold([(i, event.time, False, DISTRICT, f"case-{event.id[0]}", event) for i, event in enumerate(events)])
    partition.advance(after(hours))
    partition.drain(wall=after(wall) if wall else 0)
    return overview(partition, schedule_of)


def district(found: Overview, name: str) -> Any:
    return getattr(found, name)[[cell.scope for cell in found.cells].index("district")]


ASKED = contact(0, "a", priority="critical"), contact(0, "b", priority="urgent"), contact(0, "c", priority="urgent")


@pytest.mark.parametrize(("hours", "warned", "broken"), [(1.6, 0, 0), (1.61, 2, 0), (2, 2, 0), (2.01, 0, 2)])
def test_a_warning_ends_with_the_breach(hours: float, warned: int, broken: int) -> None:
    assert district(at(hours, *ASKED), "overdue")[0].tolist() == [[0, warned, 0], [0, broken, 0]]


def test_a_promise_counts_as_missed_in_the_minute_after_its_deadline_and_not_when_it_is_answered() -> None:
    #  0 h asked twice    1 h one is answered    2 h due    7 h the other answer
    answers = reply(1 * H, "b-1"), reply(7 * H, "c-1")
    for hours, due, missed in ((2, 0, 0), (2.02, 2, 1), (2.4, 2, 1)):
        found = at(hours, *ASKED, answers[0])
        assert (district(found, "due")[0, 0], district(found, "missed")[0, 0]) == (due, missed)
    found = at(7.1, *ASKED, *answers)
    assert district(found, "due")[0].tolist() == [0, 0, 0, 2]
    assert district(found, "missed")[0].tolist() == [0, 0, 0, 1]
    assert at(7.1, *ASKED, *answers, resolution(7 * H, "b-2")).open_n.max() == 2


def test_a_period_ends_now_and_goes_back_over_the_night() -> None:
    """Open from 0 to 8 h. At 0:20 of the second day, half an hour ago was 7:50; at 6:00, 24 open hours ago was two days before."""
    assert first_minutes(HOURS, after(24 + 1 / 3)) == [(START + 7 * H + 50 * MIN) // MIN + 1, *(
        (START + hours * H + 20 * MIN) // MIN + 1 for hours in (6, 4)
    ), (START - 2 * DAY + 20 * MIN) // MIN + 1]  # fmt: skip
    assert first_minutes(HOURS, after(20)) == first_minutes(HOURS, after(8))


def test_what_was_passed_in_silence_is_backlog() -> None:
    """Three hours without a worker: the deadline is over an hour past when it is seen."""
    assert district(at(4, *ASKED, wall=4), "backlog")[0].tolist() == [0, 2, 0]
    assert district(at(4, *ASKED, wall=4), "overdue")[0].sum() == 0
    assert district(at(2.5, *ASKED, wall=2.5), "backlog").sum() == 0
    assert district(at(2.5, *ASKED, wall=2.5), "overdue")[0].tolist() == [[0, 0, 0], [0, 2, 0]]


def test_a_promise_that_was_long_broken_when_it_became_known_was_not_due_to_anybody() -> None:
    """Asked at 0 h, promised until 2 h: told of at 2.9 h it counts as missed, at 3.1 h as backlog."""
    for hours, due, backlog in ((2.9, 1, 0), (3.1, 0, 1)):
        partition = Partition(0, PROMISES)
        partition.fold([(0, after(hours), False, DISTRICT, "case-1", contact(0, priority="urgent"))])
        partition.advance(after(4))
        partition.drain()
        found = overview(partition, schedule_of)
        assert district(found, "due")[0].max() == district(found, "missed")[0].max() == due
        assert district(found, "backlog")[0].sum() == backlog
