"""Deliveries of Zendesk and Chatwoot in the form that they document, invented throughout, full of what must not go on."""

import base64
import hashlib
import hmac
from typing import Any

PRIVATE = (
    "Ada Invented",
    "ada.invented@example.org",
    "+1 555 0100",
    "12 Imaginary Lane",
    "My child was not picked up",
    "About the yellow bus",
    "10.20.30.40",
    "20978392",
    "76872",
)
"""Names, addresses, numbers, subjects, bodies, and ids of people."""
SECRET = b"an invented secret"


def zendesk(kind: str, at: str, number: int, **event: Any) -> dict[str, Any]:
    return {
        "type": f"zen:event-type:ticket.{kind}",
        "account_id": 12514403,
        "id": f"2b24ef10-19ef-4740-93cf-{number:012d}",
        "time": at,
        "zendesk_event_version": "2022-11-06",
        "subject": "zen:ticket:5158",
        "detail": {
            "actor_id": "76872",
            "assignee_id": "76872",
            "created_at": "2026-11-20T14:00:00Z",
            "description": "My child was not picked up. Ada Invented, 12 Imaginary Lane",
            "group_id": "98738",
            "id": "5158",
            "is_public": True,
            "priority": "HIGH",
            "requester_id": "20978392",
            "status": "OPEN",
            "subject": "About the yellow bus",
            "tags": ["ada.invented@example.org"],
            "type": "QUESTION",
            "via": {"channel": "web_form"},
        },
        "event": event,
    }


def comment(author: str, *, staff: bool, public: bool) -> dict[str, Any]:
    person = {"id": author, "is_staff": staff, "name": "Ada Invented"}
    return {"comment": {"author": person, "body": "call +1 555 0100, My child was not picked up", "id": "77", "is_public": public}}


ZENDESK = [
    zendesk("created", "2026-11-20T14:00:00Z", 1),
    zendesk("comment_added", "2026-11-20T14:00:00Z", 2, **comment("20978392", staff=False, public=True)),
    zendesk("comment_added", "2026-11-20T14:10:00Z", 3, **comment("76872", staff=True, public=False)),
    zendesk("comment_added", "2026-11-20T14:11:00Z", 4, **comment("-1", staff=True, public=True)),
    zendesk("comment_added", "2026-11-20T14:30:00Z", 5, **comment("76872", staff=True, public=True)),
    zendesk("status_changed", "2026-11-20T15:00:00Z", 6, current="SOLVED", previous="OPEN"),
    zendesk("status_changed", "2026-11-20T15:00:01Z", 7, current="PENDING", previous="SOLVED"),
    zendesk("comment_added", "2026-11-20T16:00:00Z", 8, **comment("20978392", staff=False, public=True)),
    zendesk("subject_changed", "2026-11-20T16:00:01Z", 9, current="About the yellow bus", previous="Ada Invented"),
]
OF_ZENDESK = ["contact", None, "reply internal human", "reply public automatic", "reply public human", "resolution", None, "contact", None]


def chatwoot(number: int, kind: str, at: Any, sender: dict[str, Any] | None, *, private: bool = False, **more: Any) -> dict[str, Any]:
    """`more` are further members of the message, or other ones."""
    return {
        "event": "message_created",
        "id": number,
        "content": "My child was not picked up, ada.invented@example.org",
        "created_at": at,
        "message_type": kind,
        "content_type": "text",
        "content_attributes": {},
        "additional_attributes": {},
        "private": private,
        "sender": sender,
        "inbox": {"id": 4, "name": "Ada Invented"},
        "conversation": {
            "id": 812,
            "channel": "Channel::WebWidget",
            "inbox_id": 4,
            "status": "open",
            "timestamp": 1_795_190_400,
            "created_at": 1_795_183_200,
            "updated_at": 1_795_195_000.5,
            "additional_attributes": {"initiated_from": "10.20.30.40"},
            "meta": {"sender": {"phone_number": "+1 555 0100"}},
        },
        "account": {"id": 1, "name": "Riverside"},
        **more,
    }


def answered(rating: int) -> dict[str, Any]:
    """Members of the message that asked for a rating, once it was given."""
    told = {"rating": rating, "feedback_message": "Ada Invented was kind"}
    return {
        "event": "message_updated",
        "content_type": "input_csat",
        "content_attributes": {"submitted_values": {"csat_survey_response": told}},
    }


CONTACT = {"id": 20978392, "name": "Ada Invented", "email": "ada.invented@example.org", "type": "contact"}
AGENT = {"id": 76872, "name": "Ada Invented", "email": "ada.invented@example.org", "type": "user"}
BOT = {"id": 3, "name": "Bot", "type": "agent_bot"}
CHATWOOT = [
    chatwoot(1, "incoming", "2026-11-20 14:00:00 UTC", CONTACT),
    chatwoot(2, "template", "2026-11-20T14:00:01.500Z", BOT),
    chatwoot(3, "outgoing", 1_795_183_205, BOT),
    chatwoot(4, "outgoing", "2026-11-20T14:01:00Z", AGENT, private=True),
    chatwoot(5, "outgoing", "2026-11-20T14:02:00Z", AGENT),
    chatwoot(6, "activity", "2026-11-20T14:03:00Z", AGENT),
    {
        "event": "conversation_status_changed",
        "id": 812,
        "inbox_id": 4,
        "status": "resolved",
        "updated_at": 1_795_190_400.25,
        "meta": {"sender": CONTACT},
    },
    {"event": "conversation_status_changed", "id": 812, "inbox_id": 4, "status": "open", "updated_at": 1_795_190_401.25},
    chatwoot(7, "template", "2026-11-20T16:10:00Z", None, **answered(4)),
]
OF_CHATWOOT = [
    "contact",
    "reply public automatic",
    "reply public automatic",
    "reply internal human",
    "reply public human",
    None,
    "resolution",
    None,
    "rating",
]


def signed_by_zendesk(body: bytes, at: str) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(SECRET, at.encode() + body, hashlib.sha256).digest()).decode()
    return {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": at}


def signed_by_chatwoot(body: bytes, at: str) -> dict[str, str]:
    digest = hmac.new(SECRET, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Chatwoot-Signature": f"sha256={digest}", "X-Chatwoot-Timestamp": at}
