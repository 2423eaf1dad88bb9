"""The contract as a judge: bytes in, a published model or a rejection out.

It says what is right; the codec is only faster. The checks come in this order, and the first that fails is told:
size, UTF-8, JSON, CloudEvents, personal data, type, the members of the type's model in their declared order, and last, in
the codec, the time against the record's timestamp. So a telephone number that is no name either, because of its spaces, is
personal data, of which nothing is kept.
"""

from typing import Any, get_type_hints

import msgspec
from msgspec import Raw, Struct
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from events.kinds import KINDS, Published
from events.personal_data import TEXTS, Allows, personal_data
from events.rejection import Reason, Rejection

MODELS: dict[str, type[Published]] = {kind.type: kind.model for kind in KINDS}
"""The published model of each `type`."""

LARGEST = 256 * 1024
"""Bytes that the value of a record may have."""

EMPTY = Rejection(Reason.NOT_JSON, "$", "the record has no value")
TOO_LARGE = Rejection(Reason.TOO_LARGE, "$", f"must be at most {LARGEST} bytes")


class _Probe(Struct, gc=False):
    data: Raw  # read on its own, because of two members with this name only the last counts


_KNOWN: dict[type[BaseModel], frozenset[str]] = {model: frozenset(get_type_hints(model)["data"].model_fields) for model in MODELS.values()}
_probe = msgspec.json.Decoder(_Probe).decode
_json = msgspec.json.Decoder(Raw).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_text = msgspec.json.Decoder(str).decode


def judge(value: bytes | None, allows: Allows) -> Published | Rejection:
    """Event in these bytes (structured mode), or the first reason why there is none; `allows` is what districts let pass."""
    if not value:
        return EMPTY
    attributes = unreadable(value) or _attributes(value)
    if isinstance(attributes, Rejection):
        return attributes
    return personal_data(_texts(attributes), _texts(_members_of(attributes.get("data"))), allows) or _valid(value, attributes)


def _valid(value: bytes, attributes: dict[str, Raw]) -> Published | Rejection:
    model = MODELS.get(_text(attributes["type"]))
    if model is None:
        return Rejection(Reason.UNKNOWN_TYPE, "$.type", f"must be one of {', '.join(MODELS)}")
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        return _rejection(error.errors(include_url=False, include_context=False, include_input=False)[0])


def unreadable(value: bytes) -> Rejection | None:
    """Why these bytes are no JSON, if they are not."""
    try:
        value.decode()
        _json(value)
    except UnicodeDecodeError as error:
        return Rejection(Reason.NOT_JSON, "$", f"must be UTF-8 ({error.reason} at byte {error.start})")
    except msgspec.DecodeError as error:
        return Rejection(Reason.NOT_JSON, "$", str(error))
    except RecursionError:
        return Rejection(Reason.NOT_JSON, "$", "is nested too deeply")
    return None


def unknown_members(value: bytes, model: type[BaseModel]) -> set[str]:
    """Names in `data` that the model's own does not know; `value` is a record that was accepted."""
    members: dict[str, Raw] = _members(_probe(value).data)
    return members.keys() - _KNOWN[model]


def _attributes(value: bytes) -> dict[str, Raw] | Rejection:
    """Members of a CloudEvents 1.0 object, still as JSON; of two with one name the last."""
    try:
        attributes = _members(value)
    except msgspec.ValidationError:
        return Rejection(Reason.NOT_CLOUDEVENT, "$", "must be a JSON object")
    return _missing(attributes) or attributes


def _missing(attributes: dict[str, Raw]) -> Rejection | None:
    """First of CloudEvents' own required attributes that is not there, or is no text."""
    for name in ("specversion", "id", "source", "type"):
        text = _text_of(attributes.get(name))
        if not text:
            return Rejection(Reason.NOT_CLOUDEVENT, f"$.{name}", "CloudEvents 1.0 requires this attribute, a text that is not empty")
        if name == "specversion" and text != "1.0":
            return Rejection(Reason.NOT_CLOUDEVENT, "$.specversion", "must be 1.0")
    return None


def _text_of(raw: Raw | None) -> str:
    try:
        return _text(raw) if raw is not None else ""
    except msgspec.DecodeError:
        return ""


def _texts(members: dict[str, Raw]) -> dict[str, str | None]:
    return {name: _text_of(raw) for name, raw in members.items() if name in TEXTS}


def _members_of(raw: Raw | None) -> dict[str, Raw]:
    try:
        return _members(raw) if raw is not None else {}
    except msgspec.DecodeError:
        return {}


def _rejection(error: ErrorDetails) -> Rejection:
    reason = Reason.NOT_JSON if error["type"] == "json_invalid" else Reason.INVALID
    return Rejection(reason, _path(error["loc"]), error["msg"].removeprefix("Value error, "))


def _path(location: tuple[Any, ...]) -> str:
    """JSON path of a pydantic location: `$.data.score`."""
    return ".".join(("$", *map(str, location)))
