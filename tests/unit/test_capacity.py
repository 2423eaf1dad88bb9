"""What a case may hold: its record never weighs more than is said, and what is refused follows from the order of the log alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.event import Contacted, Event, Rated, Replied, Resolved
from events.rejection import Reason
from events.vocabulary import NAME_LENGTH
from projections import capacity
from projections.archive import Archived
from projections.capacity import CASE_BYTES, FULL_OF_BYTES, FULL_OF_EVENTS, HEAVIEST, MOST_BYTES, SURELY_FIT, weigh, weight
from projections.case import ENCODE, Case, CaseWork, decode_case, events_of, fresh, made_of
from projections.partition import Partition
from projections.replay import Replay
from projections.rows import CASE_COLUMNS
from projections.stream_time import CLOCK_KEY
from streams.worker.changelog import LARGEST_RECORD
from tests.support.histories import histories, logs
from tests.support.stories import DAY, DISTRICT, PROMISES, START, H, Tables, contact, entries, reply, resolution, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from projections.partition import Entry

WIDE = "\N{MAHJONG TILE GREEN DRAGON}" * NAME_LENGTH
"""The longest name: each character takes four bytes."""
LARGE_INT = 1 << 62
borders = st.lists(st.integers(0, 20), max_size=4)
few = st.integers(550, 1_600)
"""Bytes that the events of a small case may weigh: one of these histories' events fits, ten do not."""


