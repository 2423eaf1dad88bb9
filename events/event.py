"""What happened, as the fold sees it: four small frozen records, one for each kind of event.

The published models (`contact.py`, `reply.py`, ...) are the contract with publishers. These are what is left once a
record has been accepted: flat, in milliseconds, without the district and the subject, which are the key of the case.
They are arrays on the wire (msgpack), because a case in the changelog is its events, one after the other.
"""

from msgspec import Struct

CONTACT, REPLY, RESOLUTION, RATING = range(4)
"""Order at one instant (see `kinds.KINDS`), and the tag on the wire."""


class Contacted(Struct, frozen=True, array_like=True, gc=False, tag=CONTACT):
    """A stakeholder's message. Absent texts are ''."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    stakeholder: str = ""
    audience: str = ""
    channel: str = ""
    language: str = ""
    topic: str = ""
    priority: str = "routine"
    needs_reply: bool = True


class Replied(Struct, frozen=True, array_like=True, gc=False, tag=REPLY):
    """An answer. Only one that is human and public counts as a response."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    author: str = ""
    human: bool = True
    public: bool = True


class Resolved(Struct, frozen=True, array_like=True, gc=False, tag=RESOLUTION):
    """The question is settled; `outcome` is resolved, no_action, duplicate or spam."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    outcome: str = "resolved"


class Rated(Struct, frozen=True, array_like=True, gc=False, tag=RATING):
    """What the stakeholder thought of it, on the publisher's own scale from `worst` to `best`."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    score: float = 0.0
    worst: float = 1.0
    best: float = 5.0


Event = Contacted | Replied | Resolved | Rated

KIND: dict[type, int] = {Contacted: CONTACT, Replied: REPLY, Resolved: RESOLUTION, Rated: RATING}


def order(event: Event) -> tuple[int, int, str, str]:
    """Sort key of events within a case: (time, kind, source, id)."""
    return event.time, KIND[event.__class__], event.source, event.id
