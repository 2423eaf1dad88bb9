"""What the four published models share: the CloudEvents 1.0 envelope and the place that `data` names.

The models are the contract. They are frozen, they ignore what they do not know, and in `data` a null for an optional
member means the same as leaving it out. A name that stands twice in one object counts with its last value.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field, model_validator

from events.instant import Instant
from events.vocabulary import JsonType, Name

_REQUIRED = ["specversion", "id", "source", "type", "subject", "time", "data"]


def _publish(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema what the validators do: null for what is optional, and the envelope's own members always."""
    if "specversion" in schema["properties"]:
        schema["required"] = _REQUIRED
    for name, member in schema["properties"].items():
        if name not in schema.get("required", ()):
            schema["properties"][name] = _or_null(member)


def _or_null(member: dict[str, Any]) -> dict[str, Any]:
    if {"type": "null"} in member.get("anyOf", ()):
        return member
    told = {key: member[key] for key in ("title", "description", "examples", "default") if key in member}
    return {"anyOf": [{key: member[key] for key in member if key not in told}, {"type": "null"}]} | told


class _Published(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=_publish)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, members: Any) -> Any:
        if not isinstance(members, dict):
            return members
        return {name: member for name, member in members.items() if member is not None or cls._needs(name)}

    @classmethod
    def _needs(cls, name: str) -> bool:
        field = cls.model_fields.get(name)
        return field is not None and field.is_required()


class Data(_Published):
    """The place of an event. A contact to the central office has a department and no school."""

    district: Annotated[Name, Field(description="The district (tenant). It decides the partition.", examples=["riverside"])]
    school: Annotated[Name | None, Field(description="The school, where there is one.", examples=["lincoln-high"])] = None
    department: Annotated[Name | None, Field(description="The department, where there is one.", examples=["transportation"])] = None


class Envelope(_Published):
    """CloudEvents 1.0 context attributes; further ones are ignored."""

    specversion: Annotated[Literal["1.0"], Field(description="Version of CloudEvents.")] = "1.0"
    id: Annotated[Name, Field(description="Names the event within its source; sent again, it counts once.", examples=["01JD9Q"])]
    source: Annotated[Name, Field(description="The system that publishes.", examples=["/riverside/helpdesk"])]
    subject: Annotated[Name, Field(description="The case: one conversation, unique within its district.", examples=["case-4711"])]
    time: Annotated[
        Instant,
        Field(
            description="When it happened: RFC 3339 with seconds and a zone, 1980 to 2099; kept to the millisecond.",
            examples=["2026-11-23T14:03:22.120Z"],
        ),
    ]
    datacontenttype: Annotated[JsonType | None, Field(description="Media type of `data`.", examples=["application/json"])] = None
    partitionkey: Annotated[
        Annotated[str, Field(strict=True, min_length=1), Meta(min_length=1)] | None,
        Field(description="CloudEvents partitioning extension; `data.district` decides whatever it says.", examples=["riverside"]),
    ] = None
