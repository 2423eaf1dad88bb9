"""A stakeholder contacts the district: the event that opens a case, or adds a message to it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from events.envelope import Data, Envelope
from events.event import Contacted
from events.vocabulary import Audience, Channel, Flag, Language, Name, Priority


class ContactData(Data):
    """Who contacted, how, and about what; all optional but the district."""

    stakeholder: Annotated[
        Name | None,
        Field(description="Pseudonym issued upstream, random or a keyed hash; never a name, address or number.", examples=["s-91c2"]),
    ] = None
    audience: Annotated[Audience | None, Field(description="Which group the stakeholder belongs to.", examples=["family"])] = None
    channel: Annotated[Channel | None, Field(description="How the message came.", examples=["web"])] = None
    language: Annotated[Language | None, Field(description="BCP 47 tag of the message's language.", examples=["es"])] = None
    topic: Annotated[Name | None, Field(description="Slug of what it is about.", examples=["bus-late"])] = None
    priority: Annotated[Priority, Field(description="Chooses the target.", examples=["critical"])] = "routine"
    needs_reply: Annotated[Flag, Field(description="False where nobody waits for an answer, such as a thank-you.")] = True


class Contact(Envelope):
    """A stakeholder contacted a school district."""

    type: Annotated[Literal["org.frontdesk.contact.v1"], Field(description="Names this contract.")] = "org.frontdesk.contact.v1"
    data: ContactData


def contacted(contact: Contact, time: int) -> Contacted:
    """Flat record of a model, or of anything with the same attributes and None for what is absent."""
    data = contact.data
    return Contacted(
        time,
        contact.source,
        contact.id,
        data.school or "",
        data.department or "",
        data.stakeholder or "",
        data.audience or "",
        data.channel or "",
        data.language or "",
        data.topic or "",
        data.priority or "routine",
        data.needs_reply is not False,
    )


def contacted_as(event: Contacted) -> dict[str, Any]:
    """Members of `data`, beside the place, that say what a flat record says."""
    told = ("stakeholder", "audience", "channel", "language", "topic")
    return {name: getattr(event, name) for name in told} | {"priority": event.priority, "needs_reply": event.needs_reply}
