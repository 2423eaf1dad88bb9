"""A stakeholder says how satisfied they were, on the publisher's own scale."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from events.envelope import Data, Envelope
from events.event import Rated
from events.vocabulary import Score


class RatingData(Data):
    """A score between the ends of its scale, ends included; a scale has two different ends."""

    worst: Annotated[Score, Field(description="Lower end of the scale.", examples=[1])] = 1.0
    best: Annotated[Score, Field(description="Upper end of the scale, over `worst`.", examples=[5], validate_default=True)] = 5.0
    score: Annotated[Score, Field(description="The rating, from `worst` to `best`.", examples=[4])]

    @field_validator("best")
    @classmethod
    def _over_worst(cls, best: float, info: ValidationInfo) -> float:
        if best <= info.data.get("worst", best - 1):
            raise ValueError("must be greater than worst")
        return best

    @field_validator("score")
    @classmethod
    def _on_scale(cls, score: float, info: ValidationInfo) -> float:
        if not info.data.get("worst", score) <= score <= info.data.get("best", score):
            raise ValueError("must be between worst and best")
        return score


class Rating(Envelope):
    """A stakeholder rated how their question was handled."""

    type: Annotated[Literal["org.frontdesk.rating.v1"], Field(description="Names this contract.")] = "org.frontdesk.rating.v1"
    data: RatingData


def rated(rating: Rating, time: int) -> Rated:
    """Flat record of a model, or of anything with the same attributes and None for what is absent."""
    data = rating.data
    worst = 1.0 if data.worst is None else data.worst
    best = 5.0 if data.best is None else data.best
    return Rated(time, rating.source, rating.id, data.school or "", data.department or "", data.score, worst, best)


def rated_as(event: Rated) -> dict[str, Any]:
    """Members of `data`, beside the place, that say what a flat record says."""
    return {"score": event.score, "worst": event.worst, "best": event.best}
