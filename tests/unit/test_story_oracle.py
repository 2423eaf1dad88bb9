"""The plain oracle of a case's story gives what each scenario expects; what holds of any history is in test_story_laws.py."""

from __future__ import annotations

from collections import Counter
from itertools import islice, permutations
from statistics import mean, median_low
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracles.story import Contacted, Event, PlainDirectory, Promise, Story, stories
from tests.support.story_scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence


def named(scenario: Scenario) -> str:
    return f"{scenario.number} {scenario.about}"


def known_at(events: Sequence[Event], clock: int, directory: PlainDirectory) -> list[Story]:
    return stories([event for event in events if event.time <= clock], directory)


def readings(story: Story, directory: PlainDirectory, clock: int) -> dict[str, Any]:
    """What the names of the scenarios are, in the terms of the oracle."""
    response, waiting = story.response, open_turn(story)
    contact = story.contact or Contacted(0, "", "")
    resolution = story.resolution
    return {
        "status": story.status,
        "received_at": story.received_at,
        "priority": contact.priority,
        "topic": contact.topic,
        "owner": story.owner,
        "hand_offs": story.hand_offs,
        "legs": [(leg.place, span.business_ms) for leg, span in zip(story.legs, story.leg_ms(directory, clock), strict=True)],
        "response_began_at": response.promise.began_at if response else None,
        "response_ms": response.ms if response else None,
        "response_business_ms": response.business_ms if response else None,
        "response_place": response.place if response else None,
        "turns": [(turn.promise.name, turn.promise.state(clock), turn.ms is not None) for turn in story.turns],
        "turn_places": [turn.promise.place for turn in story.turns],
        "waiting_since": story.waiting_since,
        "next_due_at": waiting.due_at if waiting else None,
        "next_warn_at": waiting.warn_at if waiting else None,
        "resolution_due_at": resolution.due_at if resolution else None,
        "resolution_state": resolution.state(clock) if resolution else None,
        "resolved_at": story.resolved_at,
        "outcome": story.outcome,
        "duplicate_of": story.duplicate_of,
        "whole_ms": story.whole.ms if story.whole else None,
        "whole_business_ms": story.whole.business_ms if story.whole else None,
        "ours_ms": story.ours.ms if story.ours else None,
        "ours_business_ms": story.ours.business_ms if story.ours else None,
        "paused_ms": story.paused.ms,
        "paused_business_ms": story.paused.business_ms,
        "waited": {who: span.ms for who, span in story.waited},
        "waiting_on": story.waiting_on,
        "waiting_on_since": story.waiting_on_since,
        "thought_settled_business_ms": story.thought_settled.business_ms,
        "closed_unanswered": story.closed_unanswered,
        "closed_automatically": story.closed_automatically,
        "at_first_contact": story.at_first_contact,
        "rating": story.rating,
        "rated_at": story.rated_at,
        "rated_place": story.rated_place,
        "is_question": story.is_question,
        **{name: getattr(story, name) for name in ("contacts", "replies", "resolutions", "reopens", "conflicts", "retracted")},
    }


def open_turn(story: Story) -> Promise | None:
    promise = story.turns[-1].promise if story.turns else None
    return promise if promise is not None and promise.ended_at is None else None


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_each_scenario_tells_what_is_expected(scenario: Scenario) -> None:
    for moment in scenario.moments:
        found = known_at(scenario.cases[moment.subject], moment.clock, scenario.directory)
        told = readings(found[moment.episode], scenario.directory, moment.clock) | {"episodes": len(found)}
        assert {name: told[name] for name in moment.expected} == moment.expected


@pytest.mark.parametrize("scenario", [scenario for scenario in SCENARIOS if scenario.totals], ids=named)
def test_all_cases_together_tell_what_is_expected(scenario: Scenario) -> None:
    for totals in scenario.totals:
        told = totals_of(scenario, totals.clock)
        assert {name: told[name] for name in totals.expected} == totals.expected


def totals_of(scenario: Scenario, clock: int) -> dict[str, Any]:
    found = [(story, events) for events in scenario.cases.values() for story in known_at(events, clock, scenario.directory)]
    questions = [story for story, _ in found if story.is_question]
    messages = [event for story, events in found if story.has_messages for event in events if isinstance(event, Contacted)]
    responses = [story.response.ms or 0 for story in questions if story.response]
    promises = [turn.promise.state(clock) for story in questions for turn in story.turns]
    promises += [story.resolution.state(clock) for story in questions if story.resolution]
    return {
        "questions": len(questions),
        "questions_by_place": dict(Counter((story.contact.school, story.contact.department) for story in questions if story.contact)),
        "messages": len(messages),
        "people": len({event.stakeholder for event in messages}),
        "promises_n": sum(state in {"kept", "missed"} for state in promises),
        "promises_kept_n": promises.count("kept"),
        "promises_missed_n": promises.count("missed"),
        "resolutions_n": sum(story.resolved_at is not None for story in questions),
        "response_n": len(responses),
        "response_median_ms": median_low(responses) if responses else None,
        "response_mean_ms": mean(responses) if responses else None,
        "closed_unanswered_n": sum(story.closed_unanswered for story in questions),
    }


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_no_scenario_depends_on_the_order_of_arrival(scenario: Scenario) -> None:
    for events in list(scenario.cases.values())[:3]:
        expected = stories(events, scenario.directory)
        for again in islice(permutations(events), 120):
            assert stories([*again, again[0]], scenario.directory) == expected


def test_all_thirty_are_told() -> None:
    assert [scenario.number for scenario in SCENARIOS] == list(range(1, 31))
