"""The published models as msgspec records, for the hot path: 1.3 us an event where pydantic takes 8.

They are derived from the models field by field, so that nothing is written twice. A record accepts a little more than
its model in the characters of a name and a little less elsewhere (see `codec`), never the other way round unnoticed:
the codec looks again at whatever a record refuses, and a property test compares the two.
"""

from typing import Any, get_type_hints

import msgspec
from msgspec import Struct
from pydantic import BaseModel

from events.contract import MODELS


def _data(model: type[BaseModel], *, strict: bool) -> type[Struct]:
    return msgspec.defstruct(model.__name__, _fields(model, ()), gc=False, forbid_unknown_fields=strict)


def _record(tag: str, model: type[BaseModel], *, strict: bool) -> type[Struct]:
    data = _data(get_type_hints(model)["data"], strict=strict)
    fields = _fields(model, ("type", "specversion", "data"))
    version = ("specversion", get_type_hints(model)["specversion"])
    return msgspec.defstruct(model.__name__, [version, ("data", data), *fields], tag_field="type", tag=tag, gc=False)


def _fields(model: type[BaseModel], without: tuple[str, ...]) -> list[Any]:
    hints = {name: hint for name, hint in get_type_hints(model, include_extras=True).items() if name not in without}
    kept = [(name, hint, model.model_fields[name].is_required()) for name, hint in hints.items() if name in model.model_fields]
    required = [(name, hint) for name, hint, needed in kept if needed]
    return required + [(name, hint | None, None) for name, hint, needed in kept if not needed]


def records(*, strict: bool) -> dict[type[BaseModel], type[Struct]]:
    """One record class for each model, with None for what is absent. The strict ones refuse unknown members of `data`."""
    return {model: _record(tag, model, strict=strict) for tag, model in MODELS.items()}
