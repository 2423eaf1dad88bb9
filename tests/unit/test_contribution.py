"""What an episode contributes, where, when and how much; and that taking back is exact."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given

from events.event import Contacted, order
from projections.case import refold
from projections.contribution import (
    ANYTHING,
    CONTACT,
    ITS_OWN,
    QUALITY,
    RATING,
    REOPENED,
    RESOLUTION,
    RESOLUTION_DUE,
    RESPONSE,
    RESPONSE_DUE,
    Contribution,
    added_by,
    contributions,
    differences,
    effect_of,
    in_bp,
    is_measured,
    message_differences,
    messages,
)
from projections.episode import step
from tests.support.histories import histories
from tests.support.stories import DISTRICT, MIN, PROMISES, START, H, contact, rating, reply, resolution

if TYPE_CHECKING:
    from events.event import Event
    from projections.episode import Episode

HERE = 7
PLACES = {("north", "transportation"): 1, ("lincoln-high", "nursing"): 2}
MINUTE = START // MIN


def of(*events: Event) -> dict[int, Contribution]:
    """Contributions of the one episode that these events make, by measure; minutes counted from the story's start."""
    (episode,) = refold(events, (), DISTRICT, PROMISES)
    found = contributions(episode, HERE, lambda school, department: PLACES[school, department])
    return {measure: (measure, minute - MINUTE, *rest) for measure, minute, *rest in found}  # type: ignore[misc] # five again


def test_a_contact_counts_once_and_its_deadlines_the_minute_after() -> None:
    assert of(contact(30 * MIN), contact(40 * MIN)) == {
        CONTACT: (CONTACT, 30, HERE, 1, 0),
        RESPONSE_DUE: (RESPONSE_DUE, 4 * 60 + 31, HERE, 0, 0),
        RESOLUTION_DUE: (RESOLUTION_DUE, 48 * 60 + 31, HERE, 0, 0),
    }


def test_a_response_counts_where_it_was_given() -> None:
    found = of(contact(7 * H), reply(10 * H, school="north"))
    assert found[RESPONSE] == (RESPONSE, 600, 1, 3 * H, 1 * H)
    assert found[RESPONSE_DUE][3] == 1


def test_an_answer_at_the_deadline_keeps_it_and_a_millisecond_later_does_not() -> None:
    assert of(contact(0), reply(4 * H))[RESPONSE_DUE][3] == 1
    assert of(contact(0), reply(4 * H + 1))[RESPONSE_DUE][3] == 0


def test_a_resolution_keeps_the_promise_of_an_answer() -> None:
    found = of(contact(0), resolution(1 * H))
    assert found[RESPONSE_DUE][3] == 1
    assert RESPONSE not in found


def test_a_resolution_counts_where_it_was_made() -> None:
    found = of(contact(0), resolution(5 * H, department="nursing"), rating(6 * H, 4.0))
    assert found[RESOLUTION] == (RESOLUTION, 300, 2, 5 * H, 5 * H)
    assert found[QUALITY] == (QUALITY, 300, 2, 1, 0)
    assert found[RATING] == (RATING, 360, 2, 7_500, 0)
    assert found[RESOLUTION_DUE][2:] == (HERE, 1, 0)


def test_a_reopened_one_is_no_quality() -> None:
    found = of(contact(0), resolution(1 * H), contact(2 * H), resolution(3 * H))
    assert found[REOPENED] == (REOPENED, 180, HERE, 1, 0)
    assert found[QUALITY][3] == 0


def test_a_late_one_is_no_quality() -> None:
    found = of(contact(0), resolution(72 * H))
    assert (found[QUALITY][3], found[RESOLUTION_DUE][3]) == (0, 0)


def test_reopening_does_not_break_the_promise_that_the_first_resolution_kept() -> None:
    assert of(contact(0), resolution(1 * H), contact(100 * H))[RESOLUTION_DUE][3] == 1


def test_a_rating_without_a_resolution_counts_at_the_contacts_place() -> None:
    assert of(contact(0), resolution(1 * H, department="nursing"), contact(2 * H), rating(3 * H))[RATING][2] == HERE


