"""Mistakes in a directory file, as people are told: where, what is wrong, what to write instead."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from zoneinfo import available_timezones

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from events.directory_model import DirectoryFile, one_of
from events.exit_code import ExitCode

Place = tuple[Any, ...]
"""Keys and indices from the top of the file."""


class DirectoryError(ValueError):
    """The file cannot be used: one line for each mistake, with its line number, its place, what is wrong, what to write."""

    exit_code = ExitCode.USAGE


def told(error: ErrorDetails, lines: Mapping[Place, int]) -> tuple[int, str]:
    """Line of a mistake that the models found, and the rest of its text."""
    of_key = "[key]" in error["loc"]
    place = tuple(part for part in error["loc"] if part != "[key]")
    wrong = _wrong(error, of_key=of_key)
    advice = "" if "; " in wrong else f"; {_advice(error, place[:-1] if of_key else place)}"
    return _line(place, lines), f"{dotted(_as_written(place, lines))}: {wrong}{advice}"


def dotted(place: Place) -> str:
    return ".".join(map(str, place)) or "the file"


def _as_written(place: Place, lines: Mapping[Place, int]) -> Place:
    """The place without the numbers of lists that are not written: one thing may stand without its list."""
    here: Place = ()
    for part in place:
        if not isinstance(part, int) or (*here, part) in lines:
            here = (*here, part)
    return here


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    """Line of a place, or of what it is in."""
    here = _as_written(place, lines)
    return next(lines[here[:length]] for length in range(len(here), -1, -1) if here[:length] in lines)


# -- what is wrong --------------------------------------------------------------------------------------------------------
def _wrong(error: ErrorDetails, *, of_key: bool) -> str:
    kind = error["type"]
    if kind == "string_pattern_mismatch" and of_key:
        return "is no name of a district, school or department: they have no spaces"
    if kind in _WITH_INPUT:
        return _WITH_INPUT[kind].format(repr(error["input"]))
    if kind in _WITH_BOUND:
        return _WITH_BOUND[kind].format(*error["ctx"].values())
    return _WRONG.get(kind, error["msg"].removeprefix("Value error, "))


_WITH_INPUT = {"string_pattern_mismatch": "{} cannot be read", "literal_error": "{} is not known here"}
_WITH_BOUND = {
    "greater_than": "must be more than {}",
    "greater_than_equal": "must be {} or more",
    "less_than": "must be less than {}",
    "less_than_equal": "must be {} or less",
}
_WRONG = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be a text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "string_too_long": "is too long",
    "string_too_short": "is empty",
    "too_short": "is empty",
}


# -- what to write instead ------------------------------------------------------------------------------------------------
def _advice(error: ErrorDetails, place: Place) -> str:
    names = [part for part in reversed(place) if isinstance(part, str)]
    if error["type"] == "extra_forbidden":
        return one_of(names[0], _siblings(place[:-1]))
    if error["type"] == "literal_error":
        return one_of(str(error["input"]), [word.strip("'") for word in error["ctx"]["expected"].replace(" or ", ", ").split(", ")])
    if names[:1] == ["zone"] and (zone := _zone_like(str(error["input"]))):
        return f"write `zone: {zone}`"
    return _example(place) or "write `key: value` lines"


def _zone_like(name: str) -> str | None:
    """A zone that is spelled nearly so, or that ends so."""
    zones, city = sorted(available_timezones()), name.lower().replace(" ", "_")
    near = [zone for zone in zones if zone.lower().endswith(f"/{city}")] or get_close_matches(name, zones, n=1, cutoff=0.85)
    return near[0] if near else None


def _example(place: Place) -> str | None:
    """What may stand at a place, or around it, as YAML in one line."""
    found = None
    for name, field in _fields(place):
        if field.examples:
            found = f"write `{name}: {json.dumps(field.examples[0]).replace(chr(34), '')}`, for example"
    return found


# -- the models, walked by place ------------------------------------------------------------------------------------------
def _fields(place: Place) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the fields on the way to a place, each with its key."""
    kind: Any = DirectoryFile
    for part in place:
        plain = _plain(kind)
        if get_origin(plain) in {list, dict}:
            kind = get_args(plain)[-1]
            continue
        field = _field(plain, part)
        if field is None:
            return
        yield part, field
        kind = field.annotation


def _field(kind: Any, key: str | int) -> FieldInfo | None:
    fields: Mapping[str, FieldInfo] = getattr(kind, "model_fields", {})
    return next((field for name, field in fields.items() if (field.alias or name) == key), None)


def _siblings(place: Place) -> list[str]:
    """Keys that may stand at a place."""
    kind: Any = DirectoryFile
    for part in place:
        plain = _plain(kind)
        field = _field(plain, part)
        kind = get_args(plain)[-1] if field is None else field.annotation
    return [field.alias or name for name, field in _plain(kind).model_fields.items()]


def _plain(kind: Any) -> Any:
    """The type without what is said about it, and without its None."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        return _plain(next(one for one in get_args(kind) if one is not type(None)))
    return kind
