"""An event of the archive as the event that was published: what a publisher would have to send for it to be known again."""

from datetime import UTC, datetime
from typing import Any

from events.cloudevents import Published
from events.contact import Contact
from events.event import Contacted, Event, Rated, Replied
from events.rating import Rating
from events.reply import Reply
from events.resolution import Resolution


def retold(district: str, subject: str, event: Event) -> Published:
    """The model whose flat record this is. What the archive does not keep, such as the data's media type, is left out."""
    model, data = _data_of(event)
    at = datetime.fromtimestamp(event.time // 1000, UTC)
    place = {"district": district, "school": event.school or None, "department": event.department or None}
    return model.model_validate(
        {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": model.model_fields["type"].default,
            "subject": subject,
            "time": f"{at:%Y-%m-%dT%H:%M:%S}.{event.time % 1000:03}Z",
            "partitionkey": district,
            "data": place | data,
        }
    )


def _data_of(event: Event) -> tuple[type[Published], dict[str, Any]]:
    if isinstance(event, Contacted):
        told = ("stakeholder", "audience", "channel", "language", "topic")
        return Contact, {name: getattr(event, name) or None for name in told} | {
            "priority": event.priority,
            "needs_reply": event.needs_reply,
        }
    if isinstance(event, Replied):
        return Reply, {
            "author": event.author or None,
            "author_kind": "human" if event.human else "automatic",
            "visibility": "public" if event.public else "internal",
        }
    if isinstance(event, Rated):
        return Rating, {"score": event.score, "worst": event.worst, "best": event.best}
    return Resolution, {"outcome": event.outcome}
