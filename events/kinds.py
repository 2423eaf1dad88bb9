"""The kinds of event, each declared once: its name, what is published, what the fold keeps of it, and the ways between the two.

Whoever needs a list of kinds, of their types or of their members, takes it from here; whoever tells kinds apart does so with `match`
and `assert_never`, so that another kind is missed by mypy and not by a reader.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec

from events.contact import Contact, contacted, contacted_as
from events.event import Contacted, Event, Rated, Replied, Resolved
from events.rating import Rating, rated, rated_as
from events.reply import Reply, replied, replied_as
from events.resolution import Resolution, resolved, resolved_as

Published = Contact | Reply | Resolution | Rating
PLACE: Final = ("district", "school", "department")


class Kind(NamedTuple):
    """`flat` makes a record of a model and its time in ms.

    `told` gives the members of a record's `data` beside the place, '' for what is absent.
    """

    name: str
    model: type[Published]
    record: type[Event]
    flat: Callable[[Any, int], Event]
    told: Callable[[Any], dict[str, Any]]

    @property
    def type(self) -> str:
        """Its CloudEvents type."""
        named: str = self.model.model_fields["type"].default
        return named

    @property
    def members(self) -> tuple[str, ...]:
        """What its `data` may say beside the place; columns of `events` have the same names."""
        data = get_type_hints(self.model)["data"]
        return tuple(name for name in data.model_fields if name not in PLACE)


KINDS: Final = (
    Kind("contact", Contact, Contacted, contacted, contacted_as),
    Kind("reply", Reply, Replied, replied, replied_as),
    Kind("resolution", Resolution, Resolved, resolved, resolved_as),
    Kind("rating", Rating, Rated, rated, rated_as),
)
"""In the order in which they take effect at one instant: a contact before its reply before its resolution before its rating."""
NAMES: Final = tuple(kind.name for kind in KINDS)
OF_RECORD: Final = {kind.record: kind for kind in KINDS}
TYPES: Final = {kind.record: kind.type for kind in KINDS}
"""The published `type` of each record."""
MEMBERS: Final = tuple(dict.fromkeys(member for kind in KINDS for member in kind.members))
"""What any `data` may say beside the place."""

_encode = msgspec.json.Encoder().encode


def rewritten(district: str, subject: str, event: Event) -> bytes:
    """An event written anew as a structured CloudEvent, which decodes to what it was made of: what the contract knows, and nothing else.

    Each event has one such form, whatever its publisher sent beside it or twice. What the fold does not keep, such as the media
    type of the data, is left out, and so is what is absent.
    """
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
            "data": {name: member for name, member in (place | OF_RECORD[event.__class__].told(event)).items() if member != ""},
        }
    )
