"""What Frontdesk itself publishes: a promise is about to break, is broken, was kept after all, or was never broken.

One message for each turn of each such story. They are written by a worker, not sent to it, so the model stands beside the
four that may come in. `data.breach` names the story; a message that comes twice has the same `id`.
"""

from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field

from events.envelope import Data, Envelope
from events.instant import Instant
from events.vocabulary import Audience, Channel, Name, Priority

TYPE = "org.frontdesk.breach.v1"
SOURCE = "/frontdesk"


class BreachData(Data):
    """Of which question, which promise, and how it stands. The place is that of the contact."""

    breach: Annotated[
        Name,
        Field(
            description="Names this promise of this question at this stage: the same in all messages about it.",
            examples=["9c1185a5c5e9fc54612808977ee8f548"],
        ),
    ]
    state: Annotated[
        Literal["raised", "cleared", "withdrawn"],
        Field(
            description="raised: it has come to that; cleared: it was answered, too late; withdrawn: it had not come to that, as a late "
            "event or another directory shows. The last word counts, and may be the only one.",
            examples=["raised"],
        ),
    ]
    target: Annotated[Literal["response", "resolution"], Field(description="What was promised.", examples=["response"])]
    stage: Annotated[
        Literal["warning", "breach"],
        Field(description="warning: 80 % of the time have passed; breach: all of it.", examples=["breach"]),
    ]
    priority: Annotated[Priority, Field(description="That of the contact.", examples=["critical"])]
    audience: Annotated[Audience | None, Field(description="Who waits.", examples=["family"])] = None
    channel: Annotated[Channel | None, Field(description="How they asked.", examples=["web"])] = None
    topic: Annotated[Name | None, Field(description="What it is about.", examples=["bus-late"])] = None
    received_at: Annotated[Instant, Field(description="When the contact came.", examples=["2026-11-23T14:03:22.120Z"])]
    reached_at: Annotated[
        Instant, Field(description="When the stage was reached: 80 % of the time, or the deadline.", examples=["2026-11-23T16:03:22.120Z"])
    ]
    due_at: Annotated[Instant, Field(description="The deadline.", examples=["2026-11-23T16:03:22.120Z"])]
    ended_at: Annotated[
        Instant | None,
        Field(description="When it was answered after all; only where it is cleared.", examples=["2026-11-23T17:11:05.000Z"]),
    ] = None
    waiting_since: Annotated[
        Instant | None,
        Field(description="Since when a message is unanswered, where one is.", examples=["2026-11-23T14:03:22.120Z"]),
    ] = None


class Breach(Envelope):
    """A promise to a stakeholder was not kept in time, or is about to be broken."""

    id: Annotated[
        Name,
        Field(description="`data.breach`, a dash and `data.state`.", examples=["9c1185a5c5e9fc54612808977ee8f548-raised"]),
    ]
    source: Annotated[Name, Field(description="Always this.", examples=["/frontdesk"])] = SOURCE
    time: Annotated[
        Instant,
        Field(description="When it was cleared, else when the stage was reached.", examples=["2026-11-23T16:03:22.120Z"]),
    ]
    type: Annotated[Literal["org.frontdesk.breach.v1"], Field(description="Names this contract.")] = "org.frontdesk.breach.v1"
    data: BreachData


def breach_name(district: str, subject: str, episode: str, target: str, stage: str, reached_at: int) -> str:  # noqa: PLR0917 - the parts of the name
    """Name a promise of a question at a stage: 32 hexadecimal digits, a function of these and nothing else. `reached_at` in ms."""
    return sha256(f"{district} {subject} {episode} {target} {stage} {reached_at}".encode()).hexdigest()[:32]
