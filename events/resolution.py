"""A question is settled."""

from typing import Annotated, Any, Literal

from pydantic import Field

from events.envelope import Data, Envelope
from events.event import Resolved
from events.vocabulary import Outcome


class ResolutionData(Data):
    """How it was settled, and by which school and department where the contact's own did not."""

    outcome: Annotated[Outcome, Field(description="spam takes the question out of every measure.", examples=["resolved"])] = "resolved"


class Resolution(Envelope):
    """A question was settled."""

    type: Annotated[Literal["org.frontdesk.resolution.v1"], Field(description="Names this contract.")] = "org.frontdesk.resolution.v1"
    data: ResolutionData


def resolved(resolution: Resolution, time: int) -> Resolved:
    """Flat record of a model, or of anything with the same attributes and None for what is absent."""
    data = resolution.data
    return Resolved(time, resolution.source, resolution.id, data.school or "", data.department or "", data.outcome or "resolved")


def resolved_as(event: Resolved) -> dict[str, Any]:
    """Members of `data`, beside the place, that say what a flat record says."""
    return {"outcome": event.outcome}
