"""Somebody, or something, answers the stakeholder."""

from typing import Annotated, Any, Literal

from pydantic import Field

from events.envelope import Data, Envelope
from events.event import Replied
from events.vocabulary import AuthorKind, Name, Visibility


class ReplyData(Data):
    """Who answered, and whether the stakeholder can see it. Only a human, public reply counts as a response."""

    author: Annotated[Name | None, Field(description="Pseudonym of who answered.", examples=["a-07"])] = None
    author_kind: Annotated[AuthorKind, Field(description="automatic for receipts and out-of-office notes.", examples=["human"])] = "human"
    visibility: Annotated[Visibility, Field(description="internal for notes among staff.", examples=["public"])] = "public"


class Reply(Envelope):
    """A stakeholder was answered."""

    type: Annotated[Literal["org.frontdesk.reply.v1"], Field(description="Names this contract.")] = "org.frontdesk.reply.v1"
    data: ReplyData


def replied(reply: Reply, time: int) -> Replied:
    """Flat record of a model, or of anything with the same attributes and None for what is absent."""
    data = reply.data
    return Replied(
        time,
        reply.source,
        reply.id,
        data.school or "",
        data.department or "",
        data.author or "",
        data.author_kind != "automatic",
        data.visibility != "internal",
    )


def replied_as(event: Replied) -> dict[str, Any]:
    """Members of `data`, beside the place, that say what a flat record says."""
    return {
        "author": event.author,
        "author_kind": "human" if event.human else "automatic",
        "visibility": "public" if event.public else "internal",
    }