@pytest.fixture
def weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case is weighed, also those that surely fit."""
    monkeypatch.setattr(capacity, "SURELY_FIT", 1)


def small(patch: pytest.MonkeyPatch, most_bytes: int, most_events: int = 8) -> None:
    patch.setattr(capacity, "MOST_BYTES", CASE_BYTES + most_bytes)
    patch.setattr(capacity, "MOST_EVENTS", most_events)
    patch.setattr(capacity, "SURELY_FIT", 1)


# -- how large a record can be -------------------------------------------------------------------------------------------
def size(case: Case) -> int:
    """Bytes of the key and the record, with the longest names and numbers in its head."""
    case.last_offset = case.touched_at = LARGE_INT
    for episode in case.episodes:
        episode.late_ms = LARGE_INT
    return len(f"{WIDE} {WIDE}".encode()) + len(ENCODE(case))


def case_of(events: Sequence[Event]) -> Case:
    return made_of(events, (), fresh(PROMISES), DISTRICT, PROMISES)


TEXTS = st.sampled_from(["a", "b", "k" * 40, WIDE])
TIMES = st.integers(0, 30).map(lambda step: START + step * 15 * DAY // 2)
WORDS = st.sampled_from(["", "a", WIDE])
LOUD: st.SearchStrategy[Event] = st.one_of(
    st.builds(Contacted, TIMES, TEXTS, TEXTS, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, st.booleans()),
    st.builds(Replied, TIMES, TEXTS, TEXTS, WORDS, WORDS, WORDS, st.booleans(), st.booleans()),
    st.builds(Resolved, TIMES, TEXTS, TEXTS, WORDS, WORDS, st.sampled_from(["resolved", "no_action"])),
    st.builds(Rated, TIMES, TEXTS, TEXTS, WORDS, WORDS, st.just(4.5)),
)


@pytest.mark.usefixtures("weighed")
@given(st.lists(LOUD, min_size=1, max_size=30))
def test_a_record_is_never_larger_than_its_case_weighs(events: list[Event]) -> None:
    case = case_of(events)
    assert size(case) <= case.weight


@pytest.mark.usefixtures("weighed")
@pytest.mark.parametrize("name", ["a", WIDE])
def test_nor_is_that_of_a_case_of_many_questions(name: str) -> None:
    events: list[Event] = [reply(-1, school=name, department=name)]
    for number in range(100):
        at = number * 16 * DAY
        events += [
            contact(at, f"{name}{number}", school=name, department=name, stakeholder=name),
            reply(at + H, school=name * 2, department=name * 2),
            resolution(at + 2 * H, school=name * 2, department=name * 2, outcome="no_action"),
        ]
    case = case_of(events)
    assert len(case.episodes) == 101
    assert size(case) <= case.weight


def test_no_event_weighs_more_than_the_heaviest() -> None:
    longest = Contacted(LARGE_INT, WIDE, WIDE, WIDE, WIDE, WIDE, "community", "walk_in", "x" * NAME_LENGTH, WIDE, "critical")
    assert weight(longest) + capacity.CONFLICT_BYTES + len(f"{WIDE} {WIDE}".encode()) <= HEAVIEST
    assert CASE_BYTES + SURELY_FIT * HEAVIEST <= MOST_BYTES


def test_the_record_of_two_full_cases_that_are_united_still_fits_in_the_changelog() -> None:
    assert 2 * MOST_BYTES <= LARGEST_RECORD


def longest_story() -> Iterator[Event]:
    yield contact(0, "first")
    for number in range(capacity.MOST_EVENTS):
        name = f"{number:04}" + WIDE[4:]
        yield Contacted(START + H + number, WIDE, name, WIDE, WIDE, WIDE, "family", "web", "es", WIDE)


def test_the_longest_legal_events_fill_a_case_by_bytes() -> None:
    partition = Partition(0, PROMISES)
    events = list(longest_story())
    rejected = partition.fold(entries(events))
    changes = partition.drain()
    assert {rejection for _, rejection in rejected} == {FULL_OF_BYTES}
    assert len(changes.events[0]) + len(rejected) == len(events)
    [(key, record), _] = changes.changelog
    assert record is not None
    assert MOST_BYTES * 0.6 < len(key) + len(record) <= MOST_BYTES
    assert partition.fold([(9_999, START + DAY, False, DISTRICT, "case-1", reply(DAY, "short"))]) == [], "a small one still fits"


def test_ordinary_events_fill_it_by_number() -> None:
    partition = Partition(0, PROMISES)
    told = [contact(n, f"3f2c9a64-77f1-4a52-9c1b-{n:012}", stakeholder=f"s-{n:016}") for n in range(capacity.MOST_EVENTS + 1)]
    assert [rejection for _, rejection in partition.fold(entries(told))] == [FULL_OF_EVENTS]


# -- what is refused, with bounds so small that they are often met ---------------------------------------------------------
def judged(log: Sequence[Entry], cuts: Sequence[int] = (), partition: Partition | None = None) -> tuple[Tables, dict[int, Reason]]:
    """What a worker writes, and what it refuses, by offset, where its batches end at `cuts`."""
    partition, tables, refused = partition or Partition(0, PROMISES), Tables(), {}
    inner = sorted(cut for cut in cuts if 0 < cut < len(log))
    for begin, end in zip([0, *inner], [*inner, len(log)], strict=True):
        batch = log[begin:end]
        refused |= {batch[index][0]: rejection.reason for index, rejection in partition.fold(batch)}
        tables.write(partition.drain())
    return tables, refused


def cases(tables: Tables) -> dict[bytes, Case]:
    latest: dict[bytes, Any] = tables.latest()
    return {key: decode_case(record) for key, record in latest.items() if key != CLOCK_KEY}


@given(logs(), borders, few, st.integers(1, 8))
def test_where_batches_end_changes_nothing_about_what_is_refused(
    log: list[Entry], cuts: list[int], most_bytes: int, most_events: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        small(patch, most_bytes, most_events)
        (whole, refused), (cut, refused_too) = judged(log), judged(log, cuts)
        assert refused == refused_too
        assert set(refused.values()) <= {Reason.CASE_FULL}
        assert whole.latest() == cut.latest()
        for case in cases(whole).values():
            assert case.count <= most_events
            assert case.weight == weigh(events_of(case), case.conflicts)
            assert case.weight <= CASE_BYTES + most_bytes


@given(logs(), few, st.integers(1, 8))
def test_what_is_in_hand_is_what_all_that_was_taken_makes_in_any_order(log: list[Entry], most_bytes: int, most_events: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        small(patch, most_bytes, most_events)
        tables, refused = judged(log)
        taken = [entry for entry in log if entry[0] not in refused]
        for key, case in cases(tables).items():
            events = [entry[5] for entry in reversed(taken) if f"{entry[3]} {entry[4]}".encode() == key]
            again = made_of(events, (), case, DISTRICT, PROMISES)
            assert (events_of(again), again.conflicts, again.weight) == (events_of(case), case.conflicts, case.weight)


@given(logs(), few, st.integers(1, 8))
def test_what_was_taken_is_taken_again_however_full_the_case_is(log: list[Entry], most_bytes: int, most_events: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        small(patch, most_bytes, most_events)
        _, refused = judged(log)
        again = [(len(log) + offset, *rest) for offset, *rest in log if offset not in refused]
        _, refused_too = judged([*log, *again])
        assert refused_too == refused


@given(logs(), few, st.integers(1, 8), st.integers(0, 20), st.integers(0, 20))
def test_a_worker_that_takes_over_refuses_the_same_records(
    log: list[Entry], most_bytes: int, most_events: int, committed: int, durable: int
) -> None:
    committed = min(committed, len(log))
    durable = min(max(committed, durable), len(log))
    with pytest.MonkeyPatch.context() as patch:
        small(patch, most_bytes, most_events)
        calm, refused = judged(log)
        dead, _ = judged(log[:durable])
        heir = dead.restored()
        after, refused_again = judged(log[committed:], partition=heir)
        assert refused_again == {offset: reason for offset, reason in refused.items() if offset >= committed}
        dead.changelog += after.changelog
        assert {k: v for k, v in dead.latest().items() if k != CLOCK_KEY} == {k: v for k, v in calm.latest().items() if k != CLOCK_KEY}


@given(histories(), few)
def test_a_case_of_its_own_events_is_the_case_a_rebuild_makes(events: list[Event], most_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        small(patch, most_bytes)
        log = entries(events)
        live, refused = judged(log)
        kept = [entry[5] for entry in log if entry[0] not in refused]
        rebuilt = Replay(0, PROMISES, 1, START, settled=1).fold([Archived(DISTRICT, "case-1", 0, kept)])
        strip = ("version", "last_offset")
        assert [{k: v for k, v in row.items() if k not in strip} for row in rows(rebuilt, CASE_COLUMNS)] == [
            {k: v for k, v in row.items() if k not in strip} for row in live.standing().values()
        ]


# -- single ways in which a case grows -------------------------------------------------------------------------------------
def full(patch: pytest.MonkeyPatch) -> tuple[CaseWork, Event]:
    """A case with room for no byte more, and one of its events."""
    work, kept = CaseWork(DISTRICT, "case-1", fresh(PROMISES), b""), contact(0, "kept", school="north")
    small(patch, weight(kept) + weight(reply(H, "r")))
    assert work.add(kept, PROMISES) is None
    assert work.add(reply(H, "r"), PROMISES) is None
    return work, kept


def test_another_content_of_an_event_needs_room_too(monkeypatch: pytest.MonkeyPatch) -> None:
    work, kept = full(monkeypatch)
    before = ENCODE(work.case)
    assert work.add(contact(0, "kept", school="east"), PROMISES) is FULL_OF_BYTES
    assert ENCODE(work.case) == before
    assert work.add(kept, PROMISES) is None


def archived(*events: Event) -> Archived:
    return Archived(DISTRICT, "case-1", 1, events, [(START, "/riverside/helpdesk old")])


@pytest.mark.parametrize("backfill", [False, True])
def test_an_archive_that_does_not_fit_with_what_is_remembered_is_not_united_and_the_event_is_refused(
    monkeypatch: pytest.MonkeyPatch, *, backfill: bool
) -> None:
    young = START + 200 * DAY
    small(monkeypatch, 450)
    partition = Partition(0, PROMISES)
    partition.fold([(7, young, False, DISTRICT, "case-1", contact(200 * DAY, "young"))])
    partition.drain()
    old = [(8 + n, young, backfill, DISTRICT, "case-1", reply(n * H, f"late-{n}")) for n in range(2)]
    partition.archive.add(archived(contact(0, "old"), reply(2 * H, "r-1"), reply(3 * H, "r-2")))
    assert partition.fold(old) == [(0, FULL_OF_BYTES), (1, FULL_OF_BYTES)]
    tables = Tables()
    tables.write(partition.drain())
    [row] = tables.standing().values()
    assert (row["contacts"], row["replies"]) == (1, 0)


def test_a_forgotten_case_that_has_no_room_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 450)
    partition = Partition(0, PROMISES)
    partition.advance(START + 200 * DAY)
    partition.archive.add(archived(contact(0, "old"), *(reply(n * H, f"r-{n}") for n in range(3))))
    assert partition.fold([(9, START + 200 * DAY, True, DISTRICT, "case-1", reply(-H, "late"))]) == [(0, FULL_OF_BYTES)]
    assert len(partition) == 0
    assert [key for key, _ in partition.drain().changelog] == [CLOCK_KEY]


def test_two_states_of_one_case_are_united_whatever_they_weigh_and_then_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 400)
    changelog = [judged(entries([contact(0, name), reply(H, f"{name}-r")]))[0].changelog[0] for name in ("one", "other")]
    partition = Partition(0, PROMISES)
    for item in changelog:
        partition.restore(*item)
    partition.restored()
    assert partition.fold([(9, START + H, False, DISTRICT, "case-1", reply(2 * H, "x"))]) == [(0, FULL_OF_BYTES)]
    assert partition.fold([(10, START + H, False, DISTRICT, "case-1", reply(H, "one-r"))]) == []
    [case] = (decode_case(record) for key, record in partition.drain().changelog if key != CLOCK_KEY and record is not None)
    assert case.count == 4
