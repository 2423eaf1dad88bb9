"""What is known of an episode, rule by rule (docs/schema.md)."""

from __future__ import annotations

import pytest
from msgspec.structs import astuple

from events.event import Contacted
from projections.episode import Facts
from projections.rows import CASE_COLUMNS
from tests.support.stories import DAY, MIN, H, after, all_facts, contact, facts_of, rating, reply, resolution


def test_a_contact_opens_an_episode_and_describes_it() -> None:
    facts = facts_of(
        contact(
            0,
            "c-1",
            school="lincoln-high",
            department="nursing",
            stakeholder="s-9",
            audience="family",
            channel="web",
            language="es",
            topic="bus-late",
            priority="urgent",
        )
    )
    assert (facts.opened_at, facts.received_at) == (after(0), after(0))
    assert facts.episode == "/riverside/helpdesk c-1"
    assert (facts.school, facts.department, facts.stakeholder) == ("lincoln-high", "nursing", "s-9")
    assert (facts.audience, facts.channel, facts.language, facts.topic, facts.priority) == ("family", "web", "es", "bus-late", "urgent")
    assert (facts.needs_reply, facts.contacts, facts.status) == (1, 1, "open")


def test_the_first_public_human_reply_is_the_response() -> None:
    #  contact -- automatic -- internal -- human reply -- human reply
    #  0h         1h           2h          3h             4h
    facts = facts_of(contact(0), reply(1 * H, human=False), reply(2 * H, public=False), reply(3 * H), reply(4 * H))
    assert facts.first_response_at == after(3)
    assert facts.response_ms == 3 * H
    assert facts.replies == 2
    assert facts.status == "answered"


def test_an_automatic_reply_alone_answers_nothing() -> None:
    facts = facts_of(contact(0), reply(1 * H, human=False))
    assert (facts.first_response_at, facts.answered_at, facts.response_ms, facts.replies) == (None, None, None, 0)
    assert facts.status == "open"


def test_a_resolution_keeps_the_promise_of_an_answer_but_is_no_response() -> None:
    facts = facts_of(contact(0), resolution(2 * H), reply(3 * H))
    assert facts.answered_at == after(2)
    assert facts.first_response_at == after(3)


def test_responder_and_resolver_are_named_by_their_events() -> None:
    facts = facts_of(contact(0), reply(1 * H, school="north", department="office"), resolution(2 * H, school="south", department="nursing"))
    assert (facts.responded_school, facts.responded_department) == ("north", "office")
    assert (facts.resolved_school, facts.resolved_department) == ("south", "nursing")


def test_where_they_name_no_place_it_is_the_contacts_field_by_field() -> None:
    facts = facts_of(contact(0), reply(1 * H, department="office"), resolution(2 * H, school="south"))
    assert (facts.responded_school, facts.responded_department) == ("lincoln-high", "office")
    assert (facts.resolved_school, facts.resolved_department) == ("south", "transportation")


def test_nobody_has_responded_or_resolved_anywhere_yet() -> None:
    facts = facts_of(contact(0), rating(1 * H))
    assert (facts.responded_school, facts.responded_department, facts.resolved_school, facts.resolved_department) == ("", "", "", "")


def test_promises_run_on_open_hours() -> None:
    # Urgent: 2 open hours to answer, 8 to settle. Open 0h to 8h each day, asked at 7h.
    facts = facts_of(contact(7 * H, priority="urgent"))
    assert (facts.response_warn_at, facts.response_due_at) == (after(24 + 0.6), after(24 + 1))
    assert (facts.resolution_warn_at, facts.resolution_due_at) == (after(24 + 5.4), after(24 + 7))


def test_what_needs_no_reply_promises_none_but_a_resolution() -> None:
    facts = facts_of(contact(0, needs_reply=False))
    assert (facts.response_warn_at, facts.response_due_at, facts.waiting_since) == (None, None, None)
    assert facts.resolution_due_at is not None


def test_without_a_target_nothing_is_due() -> None:
    facts = facts_of(contact(0, priority="critical"))
    assert (facts.response_due_at, facts.resolution_due_at, facts.response_warn_at, facts.resolution_warn_at) == (None, None, None, None)


