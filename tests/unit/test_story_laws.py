"""The laws of a case's story, which any fold of it is held to; here they are shown of the plain oracle itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from events.event import Contacted, Rated, Replied, Resolved
from tests.oracles import story
from tests.oracles.plain_facts import is_answer, plain_facts
from tests.oracles.plain_facts import the_set as the_plain_set
from tests.oracles.story import PlainDirectory, Span, Story, stories
from tests.support.histories import histories, told_histories
from tests.support.stories import DISTRICT, MIN, PROMISES, H

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.event import Event

WEEK = {day: ["08:00-16:00"] for day in range(5)}
DIRECTORY = PlainDirectory(
    {
        ("response", "routine"): (8 * H, "business"),
        ("response", "urgent"): (30 * H, "calendar"),
        ("response", "critical"): (2 * H, "business"),
        ("next_reply", "routine"): (4 * H, "business"),
        ("resolution", "routine"): (24 * H, "business"),
        ("resolution", "urgent"): (50 * H, "calendar"),
    },
    WEEK,
    own_hours={
        ("", "nursing"): {day: ["07:00-18:00"] for day in range(7)},
        ("north", "office"): {day: ["12:00-13:30"] for day in range(5)},
    },
    aliases={"south": "north"},
)
PAUSING = replace(DIRECTORY, also_pauses=("third_party",))
NO_TRACE = {"retracted": 0}
LONG = settings(max_examples=200)


@LONG
@given(told_histories(), st.randoms(use_true_random=False))
def test_any_order_and_any_repeats_give_the_same_story(events: list[story.Event], chance: Any) -> None:
    again = events + chance.choices(events, k=len(events) // 2)
    chance.shuffle(again)
    assert stories(again, DIRECTORY) == stories(events, DIRECTORY)


@LONG
@given(told_histories())
def test_what_a_higher_revision_replaced_leaves_no_trace(events: list[story.Event]) -> None:
    highest = {(e.source, e.id): max(o.revision for o in events if (o.source, o.id) == (e.source, e.id)) for e in events}
    latest = [event for event in events if event.revision == highest[event.source, event.id]]
    assert stories(latest, DIRECTORY) == stories(events, DIRECTORY)


@LONG
@given(told_histories())
def test_what_was_retracted_leaves_no_trace_but_its_count(events: list[story.Event]) -> None:
    told = story.the_set(events)
    gone = {(event.source, event.id) for event in told.retracted}
    left = [event for event in events if (event.source, event.id) not in gone]
    found = stories(events, DIRECTORY)
    assert [replace(each, **NO_TRACE) for each in found] == stories(left, DIRECTORY)
    assert sum(each.retracted for each in found) == (len(told.retracted) if found else 0)


@LONG
@given(told_histories())
def test_legs_add_up_to_the_whole(events: list[story.Event]) -> None:
    for found in stories(events, PAUSING):
        if found.whole is None or found.resolved_at is None:
            continue
        spans = found.leg_ms(PAUSING, found.resolved_at)
        assert sum(span.ms for span in spans) == found.whole.ms == found.resolved_at - found.opened_at
        assert sum(span.business_ms for span in spans) == found.whole.business_ms
        assert len(found.legs) == found.hand_offs + 1
        assert all(leg.place != following.place for leg, following in zip(found.legs, found.legs[1:], strict=False))


@LONG
@given(told_histories(), st.sampled_from([DIRECTORY, PAUSING]))
def test_ours_and_paused_are_the_whole_on_both_clocks(events: list[story.Event], directory: PlainDirectory) -> None:
    for found in stories(events, directory):
        if found.whole is None or found.ours is None:
            continue
        assert found.ours.ms + found.paused.ms == found.whole.ms
        assert found.ours.business_ms + found.paused.business_ms == found.whole.business_ms
        assert sum(span.ms for who, span in found.waited if who in directory.pauses()) == found.paused.ms


@LONG
@given(told_histories())
def test_a_promise_is_due_when_the_time_of_its_owners_adds_up_to_a_target(events: list[story.Event]) -> None:
    told = story.the_set(events)
    episodes = story.in_episodes([story.by_present_names(event, DIRECTORY) for event in told.happened])
    for found, episode in zip(stories(events, DIRECTORY), episodes, strict=True):
        if len(set(story.priorities(episode))) != 1 or found.contact is None or found.contact.priority not in {"routine", "critical"}:
            continue
        question = story.Question(episode, DIRECTORY)
        for turn in found.turns:
            promise = turn.promise
            if promise.due_at is not None and promise.ended_at is None:
                target = DIRECTORY.target(promise.name, ("", ""), found.contact, found.contact.priority)
                assert target is not None
                assert question.lasted(promise.began_at, promise.due_at, clock="business") == target[0]
                assert promise.warn_at is not None
                assert question.lasted(promise.began_at, promise.warn_at, clock="business") == target[0] * 8 // 10


@LONG
@given(told_histories())
def test_no_time_runs_backwards(events: list[story.Event]) -> None:
    for found in stories(events, PAUSING):
        for turn in found.turns:
            promise = turn.promise
            assert promise.ended_at is None or promise.began_at <= promise.ended_at
            assert (promise.due_at is None) == (promise.place is None)
            assert turn.ms is None or 0 <= (turn.business_ms or 0) <= turn.ms
        assert all(leg.ends is None or leg.begins <= leg.ends for leg in found.legs)
        assert found.paused.business_ms <= found.paused.ms


# -- what was said before there were changes, corrections and robots -----------------------------------------------------
AS_PROMISED = PlainDirectory(
    {
        ("response", "urgent"): (2 * H, "business"),
        ("resolution", "urgent"): (8 * H, "business"),
        ("response", "routine"): (4 * H, "business"),
        ("resolution", "routine"): (16 * H, "business"),
    },
    {day: ["00:00-08:00"] for day in range(7)},
    zone="UTC",
)
"""What `PROMISES` says: open from 00:00 to 08:00 UTC, urgent 2 h and 8 h, critical nothing, else 4 h and 16 h."""
RECORD = {Contacted: story.Contacted, Replied: story.Replied, Resolved: story.Resolved, Rated: story.Rated}
ALIKE = ("contacts", "replies", "resolutions", "reopens", "conflicts", "status", "outcome", "received_at", "waiting_since", "rating")
ALIKE_TIMES = ("opened_at", "episode", "first_resolved_at", "resolved_at", "rated_at")


@LONG
@given(histories())
def test_old_events_say_what_they_said(events: list[Event]) -> None:
    """But for what was wrong: resolutions that came while one held, and replies that another clock stamped before their contact."""
    happened, _ = the_plain_set(events)
    told = [RECORD[type(event)](*astuple(event)) for event in events]
    if was_stamped_early(happened) or any(story.settlings(episode) != each_resolution(episode) for episode in episodes_of(told)):
        return
    for was, found in zip(plain_facts(events, PROMISES, DISTRICT), stories(told, AS_PROMISED), strict=True):
        assert {name: getattr(found, name) for name in ALIKE + ALIKE_TIMES} == {name: was[name] for name in ALIKE + ALIKE_TIMES}
        if found.contact is None or found.resolution is None:
            continue
        measured = [turn for turn in found.turns if turn.ms is not None]
        assert (len(measured), sum(turn.ms or 0 for turn in measured)) == (was["turns_n"], was["turns_sum_ms"])
        whole = None if found.resolved_at is None else Span(was["resolution_ms"], was["resolution_business_ms"])
        assert found.whole == whole
        if found.contact.priority == was["priority"]:
            assert (found.resolution.warn_at, found.resolution.due_at) == (was["resolution_warn_at"], was["resolution_due_at"])
        if found.contact.needs_reply:
            says_the_same_of_the_response(was, found)


def says_the_same_of_the_response(was: dict[str, Any], found: Story) -> None:
    """Of a question that waited for a reply from the beginning. A reply after a resolution answers nobody, and is no response now."""
    first = found.turns[0]
    assert first.promise.ended_at == was["answered_at"]
    if found.contact is not None and found.contact.priority == was["priority"]:
        assert (first.promise.warn_at, first.promise.due_at) == (was["response_warn_at"], was["response_due_at"])
    if first.ms is not None:
        assert (first.ms, first.business_ms) == (was["response_ms"], was["response_business_ms"])
        assert first.place == (was["responded_school"], was["responded_department"])


def was_stamped_early(happened: Sequence[Event]) -> bool:
    first = min((event.time for event in happened if isinstance(event, Contacted)), default=0)
    return any(is_answer(event) and first - 2 * MIN <= event.time < first for event in happened)


def episodes_of(told: Sequence[story.Event]) -> list[list[story.Event]]:
    return story.in_episodes(story.the_set(told).happened)


def each_resolution(episode: Sequence[story.Event]) -> list[story.Settling]:
    """What `settlings` gives where no resolution comes while another holds."""
    found = story.settlings(episode)
    return found if len(found) == sum(isinstance(event, story.Resolved) for event in episode) else []