def test_without_targets_there_is_neither_compliance_nor_quality() -> None:
    assert set(of(contact(0, priority="critical"), reply(1 * H), resolution(2 * H))) == {CONTACT, RESPONSE, RESOLUTION}


def test_what_needs_no_reply_is_not_due_but_its_reply_is_a_response() -> None:
    assert set(of(contact(0, needs_reply=False), reply(1 * H))) == {CONTACT, RESPONSE, RESOLUTION_DUE}


def test_orphans_and_spam_are_in_no_measure() -> None:
    (orphans,) = refold([reply(0)], (), DISTRICT, PROMISES)
    (spam,) = refold([contact(0), resolution(1 * H, outcome="spam")], (), DISTRICT, PROMISES)
    (again,) = refold([contact(0), resolution(1 * H, outcome="spam"), contact(2 * H)], (), DISTRICT, PROMISES)
    assert [is_measured(episode) for episode in (orphans, spam, again)] == [False, False, True]


def test_every_contact_is_a_message_of_its_own_stakeholder_in_the_opening_contacts_place() -> None:
    (episode,) = refold([contact(0), contact(5 * MIN, stakeholder="", school="north")], (), DISTRICT, PROMISES)
    assert messages(episode, HERE) == [(MINUTE, HERE, "s-1"), (MINUTE + 5, HERE, "")]


def test_ratings_round_halves_up() -> None:
    assert (in_bp(0.0), in_bp(1 / 3), in_bp(0.00005), in_bp(1.0)) == (0, 3333, 1, 10_000)


def test_differences_take_back_the_old_and_add_the_new_where_they_differ() -> None:
    old = [(CONTACT, 1, 2, 1, 0), (RATING, 5, 2, 100, 0)]
    new = [(CONTACT, 1, 2, 1, 0), (RATING, 9, 2, 100, 0), (RESPONSE, 4, 2, 8, 8)]
    assert differences(old, new) == [RATING, 5, 2, 100, 0, -1, RATING, 9, 2, 100, 0, 1, RESPONSE, 4, 2, 8, 8, 1]
    assert differences(old, old) == []


def test_equal_messages_count_as_often_as_they_were_sent() -> None:
    one, other = (1, 2, "s-1"), (1, 2, "s-2")
    assert message_differences([one], [one, one]) == [(one, 1)]
    assert Counter(message_differences([one, one, other], [other, one])) == Counter([(one, -1)])


def there(school: str, department: str) -> int:
    """A place of its own for each school and department."""
    return 10 + 10 * ["", "north", "south"].index(school) + ["", "nursing", "office"].index(department)


def place_of(event: Event) -> int:
    return there(event.school, event.department)


@given(histories())
def test_the_short_way_adds_what_comparing_everything_finds(events: list[Event]) -> None:
    """Every event in its turn: what it is said to change, and what it adds, is what contributions before and after differ by."""
    episodes: list[Episode] = []
    for event in sorted({(e.source, e.id): e for e in events}.values(), key=order):
        latest = episodes[-1] if episodes else None
        effect = ANYTHING if latest is None else effect_of(event, latest)
        here = 0 if latest is None else place_of(latest.opening)
        before, wrote = (contributions(latest, here, there), messages(latest, here)) if latest and is_measured(latest) else ([], [])
        step(episodes, event, DISTRICT, PROMISES)
        if effect == ANYTHING or latest is None:
            continue
        after, written = (contributions(latest, here, there), messages(latest, here)) if is_measured(latest) else ([], [])
        found = differences(before, after)
        told: list[int] = []
        if effect == ITS_OWN and isinstance(event, Contacted):
            assert message_differences(wrote, written) == [((event.time // MIN, here, event.stakeholder), 1)]
        else:
            told = added_by(event, latest, here, there) if effect == ITS_OWN and not isinstance(event, Contacted) else []
            assert wrote == written
        assert _records(told) == _records(found)


def _records(flat: list[int]) -> Counter[tuple[int, ...]]:
    return Counter(tuple(flat[i : i + 6]) for i in range(0, len(flat), 6))