def test_every_duration_is_on_both_clocks() -> None:
    # Open 0h to 8h.
    #  contact ---- reply ---- resolution
    #  7h           10h        25h
    facts = facts_of(contact(7 * H), reply(10 * H), resolution(25 * H))
    assert (facts.response_ms, facts.response_business_ms) == (3 * H, 1 * H)
    assert (facts.first_resolution_ms, facts.first_resolution_business_ms) == (18 * H, 2 * H)
    assert (facts.resolution_ms, facts.resolution_business_ms) == (18 * H, 2 * H)


def test_a_turn_runs_from_the_oldest_unanswered_contact() -> None:
    #  contact ---- contact ---- reply ---- contact ---- reply
    #  0h           1h           3h         10h          11h
    facts = facts_of(contact(0), contact(1 * H), reply(3 * H), contact(10 * H), reply(11 * H))
    assert (facts.turns_n, facts.turns_sum_ms) == (2, 4 * H)
    assert facts.waiting_since is None


def test_a_resolution_ends_a_turn_unmeasured() -> None:
    facts = facts_of(contact(0), resolution(1 * H), reply(2 * H))
    assert (facts.turns_n, facts.turns_sum_ms, facts.waiting_since) == (0, 0, None)


def test_who_still_waits_is_known() -> None:
    facts = facts_of(contact(0), reply(1 * H), contact(2 * H), contact(3 * H))
    assert facts.waiting_since == after(2)
    assert facts.status == "open"


def test_a_follow_up_reopens_the_episode() -> None:
    #  contact ---- reply ---- resolution ---- contact ---- resolution
    #  0h           2h         5h              30h          31h
    facts = facts_of(contact(0 * H), reply(2 * H), resolution(5 * H), contact(30 * H), resolution(31 * H))
    assert facts.reopens == 1
    assert (facts.first_resolved_at, facts.resolved_at) == (after(5), after(31))
    assert (facts.first_resolution_ms, facts.resolution_ms) == (5 * H, 31 * H)


def test_an_undone_resolution_is_none_until_the_next() -> None:
    facts = facts_of(contact(0), resolution(5 * H), contact(30 * H))
    assert facts.reopens == 1
    assert (facts.first_resolved_at, facts.resolved_at, facts.resolution_ms, facts.resolution_business_ms) == (after(5), None, None, None)
    assert (facts.resolved_school, facts.resolved_department) == ("", "")
    assert facts.status == "open"


def test_a_reply_and_another_resolution_reopen_it_too() -> None:
    facts = facts_of(contact(0), resolution(1 * H), reply(2 * H), resolution(3 * H))
    assert facts.reopens == 1


def test_a_second_resolution_alone_reopens_nothing() -> None:
    facts = facts_of(contact(0), resolution(1 * H), resolution(3 * H))
    assert (facts.reopens, facts.resolved_at) == (0, after(3))


def test_each_resolution_is_reopened_once_at_most() -> None:
    #  resolution ---- reply ---- contact ---- reply ---- resolution: one resolution undone
    facts = facts_of(contact(0), resolution(1 * H), reply(2 * H), contact(3 * H), reply(4 * H), resolution(5 * H))
    assert facts.reopens == 1


def test_a_word_of_thanks_undoes_nothing() -> None:
    facts = facts_of(contact(0), resolution(1 * H), contact(2 * H, needs_reply=False))
    assert (facts.reopens, facts.resolved_at, facts.status, facts.contacts) == (0, after(1), "resolved", 2)


def test_a_contact_over_14_days_after_the_resolution_asks_something_new() -> None:
    one, other = all_facts(contact(0, "c-1"), resolution(1 * H), contact(1 * H + 14 * DAY + 1, "c-2"), reply(1 * H + 14 * DAY + MIN))
    assert (one.reopens, one.contacts, one.status) == (0, 1, "resolved")
    assert (other.episode, other.contacts, other.replies, other.status) == ("/riverside/helpdesk c-2", 1, 1, "answered")


def test_a_contact_14_days_after_the_resolution_to_the_millisecond_belongs_to_it() -> None:
    facts = facts_of(contact(0), resolution(1 * H), contact(1 * H + 14 * DAY))
    assert (facts.contacts, facts.reopens) == (2, 1)


