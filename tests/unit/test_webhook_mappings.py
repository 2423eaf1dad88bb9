"""What each documented form of a delivery of Chatwoot and Zendesk counts as, by the mappings of the documents."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from events.codec import Decoder
from events.rejection import Rejection
from projections.episode import Facts
from streams.intake.hook import Hook, HookFile
from streams.intake.problem import Problem
from streams.mapping.mapping import read_as
from tests.support.intakes import wire
from tests.support.stories import facts_of
from tests.support.webhooks import AGENT, BOT, CONTACT, answered, chatwoot, comment, zendesk

FOLDER = Path(__file__).parents[2] / "docs" / "mappings" / "webhooks"
KEY = b"an invented key, 32 bytes long.."
RECEIVED = 1_795_200_000_250


class Still:
    def now(self) -> int:
        return RECEIVED


HOOKS = {name: Hook(read_as(HookFile, FOLDER / f"{name}.yaml"), KEY, Still()) for name in ("chatwoot", "zendesk")}


def events_of(name: str, delivery: dict[str, Any]) -> list[dict[str, Any]]:
    """Of one delivery; each keeps the contract."""
    values = [posted.value for posted in HOOKS[name].posted(wire(delivery))]
    assert [found for value in values if isinstance(found := Decoder().decode(value, [], RECEIVED), Rejection)] == []
    return [json.loads(value) for value in values]


def said(name: str, delivery: dict[str, Any]) -> str:
    """Kind, and of a reply who wrote it for whom, of the one event; '' where there is none."""
    events = events_of(name, delivery)
    assert len(events) < 2
    data = events[0]["data"] if events else {}
    kind = events[0]["type"].split(".")[2] if events else ""
    return f"{data.get('visibility', 'public')} {data.get('author_kind', 'human')} reply" if kind == "reply" else kind


# -- Chatwoot ----------------------------------------------------------------------------------------------------------
AT = "2026-11-20T14:00:03.000Z"
CAPTAIN = {"id": 7, "name": "Captain", "avatar_url": "", "description": "", "created_at": AT, "type": "captain_assistant"}
RULE = {"content_attributes": {"automation_rule_id": 12}}
CAMPAIGN = {"additional_attributes": {"campaign_id": 5}}
WITHOUT_TYPE = {"id": "1", "name": "Ada Invented", "email": "ada.invented@example.org"}


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        (chatwoot(1, "incoming", AT, CONTACT), "contact"),
        (chatwoot(1, "incoming", AT, CONTACT | {"type": None}, content_type="incoming_email"), "contact"),
        (chatwoot(1, "incoming", "2026-11-20 14:00:00 UTC", WITHOUT_TYPE, conversation={"display_id": "306"}), "contact"),
        (chatwoot(1, "", 1_795_183_200, CONTACT, message_type=0), "contact"),
        (chatwoot(2, "outgoing", AT, AGENT), "public human reply"),
        (chatwoot(2, "outgoing", AT, WITHOUT_TYPE), "public human reply"),
        (chatwoot(2, "", AT, AGENT, message_type=1), "public human reply"),
        (chatwoot(2, "outgoing", AT, None, content_attributes={"external_echo": True}), "public human reply"),
        (chatwoot(2, "outgoing", AT, AGENT, private=True), "internal human reply"),
        (chatwoot(2, "outgoing", AT, None, **RULE), "public automatic reply"),
        (chatwoot(2, "outgoing", AT, AGENT, **RULE), "public automatic reply"),
        (chatwoot(2, "outgoing", AT, None, private=True, **RULE), "internal automatic reply"),
        (chatwoot(2, "outgoing", AT, None), "public automatic reply"),
        (chatwoot(2, "outgoing", AT, AGENT, **CAMPAIGN), "public automatic reply"),
        (chatwoot(2, "outgoing", AT, CAPTAIN), "public automatic reply"),
        (chatwoot(2, "outgoing", AT, BOT), "public automatic reply"),
        (chatwoot(2, "template", AT, None), "public automatic reply"),
        (chatwoot(2, "", AT, None, message_type=3), "public automatic reply"),
        (chatwoot(2, "activity", AT, None), ""),
        (chatwoot(2, "outgoing", AT, AGENT, event="message_updated"), ""),
        (chatwoot(2, "template", AT, None, **answered(5)), "rating"),
        (
            {"event": "conversation_status_changed", "id": 812, "inbox_id": 4, "status": "resolved", "timestamp": 1_795_183_200},
            "resolution",
        ),
        ({"event": "conversation_status_changed", "id": 812, "inbox_id": 4, "status": "snoozed", "timestamp": 1_795_183_200}, ""),
        ({"event": "conversation_updated", "id": 812, "status": "resolved"}, ""),
        ({"event": "contact_updated", "id": 2, "account": {"id": 1}}, ""),
        ({"event": "webwidget_triggered", "id": 2, "contact": {"id": 1}, "current_conversation": None}, ""),
    ],
)
def test_only_people_answer_in_chatwoot(delivery: dict[str, Any], expected: str) -> None:
    assert said("chatwoot", delivery) == expected


def rated_at(**conversation: Any) -> str:
    asked = chatwoot(9, "template", "2026-11-20T09:00:00Z", None, **answered(4))
    [event] = events_of("chatwoot", asked | {"conversation": {"id": 812, "inbox_id": 4, **conversation}})
    time: str = event["time"]
    return time


def test_a_rating_is_dated_when_it_was_given() -> None:
    message = {"content_type": "input_csat", "updated_at": "2026-11-20T14:30:00.125Z"}
    assert rated_at(messages=[message], updated_at=1_795_190_400.0) == "2026-11-20T14:30:00.125Z"
    assert rated_at(messages=[{"content_type": "text", "updated_at": AT}], updated_at=1_795_187_000.5) == "2026-11-20T15:03:20.500Z"
    assert rated_at() == datetime.fromtimestamp(RECEIVED / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_another_rating_in_answer_to_the_same_question_is_another_event() -> None:
    ids = [events_of("chatwoot", chatwoot(9, "template", AT, None, **answered(rating)))[0]["id"] for rating in (2, 5, 5)]
    assert ids == ["rating-9-2", "rating-9-5", "rating-9-5"]


def counted(name: str, *deliveries: dict[str, Any]) -> Facts:
    """What is known of one case after these deliveries."""
    decoded = [Decoder().decode(posted.value, [], RECEIVED) for each in deliveries for posted in HOOKS[name].posted(wire(each))]
    return facts_of(*(each[2] for each in decoded if not isinstance(each, Rejection)))


@pytest.mark.parametrize(
    "bot", [{"sender": None, **RULE}, {"sender": CAPTAIN}, {"sender": BOT}, CAMPAIGN, {"sender": None}, {"message_type": "template"}]
)
def test_who_waits_for_a_person_waits_until_a_person_answers(bot: dict[str, Any]) -> None:
    facts = counted(
        "chatwoot",
        chatwoot(1, "incoming", "2026-11-20T14:00:00Z", CONTACT),
        chatwoot(2, "outgoing", "2026-11-20T14:00:02Z", AGENT) | bot,
        chatwoot(3, "outgoing", "2026-11-20T14:30:00Z", AGENT),
    )
    assert facts.response_ms == 30 * 60_000
    assert (facts.contacts, facts.replies) == (1, 1)


# -- Zendesk -----------------------------------------------------------------------------------------------------------
CREATED = "2026-11-20T14:00:00Z"
"""As a ticket has it, in whole seconds."""
OPENING = "2026-11-20T14:00:00.672717030Z"
"""As the events of its first moment have it."""
FAMILY, STAFF = comment("20978392", staff=False, public=True), comment("76872", staff=True, public=True)


def message(actor: str) -> dict[str, Any]:
    return {
        "type": "zen:event-type:messaging_ticket.message_added",
        "account_id": 12514403,
        "id": "01JD5N6T1Y6Z3W2N0WQ7C6YB3K",
        "time": OPENING,
        "zendesk_event_version": "2022-11-06",
        "subject": "zen:ticket:141",
        "detail": {"id": "141"},
        "event": {
            "actor": {"id": "zd:answerBot", "name": "Ada Invented", "type": actor},
            "conversation_id": "67ab",
            "message": {"body": "My child was not picked up", "id": "67"},
        },
    }


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        (zendesk("created", OPENING, 1), "contact"),
        (zendesk("created", CREATED, 1, current={"status": "Open"}), "contact"),
        (zendesk("comment_added", OPENING, 2, **FAMILY), ""),
        (zendesk("comment_added", CREATED, 2, **FAMILY), ""),
        (zendesk("comment_added", OPENING, 2, **STAFF), ""),
        (zendesk("comment_added", "2026-11-20T14:00:02.000000001Z", 3, **FAMILY), "contact"),
        (zendesk("comment_added", "2026-11-20T14:10:00.123456789Z", 3, **STAFF), "public human reply"),
        (zendesk("comment_added", "2026-11-20T14:10:00.5Z", 3, **comment("76872", staff=True, public=False)), "internal human reply"),
        (zendesk("comment_added", "2026-11-20T14:10:00.5Z", 3, **comment("-1", staff=True, public=True)), "public automatic reply"),
        (zendesk("comment_added", "2026-11-20T14:10:00.5Z", 3, **FAMILY) | {"detail": {"id": "5158"}}, "contact"),
        (zendesk("status_changed", OPENING, 4, current="SOLVED", previous="OPEN"), "resolution"),
        (zendesk("status_changed", OPENING, 4, current="CLOSED", previous="SOLVED"), ""),
        (zendesk("status_changed", OPENING, 4, current="CLOSED", previous="OPEN"), "resolution"),
        (zendesk("status_changed", OPENING, 4, current="PENDING", previous="OPEN"), ""),
        (zendesk("marked_as_spam", OPENING, 5), "resolution"),
        (zendesk("soft_deleted", OPENING, 5), "resolution"),
        (zendesk("merged", OPENING, 5, target_ticket_id="5159"), "resolution"),
        (zendesk("subject_changed", OPENING, 6, current="a", previous="b"), ""),
        (message("end_user"), "contact"),
        (message("agent"), "public human reply"),
        (message("trigger"), "public automatic reply"),
        (message("system"), "public automatic reply"),
        (
            {"type": "zen:event-type:user.active_changed", "id": "e", "time": OPENING, "detail": {"id": "65"}, "event": {"current": False}},
            "",
        ),
    ],
)
def test_a_ticket_of_zendesk_has_each_message_once(delivery: dict[str, Any], expected: str) -> None:
    assert said("zendesk", delivery) == expected


def test_a_ticket_and_its_description_are_one_message() -> None:
    facts = counted("zendesk", zendesk("created", OPENING, 1), zendesk("comment_added", OPENING, 2, **FAMILY))
    assert (facts.contacts, facts.status) == (1, "open")
    assert counted("zendesk", zendesk("created", OPENING, 1), zendesk("comment_added", OPENING, 2, **STAFF)).status == "open"


def test_what_is_deleted_is_in_no_measure_and_what_is_merged_counts_as_a_duplicate() -> None:
    outcomes = [
        events_of("zendesk", zendesk(kind, OPENING, 5))[0]["data"]["outcome"] for kind in ("marked_as_spam", "soft_deleted", "merged")
    ]
    assert outcomes == ["spam", "spam", "duplicate"]


@pytest.mark.parametrize(
    "without",
    [
        {"detail": None},
        {"detail": {"id": None}},
        {"detail": {}},
        {"detail": {"id": float("nan")}},
        {"detail": {"id": "NULL"}},
    ],
)
def test_a_delivery_without_a_ticket_is_refused_whatever_stands_there(without: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="the row names no case"):
        HOOKS["zendesk"].posted(wire(zendesk("created", CREATED, 1) | without))


@pytest.mark.parametrize("absent", [None, float("nan"), "", "null", "NULL", "None", "NaN"])
def test_what_is_absent_is_no_word(absent: Any) -> None:
    """Of anything but the ticket itself: an id is then the hash of what is told."""
    told = zendesk("created", CREATED, 1)
    told |= {"id": absent, "detail": {"id": "5158", "group_id": absent, "priority": absent, "type": absent, "requester_id": absent}}
    [event] = events_of("zendesk", told)
    assert event["data"] == {"district": "riverside"}
    assert len(event["id"]) == 32


# -- both --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "2016-12-31T23:59:60Z", {"a": 1}, [1], 1e300])
def test_a_time_that_is_none_is_refused(at: Any) -> None:
    for name, delivery in (("chatwoot", chatwoot(1, "incoming", at, CONTACT)), ("zendesk", zendesk("created", CREATED, 1) | {"time": at})):
        with pytest.raises(Problem, match="the time is"):
            HOOKS[name].posted(wire(delivery))


def test_half_a_character_is_refused_where_it_is_told_on_and_nowhere_else() -> None:
    half = json.loads('"9\\ud83d"')
    assert said("chatwoot", chatwoot(1, "incoming", AT, CONTACT | {"name": half}, content=half)) == "contact"
    for delivery in (chatwoot(1, "incoming", AT, CONTACT | {"id": half}), chatwoot(1, "incoming", AT, CONTACT, id=half)):
        with pytest.raises(Problem, match="half a character"):
            HOOKS["chatwoot"].posted(wire(delivery))


@pytest.mark.parametrize("whole", [{"a": 1}, ["x"]])
def test_a_list_or_an_object_is_no_id(whole: Any) -> None:
    with pytest.raises(Problem, match="cannot read it"):
        HOOKS["chatwoot"].posted(wire(chatwoot(1, "incoming", AT, CONTACT, id=whole)))


def test_a_body_that_is_nested_too_deeply_is_refused() -> None:
    depth = 100_000
    for body in (b'{"a":' + b"[" * depth + b"]" * depth + b"}", b'{"a":' * 900 + b"1" + b"}" * 900):
        with pytest.raises(Problem):
            HOOKS["chatwoot"].posted(body)
