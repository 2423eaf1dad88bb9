"""The laws of the fold: what it says depends on the set of accepted events, the clock and the directory, on nothing else."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import asdict

import projections.partition as partition_module
from events.event import order
from projections.case import ENCODE, CaseWork, decode_case, events_of, fresh, gather, refold
from projections.contribution import contributions, is_measured, messages
from projections.episode import finish
from projections.partition import Entry, Partition
from projections.stream_time import CLOCK_KEY
from tests.oracles.plain_facts import plain_facts
from tests.support.histories import EVENTS, histories, logs
from tests.support.stories import DAY, DISTRICT, PROMISES, START, Ledger, Promises, Tables, contact, folded, resolution

if TYPE_CHECKING:
    from events.event import Event
    from projections.case import Case

borders = st.lists(st.integers(0, 20), max_size=4)
PASSED_OVER: list[Entry] = [
    (0, START + 50 * DAY, False, DISTRICT, "case-1", contact(0)),
    (1, START + 50 * DAY, False, DISTRICT, "case-1", resolution(23 * DAY)),
]
"""A window shows the resolution in a minute that an heir passes between two drains: what is claimed must be written again."""


def told(events: list[Event]) -> CaseWork:
    work = CaseWork(DISTRICT, "case-1", fresh(PROMISES), b"")
    for event in events:
        assert work.add(event, PROMISES) is None
    return work


def content_of(case: Case) -> bytes:
    return ENCODE(case)


@given(histories())
def test_the_facts_are_those_of_the_plain_reading(events: list[Event]) -> None:
    assert [asdict(finish(episode)) for episode in told(events).case.episodes] == plain_facts(events, PROMISES, DISTRICT)


@given(histories(), st.randoms(use_true_random=False))
def test_any_order_and_any_repeats_give_the_same_record(events: list[Event], chance: Any) -> None:
    shuffled = events + chance.choices(events, k=len(events) // 2)
    chance.shuffle(shuffled)
    assert content_of(told(events).case) == content_of(told(shuffled).case)


@given(histories())
def test_the_step_by_step_path_equals_the_refold(events: list[Event]) -> None:
    ordered, conflicts = gather(events)
    case = told(ordered).case
    assert case.episodes == refold(ordered, (), DISTRICT, PROMISES)
    assert content_of(decode_case(content_of(case))) == content_of(case)
    again, _ = gather(events, conflicts)
    assert again == ordered


@given(histories())
def test_a_record_gives_its_events_back(events: list[Event]) -> None:
    ordered, _ = gather(events)
    assert events_of(told(events).case) == ordered
    assert ordered == sorted(ordered, key=order)


@given(histories())
def test_no_duration_is_negative(events: list[Event]) -> None:
    for episode in told(events).case.episodes:
        facts = asdict(finish(episode))
        assert all(value >= 0 for name, value in facts.items() if name.endswith("_ms") and value is not None)
        if facts["resolved_at"] is not None and facts["received_at"] is not None:
            assert facts["resolution_business_ms"] <= facts["resolution_ms"]
            assert facts["first_resolution_ms"] <= facts["resolution_ms"]


def add_up(events: list[Event]) -> None:
    """Fold event by event, and hold what the windows were told against all that the case contributes in the end."""
    ledger = Ledger()
    partition = Partition(0, PROMISES, windows=ledger)  # type: ignore[arg-type] # a stand-in with what the fold calls
    for i, event in enumerate(events):
        partition.fold([(i, event.time, True, DISTRICT, "case-1", event)])
        partition.drain()
    expected: Counter[tuple[Any, ...]] = Counter()
    for episode in told(events).case.episodes:
        if is_measured(episode):
            here = ledger.place(DISTRICT, episode.opening.school, episode.opening.department)
            expected.update(contributions(episode, here, partial(ledger.place, DISTRICT)))
            expected.update(messages(episode, here))
    assert {each: n for each, n in ledger.totals.items() if n} == dict(expected)


@given(histories(20))
def test_differences_added_up_equal_a_recomputation(events: list[Event]) -> None:
    add_up(events)


@given(histories(20))
def test_so_do_those_of_events_that_each_come_last(events: list[Event]) -> None:
    add_up(gather(events)[0])


def rows_of(tables: Tables) -> dict[str, Any]:
    """What readers see, without what tells one delivery from another, and when a number was last written unchanged."""
    strip = ("version", "last_offset", "offset", "produced_at", "as_of")
    return {
        "cases": [{k: v for k, v in tables.cases[key].items() if k not in strip} for key in sorted(tables.standing())],
        "windows": [{k: _number(v) for k, v in tables.windows[key].items() if k not in strip} for key in sorted(tables.windows)],
        "events": sorted(tables.events),
    }


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def settled(log: list[Entry], cuts: list[int]) -> tuple[Partition, Tables]:
    """Fold, then bring the clock to one instant, so that all windows are as of the same minute."""
    partition, tables = folded(log, [cut for cut in cuts if cut <= len(log)])
    partition.advance(START + 60 * DAY)
    tables.write(partition.drain())
    return partition, tables


def without_zeros(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A cell that was never touched and one that fell back to nothing say the same."""
    return [row for row in rows if any(value for name, value in row.items() if name.endswith(("_n", "_ms", "_sum")))]


