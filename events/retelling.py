"""An event written anew from what was decoded of it: the attributes and members that the contract knows, and nothing else.

Each event has one such form, whatever its publisher sent beside it or twice. What the fold does not keep, such as the media
type of the data, is left out, and so is what is absent.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from events.contract import MODELS
from events.event import Contacted, Event, Rated, Replied, Resolved

TYPES: dict[type[Event], str] = dict(zip((Contacted, Replied, Resolved, Rated), MODELS, strict=True))
"""The published `type` of each kind of event."""

_encode = msgspec.json.Encoder().encode


def rewritten(district: str, subject: str, event: Event) -> bytes:
    """The event as a structured CloudEvent, which decodes to what it was made of."""
    at = datetime.fromtimestamp(event.time // 1000, UTC)
    place = {"district": district, "school": event.school, "department": event.department}
    return _encode(
        {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": TYPES[event.__class__],
            "subject": subject,
            "time": f"{at:%Y-%m-%dT%H:%M:%S}.{event.time % 1000:03}Z",
            "data": {name: member for name, member in (place | _told(event)).items() if member != ""},
        }
    )


def _told(event: Event) -> dict[str, Any]:
    """What `data` says beside the place; '' for what is absent."""
    if isinstance(event, Contacted):
        return {
            "stakeholder": event.stakeholder,
            "audience": event.audience,
            "channel": event.channel,
            "language": event.language,
            "topic": event.topic,
            "priority": event.priority,
            "needs_reply": event.needs_reply,
        }
    if isinstance(event, Replied):
        return {
            "author": event.author,
            "author_kind": "human" if event.human else "automatic",
            "visibility": "public" if event.public else "internal",
        }
    if isinstance(event, Rated):
        return {"score": event.score, "worst": event.worst, "best": event.best}
    return {"outcome": event.outcome}
