"""The directory as people write it: a YAML file, what may stand in it, and every mistake at once with its line.

All scalars are read as texts and judged by the model, so that `08:00` is a time of day and `no` is not a truth value.
A key with nothing behind it is as good as left out.
"""

import json
import re
from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from itertools import pairwise
from typing import Annotated, Any, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from events.target import Clock

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_INTERVAL = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_DURATION = r"^[1-9][0-9]{0,4} (business|calendar) (minutes?|hours?)$"
_UNIT_MS = {"minute": 60_000, "hour": 3_600_000}


class DirectoryError(ValueError):
    """The file cannot be used: one line for each mistake, with its line number, its place, what is wrong, what to write."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder of zones
        raise ValueError("is not an IANA time zone") from error
    return name


def _day(text: Any) -> Any:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("is not a date")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("is not a day of the calendar") from error


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _forwards(interval: str) -> str:
    opens, closes = interval_ms(interval)
    if opens >= closes:
        raise ValueError("closes before it opens")
    return interval


def _apart(intervals: list[str]) -> list[str]:
    pairs = [interval_ms(interval) for interval in intervals]
    if any(later[0] < earlier[1] for earlier, later in pairwise(pairs)):
        raise ValueError("has intervals that overlap or are out of order")
    return intervals


Interval = Annotated[str, Field(pattern=_INTERVAL), AfterValidator(_forwards)]
Intervals = Annotated[list[Interval], BeforeValidator(_several, json_schema_input_type=Interval | list[Interval]), AfterValidator(_apart)]
OpenHours = Annotated[Intervals, Field(examples=["08:00-16:00"], description="Open hours of the day, one interval or a list.")]
Duration = Annotated[str, Field(pattern=_DURATION)]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_absent(cls, members: Any) -> Any:
        return {name: member for name, member in members.items() if member != ""} if isinstance(members, dict) else members


class Week(_Written):
    """Open hours by weekday, in the zone's wall clock, from 00:00 to 24:00; a day that is left out is closed."""

    monday: OpenHours = []
    tuesday: OpenHours = []
    wednesday: OpenHours = []
    thursday: OpenHours = []
    friday: OpenHours = []
    saturday: OpenHours = []
    sunday: OpenHours = []

    @model_validator(mode="after")
    def _opens(self) -> "Week":
        if not any(getattr(self, day) for day in WEEKDAYS):
            raise ValueError("never opens, so no target could fall due")
        return self


class Promise(_Written):
    """How soon a contact of one priority is answered and settled; what is left out is not promised."""

    response: Annotated[Duration | None, Field(examples=["2 business hours"], description="Time to the first reply.")] = None
    resolution: Annotated[Duration | None, Field(examples=["24 calendar hours"], description="Time to the resolution.")] = None


_PROMISE = {"response": "2 business hours"}


class Promises(_Written):
    """Targets by priority."""

    critical: Annotated[Promise, Field(examples=[_PROMISE])] = Promise()
    urgent: Annotated[Promise, Field(examples=[_PROMISE])] = Promise()
    routine: Annotated[Promise, Field(examples=[_PROMISE])] = Promise()


class DirectoryFile(_Written):
    """One zone, one week of open hours, closed days, and targets by priority."""

    revision: Annotated[int, Field(ge=0, lt=2**32, examples=[1], description="Grows with every change, also with a rollback.")]
    zone: Annotated[str, AfterValidator(_zone), Field(examples=["America/Chicago"], description="IANA time zone.")]
    hours: Annotated[Week, Field(examples=[{"monday": "08:00-16:00"}])]
    closed_days: Annotated[list[Day], Field(examples=[["2026-11-26"]], description="Holidays and days without school.")] = []
    targets: Annotated[Promises, Field(examples=[{"critical": _PROMISE}])] = Promises()


def interval_ms(interval: str) -> tuple[int, int]:
    """`08:00-16:00` as milliseconds since midnight."""
    opens, closes = (int(text[:2]) * 3_600_000 + int(text[3:]) * 60_000 for text in interval.split("-"))
    return opens, closes


def duration_ms(duration: str | None) -> tuple[int | None, Clock]:
    """`2 business hours` as milliseconds and the clock they are counted on."""
    if duration is None:
        return None, "business"
    number, clock, unit = duration.split(" ")
    return int(number) * _UNIT_MS[unit.removesuffix("s")], "calendar" if clock == "calendar" else "business"


def read(text: str) -> DirectoryFile:
    """Read and check the text of a file; DirectoryError tells all its mistakes."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        members = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 BaseLoader makes texts, lists and dicts only
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DirectoryError(f"line {line}: is not YAML ({error.problem}); write `key: value`") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise DirectoryError("line 1: is not YAML that can be read; write a UTF-8 text of `key: value` lines") from error
    lines: dict[tuple[Any, ...], int] = {(): 1}
    mistakes = list(_walk(node, (), lines, set()))
    try:
        written = DirectoryFile.model_validate(members)
    except ValidationError as error:
        mistakes += [_mistake(found, lines) for found in error.errors(include_url=False)]
    if mistakes:
        raise DirectoryError("\n".join(f"line {line}: {told}" for line, told in sorted(mistakes)))
    return written


def _walk(node: yaml.Node | None, path: tuple[Any, ...], lines: dict[tuple[Any, ...], int], seen: set[int]) -> Iterator[tuple[int, str]]:
    """Note the line of every place in the file; yield the keys that stand twice."""
    if node is None or id(node) in seen:  # an alias, which may even hold itself
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*path, index] = item.start_mark.line + 1
            yield from _walk(item, (*path, index), lines, seen)
    if isinstance(node, yaml.MappingNode):
        for key, member in node.value:
            place, line = (*path, key.value), key.start_mark.line + 1
            if place in lines:
                yield line, f"{_dotted(place)}: stands here and in line {lines[place]}; write it once"
            lines[place] = line
            yield from _walk(member, place, lines, seen)


def _mistake(error: ErrorDetails, lines: dict[tuple[Any, ...], int]) -> tuple[int, str]:
    place = error["loc"]
    known = next(place[:length] for length in range(len(place), -1, -1) if place[:length] in lines)
    return lines[known], f"{_dotted(place)}: {_told(error)}; {_advice(error)}"


def _told(error: ErrorDetails) -> str:
    return _WRONG.get(error["type"], error["msg"].removeprefix("Value error, "))


def _advice(error: ErrorDetails) -> str:
    name = next((str(part) for part in reversed(error["loc"]) if isinstance(part, str)), "")
    if error["type"] == "extra_forbidden":
        known = _siblings(error["loc"])
        close = get_close_matches(name, known, n=1)
        return f"write {close[0]!r}" if close else f"write one of {', '.join(known)}"
    example = _EXAMPLES.get(name)
    return f"write `{name}: {example}`, for example" if example else "write `key: value` lines"


def _siblings(place: tuple[Any, ...]) -> list[str]:
    """Names of the fields of the model that holds this place."""
    model: Any = DirectoryFile
    for part in place[:-1]:
        model = get_type_hints(model)[part]
    return list(model.model_fields)


def _dotted(place: tuple[Any, ...]) -> str:
    return ".".join(map(str, place)) or "the file"


_WRONG = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_pattern_mismatch": "cannot be read",
    "string_type": "must be a text",
    "list_type": "must be a list",
    "model_type": "must be a mapping",
    "int_parsing": "must be a whole number",
}
_EXAMPLES = {
    name: json.dumps(field.examples[0]).replace('"', "")  # as YAML in one line
    for model in (DirectoryFile, Week, Promises, Promise)
    for name, field in model.model_fields.items()
    if field.examples
}
