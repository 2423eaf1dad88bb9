"""What is announced of promises: once, whatever the batches, the order and the crashes; and of old ones nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.event import Contacted, Event
from projections.announcement import Announcement
from projections.archive import Archived
from projections.partition import Partition
from tests.oracles.plain_breaches import last_words, plain_words
from tests.support.histories import CONTACTS, EVENTS
from tests.support.stories import DAY, DISTRICT, MIN, PROMISES, START, H, Promises, Tables, after, contact, reply, resolution
from tests.unit.test_restatement import OLD, SNOW, adopted

if TYPE_CHECKING:
    from projections.partition import Entry

END = START + 60 * DAY


@st.composite
def deliveries(draw: Any, most: int = 16) -> list[Entry]:
    """Records of a few cases, each at its time or late; all in the order in which they were produced."""
    delays = st.sampled_from([0, 0, 0, 5 * MIN, 100 * MIN, 130 * MIN, 3 * H, 9 * H, 20 * DAY])
    one = st.tuples(st.sampled_from(["case-1", "case-1", "case-2"]), st.one_of(EVENTS, CONTACTS), delays)
    told = draw(st.lists(one, min_size=1, max_size=most))
    told.sort(key=lambda each: each[1].time + each[2])
    return [(i, event.time + delay, True, DISTRICT, subject, event) for i, (subject, event, delay) in enumerate(told)]


def told(log: list[Entry], borders: list[int], partition: Partition | None = None) -> list[Announcement]:
    """All that is said while the log is folded in batches, and then the clock comes to its end. Nothing is too old to be said."""
    partition = partition or Partition(0, PROMISES)
    said: list[Announcement] = []
    for begin, end in pairwise([0, *sorted(min(cut, len(log)) for cut in borders), len(log)]):
        partition.fold(log[begin:end])
        said += partition.drain().announcements
    partition.advance(END)
    return said + partition.drain().announcements


borders = st.lists(st.integers(0, 16), max_size=6)


@given(deliveries(), borders)
def test_the_last_words_are_those_of_the_plain_reading(log: list[Entry], cuts: list[int]) -> None:
    assert last_words(told(log, cuts)) == plain_words(log, END, PROMISES)


@given(deliveries())
def test_told_one_by_one_nothing_is_said_twice(log: list[Entry]) -> None:
    said = told(log, list(range(len(log))))
    states = [(each.passed, each.subject, each.state) for each in said]
    again = [each for each in states if each[2] == "raised" and states.count(each) > 1]
    assert all((passed, subject, "cleared") in states or (passed, subject, "withdrawn") in states for passed, subject, _ in again)


@given(deliveries(), borders, st.integers(0, 16), st.integers(0, 16), st.booleans())
def test_whoever_dies_leaves_no_word_unsaid_and_none_too_much(
    log: list[Entry], cuts: list[int], durable: int, died: int, wrote: bool
) -> None:
    #  folded and written up to `durable`; one turn more up to `died`, said, perhaps written; then an heir, from there, in other batches
    durable, died = min(durable, len(log)), min(max(durable, died), len(log))
    dead, tables = Partition(0, PROMISES), Tables()
    said: list[Announcement] = []
    for part, is_written in ((log[:durable], True), (log[durable:died], wrote)):
        dead.fold(part)
        changes = dead.drain()
        said += changes.announcements
        if is_written:
            tables.write(changes)
    heir = tables.restored()
    said += told(log[durable:], [max(0, cut - durable) for cut in cuts], heir)
    assert last_words(said) == plain_words(log, END, PROMISES)


@given(deliveries(), borders)
def test_whoever_takes_over_at_rest_repeats_nothing(log: list[Entry], cuts: list[int]) -> None:
    partition, tables = Partition(0, PROMISES), Tables()
    said: list[Announcement] = []
    for begin, end in pairwise([0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]):
        partition.fold(log[begin:end])
        changes = partition.drain()
        said += changes.announcements
        tables.write(changes)
        partition = tables.restored()
        assert partition.drain().announcements == []
    partition.advance(END)
    assert [each for each in partition.drain().announcements if each in said] == []


@given(deliveries(), borders)
def test_the_table_of_open_questions_is_that_of_the_cases(log: list[Entry], cuts: list[int]) -> None:
    partition, tables = Partition(0, PROMISES), Tables()
    for begin, end in pairwise([0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]):
        partition.fold(log[begin:end])
        tables.write(partition.drain())
    heir = tables.restored()
    assert open_rows(partition) == open_rows(heir)
    expected = [
        (row["school"], row["waiting_since"] or 0)
        for row in tables.standing().values()
        if row["received_at"] is not None and row["resolved_at"] is None
    ]
    assert sorted((school, waiting) for school, waiting, *_ in open_rows(heir)) == sorted(expected)


def open_rows(partition: Partition) -> list[tuple[Any, ...]]:
    cells = partition.windows.cells
    rows = partition.promises.open()
    school_of = [cells[cell].school for cell in partition.windows.cells_of(rows["place"])[:, 1]]
    return sorted((school, *row.tolist()[3:]) for school, row in zip(school_of, rows, strict=True))


# -- stories --------------------------------------------------------------------------------------------------------------
class Desk:
    """A partition whose wall clock is that of its records."""

    def __init__(self) -> None:
        self.partition = Partition(0, PROMISES)
        self.tables = Tables()
        self.offset = 0

    def hears(self, *events: Event, hours: float, wall: float | None = None, backfill: bool = False) -> list[tuple[str, str, str]]:
        """Records produced at this hour; (target, stage, state) of what is said then."""
        timestamp = after(hours)
        log = [(self.offset + i, timestamp, backfill, DISTRICT, "case-1", event) for i, event in enumerate(events)]
        self.offset += len(log)
        self.partition.fold(log)
        self.partition.advance(timestamp)
        changes = self.partition.drain(wall=timestamp if wall is None else after(wall))
        self.tables.write(changes)
        return [(each.passed.target, each.passed.stage, each.state) for each in changes.announcements]

    def restarts(self, directory: Any = PROMISES) -> None:
        self.partition = self.tables.restored(directory=directory)


ASKED = contact(0, "c", priority="urgent")
"""Answer promised within 2 h, resolution within 8 h, of days that are open from 0 to 8 h."""
RESPONSE_WARNED, RESPONSE_BROKEN = ("response", "warning", "raised"), ("response", "breach", "raised")


def test_a_promise_warns_breaks_and_is_kept_too_late() -> None:
    #  0 h asked    1.6 h warned    2 h broken    3 h answered    6.4 h, 8 h the resolution
    processor = Desk()
    assert processor.hears(ASKED, hours=0) == []
    assert processor.hears(hours=1.6) == []
    assert processor.hears(hours=1.61) == [RESPONSE_WARNED]
    assert processor.hears(hours=2) == []
    assert processor.hears(hours=2.01) == [RESPONSE_BROKEN]
    assert processor.hears(hours=2.5) == []
    assert processor.hears(reply(3 * H), hours=3) == [("response", "warning", "cleared"), ("response", "breach", "cleared")]
    assert processor.hears(hours=6.5) == [("resolution", "warning", "raised")]
    assert processor.hears(resolution(7 * H), hours=7) == [("resolution", "warning", "cleared")]
    assert processor.hears(hours=9) == []


def test_a_promise_that_is_kept_is_not_spoken_of() -> None:
    processor = Desk()
    assert processor.hears(ASKED, hours=0) == []
    assert processor.hears(reply(1 * H), hours=1) == []
    assert processor.hears(resolution(2 * H), hours=2) == []
    assert processor.hears(hours=20) == []


def test_an_answer_that_was_only_late_on_its_way_takes_the_alarm_back() -> None:
    processor = Desk()
    processor.hears(ASKED, hours=0)
    assert processor.hears(hours=2.1) == [RESPONSE_WARNED, RESPONSE_BROKEN]
    assert processor.hears(reply(1 * H), hours=2.2) == [("response", "warning", "withdrawn"), ("response", "breach", "withdrawn")]


def test_what_was_cleared_can_be_taken_back_too() -> None:
    processor = Desk()
    processor.hears(ASKED, hours=0)
    processor.hears(hours=1.7)
    assert processor.hears(reply(109 * MIN), hours=1.82) == [("response", "warning", "cleared")]
    assert processor.hears(reply(1 * H), hours=1.9) == [("response", "warning", "withdrawn")]


def test_spam_was_promised_nothing() -> None:
    processor = Desk()
    processor.hears(ASKED, hours=0)
    processor.hears(hours=1.7)
    assert processor.hears(resolution(2 * H, outcome="spam"), hours=2) == [("response", "warning", "withdrawn")]


def test_an_earlier_contact_moves_the_promise_and_its_name() -> None:
    #  1 h asked    2.6 h warned    2.7 h a contact of 0 h becomes known: warned at 1.6 h, which is over an hour past, broken at 2 h
    processor = Desk()
    processor.hears(contact(1 * H, "late", priority="urgent"), hours=1)
    assert processor.hears(hours=2.61) == [RESPONSE_WARNED]
    assert processor.hears(contact(0, "early", priority="urgent"), hours=2.7) == [("response", "warning", "withdrawn"), RESPONSE_BROKEN]


def test_a_new_question_is_promised_anew() -> None:
    #  0 h asked    1 h settled    20 days asked: that is another question, with promises of its own
    processor, begin = Desk(), 24 * 20
    processor.hears(ASKED, resolution(1 * H), hours=2)
    assert processor.hears(contact(20 * DAY, "another", priority="urgent"), hours=begin) == []
    assert open_rows(processor.partition) == open_rows(processor.tables.restored())
    assert processor.hears(hours=begin + 1.61) == [RESPONSE_WARNED]
    assert processor.hears(hours=begin + 2.01) == [RESPONSE_BROKEN]


def test_a_question_that_was_reopened_and_left_is_promised_nothing_anew_when_it_is_asked_again() -> None:
    #  0 h asked    1 h settled    2 h asked again and left    20 days asked once more: its promises were kept at 1 h
    processor, begin = Desk(), 24 * 20
    processor.hears(ASKED, resolution(1 * H), contact(2 * H, "again", priority="urgent"), hours=2)
    assert processor.hears(contact(20 * DAY, "once-more", priority="urgent"), hours=begin) == []
    assert open_rows(processor.partition) == open_rows(processor.tables.restored())
    assert processor.hears(hours=begin + 9) == []


def test_a_third_question_says_nothing_again_of_the_first() -> None:
    #  0 h asked    1.7 h warned    1.8 h answered    2 h settled    20 days asked, nothing is promised, settled    40 days asked
    processor, second, third = Desk(), 24 * 20, 24 * 40
    processor.hears(ASKED, hours=0)
    assert processor.hears(hours=1.7) == [RESPONSE_WARNED]
    assert processor.hears(reply(108 * MIN), resolution(2 * H), hours=2) == [("response", "warning", "cleared")]
    assert processor.hears(contact(20 * DAY, "second", priority="critical"), resolution(20 * DAY + H), hours=second + 1) == []
    assert processor.hears(contact(40 * DAY, "third", priority="critical"), hours=third) == []


def test_a_snow_day_takes_the_alarm_back_and_moves_it() -> None:
    processor = Desk()
    processor.hears(ASKED, hours=0)
    assert processor.hears(hours=1.7) == [RESPONSE_WARNED]
    processor.restarts(directory=Promises(2, 1 * H))
    assert processor.hears(hours=1.8) == [("response", "warning", "withdrawn")]
    assert processor.hears(hours=2.5) == [RESPONSE_WARNED]  # 80 % of 3 h


def test_a_snow_day_that_is_declared_while_a_worker_goes_on_does_so_too() -> None:
    #  Tuesday 0 h asked    1.6 h warned    1.7 h Tuesday is a snow day at that school    Wednesday 1.6 h warned
    processor = Desk()
    processor.partition = Partition(0, OLD)
    processor.hears(contact(DAY, "c", school="north", priority="urgent"), hours=24)
    assert processor.hears(hours=25.65) == [RESPONSE_WARNED]
    adopted(processor.partition, SNOW)
    assert processor.hears(hours=25.7) == [("response", "warning", "withdrawn")]
    assert processor.hears(hours=49.55) == []
    assert processor.hears(hours=49.65) == [RESPONSE_WARNED]


def test_a_restart_repeats_nothing_and_forgets_no_timer() -> None:
    processor = Desk()
    processor.hears(ASKED, hours=0)
    assert processor.hears(hours=1.7) == [RESPONSE_WARNED]
    processor.restarts()
    assert processor.hears(hours=1.8) == []
    processor.restarts()
    assert processor.hears(hours=2.1) == [RESPONSE_BROKEN]
    processor.restarts()
    assert processor.hears(reply(3 * H), hours=3) == [("response", "warning", "cleared"), ("response", "breach", "cleared")]


def test_after_an_outage_what_is_over_an_hour_past_is_told_to_nobody() -> None:
    #  0 h asked    0.5 h last sign of life    1.6 h warned, 2 h broken: nobody there    2.8 h back: the warning is old, the breach is not
    processor = Desk()
    processor.hears(ASKED, hours=0)
    processor.hears(hours=0.5)
    processor.restarts()
    assert processor.hears(hours=2.8) == [RESPONSE_BROKEN]
    processor.restarts()
    assert processor.hears(reply(3 * H), hours=3) == [("response", "breach", "cleared")]


def test_what_a_dying_worker_may_have_said_is_cleared_also_after_a_long_outage() -> None:
    #  1.59 h last word that was written    1.6 h warned by a worker that died over it    5 h another one
    processor = Desk()
    processor.hears(ASKED, hours=0)
    processor.hears(hours=1.59)
    processor.restarts()
    assert processor.hears(hours=5) == []
    assert processor.hears(reply(5 * H), hours=5.1) == [("response", "warning", "cleared")]


def test_a_replay_says_nothing_whatever_happens_in_it() -> None:
    processor, now = Desk(), 1_000.0
    for hours, events in ((0, [ASKED]), (1.7, []), (2.1, []), (3, [reply(3 * H)]), (7, []), (9, [resolution(9 * H)])):
        assert processor.hears(*events, hours=hours, wall=now) == []
        processor.restarts()
    assert processor.hears(reply(1 * H), hours=10, wall=now) == []


def test_what_a_replay_did_not_say_is_not_cleared_live_either() -> None:
    processor = Desk()
    processor.hears(ASKED, hours=0, wall=100)
    processor.hears(hours=50, wall=100)
    processor.restarts()
    processor.hears(hours=100)
    assert processor.hears(reply(101 * H), hours=101) == []


def test_a_backfill_of_old_history_says_nothing_also_after_a_restart() -> None:
    processor = Desk()
    assert processor.hears(ASKED, hours=48) == []
    processor.restarts()
    assert processor.hears(hours=49) == []
    assert processor.hears(reply(49 * H), hours=49.5) == []


@pytest.mark.parametrize("before", [0, 2.4])
def test_a_contact_that_comes_a_little_late_is_told_of_at_once(before: float) -> None:
    processor = Desk()
    processor.hears(hours=before)
    assert processor.hears(ASKED, hours=2.5) == [RESPONSE_WARNED, RESPONSE_BROKEN]


def test_what_was_said_within_the_minute_of_the_clock_is_written_down_at_once() -> None:
    processor, second = Desk(), 1 / 3600
    processor.hears(ASKED, hours=0)
    processor.hears(hours=1.6)
    assert processor.hears(hours=1.6 + second) == [RESPONSE_WARNED]
    processor.restarts()
    assert processor.hears(hours=1.6 + 2 * second) == []


def test_an_old_case_that_a_backfill_calls_back_is_no_news() -> None:
    #  day 0 asked, day 1 answered too late; forgotten    day 200 a backfill tells of a contact a day before all that; then it is settled
    processor, first = Desk(), contact(-24 * H, "before")
    processor.hears(hours=24 * 200)
    processor.partition.promises.muted = ()  # a worker has kept up all the time
    archived = Archived(DISTRICT, "case-1", 1, [ASKED, reply(24 * H, "late")])
    processor.partition.archive.add(archived)
    assert processor.hears(first, hours=24 * 200 + 1, backfill=True) == []
    assert processor.hears(resolution(201 * DAY, "end"), hours=24 * 201) == []


def test_a_forgotten_case_has_no_timer_left() -> None:
    processor = Desk()
    processor.hears(ASKED, hours=0)
    processor.hears(hours=24 * 401)
    assert processor.partition.forget(processor.offset) == 1
    assert len(processor.partition.promises.open()) == 0
    assert processor.hears(hours=24 * 402) == []


@pytest.mark.parametrize("count", [1, 300, 3_000])
def test_the_table_grows_and_is_used_again(count: int) -> None:
    partition = Partition(0, PROMISES)
    asked = [(i, START, False, DISTRICT, f"case-{i}", contact(0, f"c{i}")) for i in range(count)]
    settled = [(count + i, START + 1, False, DISTRICT, f"case-{i}", resolution(1, f"r{i}")) for i in range(count)]
    partition.fold(asked)
    assert len(partition.promises.open()) == count
    partition.fold(settled)
    assert len(partition.promises.open()) == 0
    size = len(partition.promises._rows)
    partition.fold([(2 * count + i, START + 2, False, DISTRICT, f"other-{i}", contact(2, f"o{i}")) for i in range(count)])
    assert len(partition.promises._rows) == size
    assert isinstance(asked[0][5], Contacted)