@given(logs(), borders)
def test_batch_borders_change_nothing_at_all(log: list[Entry], cuts: list[int]) -> None:
    _, whole = settled(log, [])
    _, cut = settled(log, cuts)
    assert whole.standing() == cut.standing()
    assert whole.events == cut.events
    assert whole.latest() == cut.latest()
    assert without_zeros(rows_of(whole)["windows"]) == without_zeros(rows_of(cut)["windows"])


@given(logs(), borders)
def test_how_many_cases_are_at_hand_changes_nothing(log: list[Entry], cuts: list[int]) -> None:
    _, many = settled(log, cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition_module, "AT_HAND", 1)
        _, one = settled(log, cuts)
    assert one.cases == many.cases
    assert one.events == many.events
    assert one.latest() == many.latest()
    assert without_zeros(rows_of(one)["windows"]) == without_zeros(rows_of(many)["windows"])


@given(logs(), st.randoms(use_true_random=False), borders)
def test_order_and_repeats_change_nothing_that_readers_see(log: list[Entry], chance: Any, cuts: list[int]) -> None:
    again = log + chance.choices(log, k=3)
    chance.shuffle(again)
    again = [(i, *entry[1:]) for i, entry in enumerate(again)]
    one, other = rows_of(settled(log, [])[1]), rows_of(settled(again, cuts)[1])
    assert one["cases"] == other["cases"]
    assert one["events"] == other["events"]
    assert without_zeros(one["windows"]) == without_zeros(other["windows"])


@given(logs(), st.integers(0, 20), st.integers(0, 20), st.booleans())
@example(log=PASSED_OVER, durable=0, died=2, rows_only=True)
def test_a_worker_that_died_is_as_if_it_had_not(log: list[Entry], durable: int, died: int, rows_only: bool) -> None:
    durable, died = min(durable, len(log)), min(max(durable, died), len(log))
    # Committed up to `durable`; then rows were written up to `died`, their changelog perhaps not; then a new worker.
    dead, tables = folded(log[:durable])
    for entry in log[durable:died]:
        dead.fold([entry])
        changes = dead.drain()
        if rows_only:
            tables.write_rows(changes)
        else:
            tables.write(changes)
    heir = tables.restored()
    heir.start_rows_at(max((int(row["as_of"]) * 1_000 for row in tables.windows.values()), default=0))
    heir.claim(key[:4] for key in tables.windows)
    tables.write(heir.drain())
    heir.fold(log[durable:])
    heir.advance(START + 60 * DAY)
    tables.write(heir.drain())
    _, calm = settled(log, [])
    assert tables.standing() == calm.standing()
    assert {k: v for k, v in tables.latest().items() if k != CLOCK_KEY} == {k: v for k, v in calm.latest().items() if k != CLOCK_KEY}
    assert without_zeros(rows_of(tables)["windows"]) == without_zeros(rows_of(calm)["windows"])


def without_lateness(tables: Tables) -> dict[bytes, Any]:
    """The records, without since when each episode is known: that is no matter of the set, and each saw another first record."""
    records: dict[bytes, Any] = tables.latest()
    for key, record in records.items():
        if key != CLOCK_KEY:
            case = records[key] = decode_case(record)
            for episode in case.episodes:
                episode.late_ms = 0
    return records


@given(logs(), st.integers(0, 20), st.integers(0, 20))
def test_two_states_that_went_apart_unite_to_the_fold_of_both(log: list[Entry], one: int, other: int) -> None:
    left, right = Tables(), Tables()
    for tables, part in ((left, log[: max(one, 1)]), (right, log[min(other, len(log) - 1) :])):
        partition = Partition(0, PROMISES)
        partition.fold(part)
        tables.write(partition.drain())
    seen = {entry[0]: entry for entry in [*log[: max(one, 1)], *log[min(other, len(log) - 1) :]]}
    _, both = folded([seen[offset] for offset in sorted(seen)])
    left.cases |= right.cases
    left.changelog += right.changelog
    heir = left.restored()
    left.write(heir.drain())
    assert without_lateness(left) == without_lateness(both)
    rewritten = Tables(changelog=left.changelog)
    united = {key: row for key, row in left.standing().items() if key in both.standing()}
    assert {k: {**v, "version": 0} for k, v in united.items()} == {k: {**v, "version": 0} for k, v in both.standing().items()}
    assert rewritten.restored().drain().cases == []


@given(logs())
def test_another_directory_makes_everything_anew(log: list[Entry]) -> None:
    _, old = folded(log)
    _, new = folded(log, directory=Promises(2, 3_600_000))
    heir = old.restored(directory=Promises(2, 3_600_000))
    old.write(heir.drain())
    assert old.latest() == new.latest()
    assert old.standing() == new.standing()


@given(st.lists(EVENTS, min_size=1, max_size=8), EVENTS)
def test_an_event_twice_is_an_event_once(events: list[Event], twice: Event) -> None:
    assert content_of(told([*events, twice, twice]).case) == content_of(told([*events, twice]).case)
