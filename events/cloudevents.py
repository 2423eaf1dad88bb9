"""For publishers: a model as a Kafka record, in either of the two content modes of CloudEvents 1.0.

The key is the district, so that Kafka's own partitioner sends the record where the district lives. What is absent is
left out rather than written as null.
"""

from typing import Any, NamedTuple

from events.headers import ATTRIBUTE, CONTENT_TYPE
from events.kinds import Published

STRUCTURED = b"application/cloudevents+json; charset=UTF-8"
BINARY = b"application/json"


class Wire(NamedTuple):
    """What a producer sends."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def structured(model: Published) -> Wire:
    """The whole event as one JSON object."""
    return Wire(model.data.district.encode(), model.model_dump_json(exclude_none=True).encode(), [(CONTENT_TYPE, STRUCTURED)])


def binary(model: Published) -> Wire:
    """The attributes as `ce_` headers, `data` as the value."""
    attributes: dict[str, Any] = model.model_dump(mode="json", exclude_none=True, exclude={"data", "datacontenttype"})
    media_type = (model.datacontenttype or BINARY.decode()).encode()
    headers = [(CONTENT_TYPE, media_type), *((ATTRIBUTE + name, text.encode()) for name, text in attributes.items())]
    return Wire(model.data.district.encode(), model.data.model_dump_json(exclude_none=True).encode(), headers)
