"""A case as a set of events: repeats, conflicts, lateness, fullness, and its record."""

from __future__ import annotations

import pytest

from events.event import Event, Replied
from projections.capacity import FULL_OF_EVENTS, MOST_EVENTS
from projections.case import ENCODE, CaseWork, decode_case, decode_head, decode_kept, events_of, fresh, has_grown, made_of
from projections.episode import finish
from tests.support.stories import DAY, DISTRICT, PROMISES, SOURCE, START, H, contact, reply, resolution


def told(*events: Event) -> CaseWork:
    work = CaseWork(DISTRICT, "case-1", fresh(PROMISES), b"")
    for event in events:
        assert work.add(event, PROMISES) is None
    return work


def test_an_event_twice_is_an_event_once() -> None:
    question, answer = contact(0), reply(1 * H)
    once, twice = told(question, answer), told(question, answer, question, answer)
    assert ENCODE(once.case) == ENCODE(twice.case)
    assert twice.case.count == 2


def test_a_late_event_takes_its_place() -> None:
    question, early, late = contact(0), reply(1 * H), reply(2 * H)
    work = told(question, late, early)
    assert events_of(work.case) == [question, early, late]
    assert finish(work.case.episodes[0]).first_response_at == early.time


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_contents_the_least_stays_whichever_came_first(first: int) -> None:
    contents = [reply(1 * H, "r", author="a-1"), reply(2 * H, "r", author="a-0")]
    case = told(contact(0), contents[first], contents[1 - first]).case
    assert events_of(case)[1] == contents[0]
    assert case.conflicts == [f"{SOURCE} r"]
    assert finish(case.episodes[0]).conflicts == 1


def test_at_one_time_the_fields_decide() -> None:
    case = told(contact(0), reply(1 * H, "r", author="b"), reply(1 * H, "r", author="a")).case
    assert events_of(case)[1].author == "a"  # type: ignore[union-attr] # a reply


def test_a_conflict_is_counted_once_however_often_it_comes() -> None:
    one, other = reply(1 * H, "r", author="a"), reply(1 * H, "r", author="b")
    assert told(contact(0), one, other, other, one, other).case.conflicts == [f"{SOURCE} r"]


def test_one_id_of_two_sources_is_two_events() -> None:
    case = told(contact(0), reply(1 * H, "r"), Replied(START + 2 * H, "/elsewhere", "r")).case
    assert (case.count, case.conflicts) == (3, [])


def test_a_conflict_between_kinds_is_one_too() -> None:
    case = told(contact(0), resolution(1 * H, "x"), reply(1 * H, "x")).case
    assert [type(event) for event in events_of(case)][1:] == [Replied]


def test_an_id_that_only_looks_known_is_added() -> None:
    # "a-1" is also the author of the first reply, so its bytes are in the record already.
    case = told(contact(0), reply(1 * H, "r", author="a-1"), reply(2 * H, "a-1")).case
    assert [event.id for event in events_of(case)][1:] == ["r", "a-1"]


def test_a_full_case_takes_no_more_but_hears_what_it_knows() -> None:
    question = contact(0, "first")
    work = told(question, *(reply(H + i, f"reply-number-{i:04}") for i in range(MOST_EVENTS - 1)))
    assert work.add(reply(DAY), PROMISES) is FULL_OF_EVENTS
    assert work.add(reply(1), PROMISES) is FULL_OF_EVENTS
    assert work.add(question, PROMISES) is None
    assert work.case.count == MOST_EVENTS == len(events_of(work.case))


def test_what_it_has_taken_it_knows_the_loser_of_a_conflict_included() -> None:
    work = told(contact(0, "c", school="south"), contact(0, "c", school="north"), reply(H, "r"))
    assert work.has_taken(contact(0, "c", school="north"))
    assert work.has_taken(contact(0, "c", school="south")), "it lost its place"
    assert not work.has_taken(reply(2 * H, "r")), "another content that never came"
    assert not work.has_taken(reply(H, "s"))


def test_a_vanished_key_is_remembered_until_the_case_is_written() -> None:
    #  the resolution 20 days before makes the second contact a new question; one in between takes that back
    work = told(contact(0, "c-1"), resolution(1 * H), contact(20 * DAY, "c-2"))
    assert not work.vanished
    work.add(resolution(10 * DAY), PROMISES)
    assert work.vanished == {(START + 20 * DAY, f"{SOURCE} c-2")}


def test_the_record_carries_set_and_accumulator() -> None:
    work = told(contact(0), reply(1 * H), resolution(30 * DAY), contact(60 * DAY, school="north"))
    record = ENCODE(work.case)
    assert decode_case(record).episodes == work.case.episodes
    assert events_of(decode_kept(record)) == events_of(work.case)
    assert decode_head(record).count == 4


def test_a_record_of_any_version_gives_its_events() -> None:
    # The accumulator of a later fold may be anything; where the events are is the same for ever.
    case = told(contact(0), reply(1 * H)).case
    opening, others, events = case.episodes[0].opening, case.episodes[0].others, case.episodes[0].events
    record = ENCODE((99, 1, 7, 0, 2, [], [(opening, others, events, {"anything": "else"})]))
    assert events_of(decode_kept(record)) == events_of(case)
    assert decode_head(record).fold == 99


def test_a_later_record_is_seen_to_hold_an_earlier_one() -> None:
    short = told(contact(0, "c"), reply(1 * H, "r"))
    earlier = decode_kept(ENCODE(short.case))
    short.add(reply(2 * H, "s"), PROMISES)
    later = decode_kept(ENCODE(short.case))
    assert has_grown(earlier, later)
    assert not has_grown(later, earlier)
    assert not has_grown(earlier, decode_kept(ENCODE(told(contact(0, "c"), reply(2 * H, "s")).case)))


def test_a_case_can_be_made_of_its_archive_in_any_order() -> None:
    events: list[Event] = [reply(1 * H, "r", author="b"), contact(0, "c"), reply(1 * H, "r", author="a")]
    case = made_of(events, (), decode_head(ENCODE(fresh(PROMISES))), DISTRICT, PROMISES)
    assert ENCODE(case) == ENCODE(told(*events).case)