def test_a_question_that_was_reopened_and_left_for_14_days_is_still_that_question() -> None:
    #  contact ---- resolution ---- contact ---- ... ---- contact ---- resolution ---- contact
    #  day 0        hour 1          day 10                day 40       day 41          day 56
    reopened = (contact(0), resolution(1 * H), contact(10 * DAY), contact(40 * DAY))
    facts = facts_of(*reopened)
    assert (facts.status, facts.contacts, facts.reopens, facts.waiting_since) == ("open", 3, 1, after(10 * 24))
    one, other = all_facts(*reopened, resolution(41 * DAY), contact(56 * DAY))
    assert (one.status, one.contacts, other.status, other.contacts) == ("resolved", 3, "open", 1)


def test_a_word_of_thanks_or_a_reply_leave_a_resolution_standing_so_that_the_next_contact_asks_anew() -> None:
    thanked = all_facts(contact(0), resolution(1 * H), contact(2 * H, needs_reply=False), reply(3 * H), contact(15 * DAY))
    assert [(known.status, known.contacts) for known in thanked] == [("resolved", 2), ("open", 1)]


def test_the_last_rating_counts() -> None:
    facts = facts_of(contact(0), rating(1 * H, 2.0), rating(2 * H, 4.0))
    assert (facts.rating, facts.rated_at) == (0.75, after(2))


def test_a_rating_is_on_its_own_scale() -> None:
    assert facts_of(contact(0), rating(1 * H, 0.0, worst=-10.0, best=10.0)).rating == 0.5


@pytest.mark.parametrize(("outcomes", "status"), [(["spam"], "spam"), (["spam", "resolved"], "resolved"), (["no_action", "spam"], "spam")])
def test_the_last_outcome_says_whether_it_was_spam(outcomes: list[str], status: str) -> None:
    facts = facts_of(contact(0), *(resolution((i + 1) * H, outcome=outcome) for i, outcome in enumerate(outcomes)))
    assert (facts.status, facts.outcome) == (status, outcomes[-1])


def test_spam_that_writes_again_is_open() -> None:
    assert facts_of(contact(0), resolution(1 * H, outcome="spam"), contact(2 * H)).status == "open"


def test_what_comes_before_any_contact_is_an_episode_of_orphans() -> None:
    orphans, asked = all_facts(reply(0, "r-1", school="north"), rating(1 * H), contact(2 * H), reply(3 * H))
    assert (orphans.received_at, orphans.opened_at, orphans.episode) == (None, after(0), "/riverside/helpdesk r-1")
    assert (orphans.first_response_at, orphans.answered_at, orphans.contacts, orphans.replies) == (None, None, 0, 1)
    assert (orphans.school, orphans.priority, orphans.status, orphans.rating) == ("", "", "answered", 1.0)
    assert (asked.received_at, asked.first_response_at, asked.rating) == (after(2), after(3), None)


def test_a_resolved_orphan_has_instants_but_no_durations() -> None:
    facts = facts_of(resolution(0), reply(1 * H), resolution(2 * H, school="north"))
    assert (facts.status, facts.first_resolved_at, facts.resolved_at, facts.reopens) == ("resolved", after(0), after(2), 1)
    assert (facts.first_resolution_ms, facts.resolution_ms, facts.resolution_business_ms) == (None, None, None)
    assert (facts.resolved_school, facts.resolved_department) == ("north", "")


def test_at_one_instant_a_contact_comes_before_its_reply() -> None:
    facts = facts_of(reply(0, "a"), contact(0, "z"))
    assert (facts.response_ms, facts.received_at) == (0, after(0))


def test_facts_are_the_columns_of_cases() -> None:
    names = list(Facts.__struct_fields__)
    assert names == ["opened_at", *CASE_COLUMNS[3:44]]
    assert len(astuple(Facts(0, ""))) == len(names)


def test_what_nobody_named_is_empty() -> None:
    bare = facts_of(Contacted(0, "s", "i"))
    assert (bare.school, bare.department, bare.stakeholder, bare.language, bare.priority) == ("", "", "", "", "routine")
