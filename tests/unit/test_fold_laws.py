"""The laws of the fold: what it says depends on the set of accepted events, the clock and the directory, on nothing else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from events.event import order
from projections.case import ENCODE, Work, decode_case, events_of, fresh, gather, refold
from projections.episode import finish
from projections.measure import contributions, differences, is_measured
from projections.partition import CLOCK_KEY, Entry, Partition
from tests.unit.histories import EVENTS, histories, logs
from tests.unit.plain_facts import plain_facts
from tests.unit.stories import DISTRICT, PROMISES, START, Promises, Tables, folded

if TYPE_CHECKING:
    from events.event import Event
    from projections.case import Case

borders = st.lists(st.integers(0, 20), max_size=4)


def told(events: list[Event]) -> Work:
    work = Work(DISTRICT, "case-1", fresh(PROMISES), b"")
    for event in events:
        assert work.add(event, PROMISES)
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


def place(school: str, department: str) -> int:
    return hash((school, department)) % 1_000


def contributed(case: Case) -> list[tuple[int, ...]]:
    return [
        each
        for episode in case.episodes
        if is_measured(episode)
        for each in contributions(episode, place(episode.opening.school, episode.opening.department), place)
    ]


@given(histories(), histories())
def test_differences_added_up_equal_a_recomputation(one: list[Event], other: list[Event]) -> None:
    totals: Counter[tuple[int, ...]] = Counter()
    before: list[tuple[int, ...]] = []
    work = told([])
    for event in one + other:
        work.add(event, PROMISES)
        after = contributed(work.case)
        # As lists of whole cases repeats within them matter not: each is told apart by its measure and minute, or both stay.
        flat = differences(list(set(before)), list(set(after)))  # type: ignore[arg-type] # five each
        for i in range(0, len(flat), 6):
            totals[tuple(flat[i : i + 5])] += flat[i + 5]
        before = after
    assert {each: n for each, n in totals.items() if n} == dict.fromkeys(before, 1)


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
    partition.advance(START + 60 * 86_400_000)
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
    heir.claim((key[:4] for key in tables.windows), max((int(row["as_of"]) // 60 for row in tables.windows.values()), default=0))
    tables.write(heir.drain())
    heir.fold(log[durable:])
    heir.advance(START + 60 * 86_400_000)
    tables.write(heir.drain())
    _, calm = settled(log, [])
    assert tables.standing() == calm.standing()
    assert {k: v for k, v in tables.latest().items() if k != CLOCK_KEY} == {k: v for k, v in calm.latest().items() if k != CLOCK_KEY}
    assert without_zeros(rows_of(tables)["windows"]) == without_zeros(rows_of(calm)["windows"])


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
    assert left.latest() == both.latest()
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
