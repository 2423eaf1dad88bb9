"""What may stand in a directory file: the models that judge it, and that everything else is worked out from.

All scalars come as texts. What is left out is as the level above has it: a department is as its district, a district as the
file. Closed days, snow days and early releases add up; all else is replaced by whoever says it himself.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise
from math import isclose
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import SchemaError, SchemaValidator, core_schema

from events import holiday
from events.terms import Clock
from events.vocabulary import NAME_LENGTH, NAME_PATTERN, Audience, Channel
from events.zone import FIRST, LAST

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NO_PROMISE = "none"
NO_HOLIDAYS = "none"
LONGEST_SPAN_DAYS = 366

_INTERVAL = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_DURATION = r"^([1-9][0-9]{0,4} (business|calendar) (minutes?|hours?)|none)$"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
LONGEST_PATTERN = 200
_LABEL = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
_UNIT_MS = {"minute": 60_000, "hour": 3_600_000}


# -- scalars --------------------------------------------------------------------------------------------------------------
def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder of zones
        raise ValueError("is not an IANA time zone") from error
    return name


def _day(text: Any) -> Any:
    if not isinstance(text, str) or not re.fullmatch(_DAY, text):
        raise ValueError("is not a date: year, month and day are written 2026-11-26")
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("is not a day of the calendar") from error
    if not FIRST <= day <= LAST:
        raise ValueError(f"is not between the years {FIRST.year} and {LAST.year}")
    return day


def _span(text: Any) -> Any:
    first, to, last = text.partition(" to ") if isinstance(text, str) else ("", "", "")
    begins = _day(first)
    ends = _day(last) if to else begins
    if ends < begins:
        raise ValueError("ends before it begins")
    if (ends - begins).days >= LONGEST_SPAN_DAYS:
        raise ValueError("is longer than a year")
    return begins, ends


def days_of(spans: Iterable[tuple[date, date]]) -> set[date]:
    """All days of the spans, first and last included."""
    return {first + timedelta(days=number) for first, last in spans for number in range((last - first).days + 1)}


def _iso_days(spans: Iterable[tuple[date, date]]) -> list[str]:
    return sorted(day.isoformat() for day in days_of(spans))


def one_of(word: str, known: Sequence[str]) -> str:
    """What to write instead of a word: the known one that is like it, else any of them."""
    close = get_close_matches(word, known, n=1)
    return f"write {close[0]!r}" if close else f"write one of {', '.join(known)}"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


def _listed_text(value: Any) -> Any:
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


@lru_cache(maxsize=4_096)
def _whole(pattern: str) -> SchemaValidator:
    """Of texts that are the pattern from end to end, by Rust's regex: linear in the text, whatever the pattern, and bounded in memory."""
    return SchemaValidator(core_schema.str_schema(pattern=f"^(?:{pattern})$"))


def is_whole(pattern: str, text: str) -> bool:
    """Whether the whole text is as a `Pattern` says."""
    return _whole(pattern).isinstance_python(text)


def _linear(pattern: str) -> str:
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
        _whole(pattern)
    except SchemaError as error:
        raise ValueError("is no regular expression without look-around and back references, or too large a one") from error
    return pattern


Interval = Annotated[str, Field(pattern=_INTERVAL), AfterValidator(_forwards)]
Intervals = Annotated[list[Interval], BeforeValidator(_listed, json_schema_input_type=Interval | list[Interval]), AfterValidator(_apart)]
OpenHours = Annotated[Intervals, Field(examples=["08:00-16:00"], description="Open hours of the day, one interval or a list.")]
Duration = Annotated[str, Field(pattern=_DURATION)]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]
_SpanText = Annotated[str, Field(pattern=f"^{_DAY}( to {_DAY})?$")]
Span = Annotated[tuple[date, date], BeforeValidator(_span, json_schema_input_type=_SpanText)]
Spans = Annotated[
    list[Span],
    BeforeValidator(_listed_text, json_schema_input_type=_SpanText | list[_SpanText]),
    PlainSerializer(_iso_days, return_type=list[str], when_used="json"),
]
Id = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH, pattern=NAME_PATTERN)]
Title = Annotated[str, Field(max_length=200)]
_TITLE = Field(examples=["Lincoln High School"], description="Name for people.")
Label = Annotated[str, Field(pattern=_LABEL)]
Pattern = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_PATTERN, description="Regular expression (RE2) of the whole value."),
    AfterValidator(_linear),
]
ZoneName = Annotated[str, AfterValidator(_zone)]
_ZONE = Field(examples=["America/Chicago"], description="IANA time zone.")
ValidFrom = Annotated[Day | None, Field(examples=["2026-08-01"], description="In force for what is received from this day on.")]


class Written(BaseModel):
    """Unknown keys are mistakes; a key with nothing behind it is as good as left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_absent(cls, members: Any) -> Any:
        return {name: member for name, member in members.items() if member != ""} if isinstance(members, dict) else members


class Dated(Written):
    """One of several versions: that in force when a contact is received counts for it, for good."""

    valid_from: ValidFrom = None


Version = TypeVar("Version", bound=Dated)


# -- hours and days -------------------------------------------------------------------------------------------------------
class Days(Written):
    """Days that are not as others, by the wall clock. They add up, from the file to the school."""

    closed_days: Annotated[
        Spans,
        Field(examples=[["2026-11-26", "2026-12-21 to 2027-01-01"]], description="Closed, whatever the week says: days, or first to last."),
    ] = []
    snow_days: Annotated[Spans, Field(examples=[["2026-02-03"]], description="Closed at short notice; counts as a closed day.")] = []
    early_release: Annotated[
        dict[Day, OpenHours],
        Field(examples=[{"2026-10-14": "08:00-12:00"}], description="Days with hours of their own, such as an early release."),
    ] = {}

    @field_validator("early_release")
    @classmethod
    def _not_closed(cls, hours: dict[date, list[str]], info: ValidationInfo) -> dict[date, list[str]]:
        closed = days_of([*info.data.get("closed_days", []), *info.data.get("snow_days", [])])
        if both := sorted(closed & hours.keys()):
            raise ValueError(f"names {both[0]}, which is a closed day too; write it in one of the two")
        return hours

    @property
    def closed(self) -> set[date]:
        return days_of([*self.closed_days, *self.snow_days])


class Weekdays(Written):
    monday: OpenHours = []
    tuesday: OpenHours = []
    wednesday: OpenHours = []
    thursday: OpenHours = []
    friday: OpenHours = []
    saturday: OpenHours = []
    sunday: OpenHours = []

    @property
    def by_weekday(self) -> dict[int, list[tuple[int, int]]]:
        """Open hours as milliseconds since midnight, Monday 0; only of days that open."""
        hours = {number: [interval_ms(interval) for interval in getattr(self, day)] for number, day in enumerate(WEEKDAYS)}
        return {number: intervals for number, intervals in hours.items() if intervals}


class Week(Weekdays, Dated):
    """Open hours by weekday, in the zone's wall clock, from 00:00 to 24:00; a day that is left out is closed."""

    @model_validator(mode="after")
    def _opens(self) -> "Week":
        if not self.by_weekday:
            raise ValueError("never opens, so no target could fall due")
        return self


class Season(Weekdays):
    """Other open hours by weekday for a time of the year; a day that is left out is closed."""

    first: Annotated[Day, Field(alias="from", examples=["2026-06-08"], description="Its first day.")]
    last: Annotated[Day, Field(alias="to", examples=["2026-08-07"], description="Its last day.")]

    @model_validator(mode="after")
    def _forwards(self) -> "Season":
        if self.last < self.first:
            raise ValueError(f"ends before it begins; write `from: {self.last}` and `to: {self.first}`, perhaps")
        return self


def _in_order(versions: list[Version]) -> list[Version]:
    if any(version.valid_from is None for version in versions[1:]):
        raise ValueError("says several things at once; write `valid_from: 2026-08-01` in all but the first, for example")
    dates = [version.valid_from for version in versions if version.valid_from is not None]
    if any(earlier >= later for earlier, later in pairwise(dates)):
        raise ValueError("is not in the order of time; write the one with the earliest `valid_from` first, and each day once")
    return versions


def _seasons_apart(seasons: list[Season]) -> list[Season]:
    ordered = sorted(seasons, key=lambda season: season.first)
    for earlier, later in pairwise(ordered):
        if later.first <= earlier.last:
            raise ValueError(f"has times that overlap; write an end before {later.first} for the one that ends on {earlier.last}")
    return ordered


_WEEK = {"monday": "08:00-16:00"}
_SEASON = {"from": "2026-06-08", "to": "2026-08-07", "monday": "08:00-12:00"}
Weeks = Annotated[
    list[Week],
    BeforeValidator(_listed, json_schema_input_type=Week | list[Week]),
    AfterValidator(_in_order),
    Field(min_length=1),
]
_HOURS = Field(examples=[_WEEK], description="One week, or a list of weeks with `valid_from`: that at receipt counts.")
Seasons = Annotated[
    list[Season],
    BeforeValidator(_listed, json_schema_input_type=Season | list[Season]),
    AfterValidator(_seasons_apart),
    Field(examples=[_SEASON], description="Times of the year with other weekly hours; goes with `hours`."),
]


def _holidays(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    country, _, subdivision = value.partition("-")
    return {"country": country} | ({"subdivision": subdivision} if subdivision else {})


class Holidays(Written):
    """Public holidays, closed. In short `US-TX`, or `none`."""

    country: Annotated[str, Field(examples=["US"], description="ISO 3166 code; `none` for no holidays.")]
    subdivision: Annotated[str | None, Field(examples=["TX"], description="State or part of the country.")] = None
    names_left_out: Annotated[
        list[str], Field(alias="except", examples=[["Columbus Day"]], description="Holidays on which it is open all the same.")
    ] = []

    @field_validator("country")
    @classmethod
    def _known_country(cls, country: str) -> str:
        if country != NO_HOLIDAYS:
            holiday.subdivisions(country)
        return country

    @field_validator("subdivision")
    @classmethod
    def _known_subdivision(cls, subdivision: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country", NO_HOLIDAYS)
        if country != NO_HOLIDAYS and subdivision is not None and subdivision not in (known := holiday.subdivisions(country)):
            raise ValueError(f"{subdivision} is no part of {country} that is known; {one_of(subdivision, known)}")
        return subdivision

    @field_validator("names_left_out")
    @classmethod
    def _known_names(cls, names: list[str], info: ValidationInfo) -> list[str]:
        country = info.data.get("country", NO_HOLIDAYS)
        known = holiday.names(country, info.data.get("subdivision")) if country != NO_HOLIDAYS else []
        if strange := [name for name in names if name not in known]:
            raise ValueError(f"{strange[0]} is no holiday there; {one_of(strange[0], known)}")
        return names

    def days(self) -> dict[date, tuple[str, ...]]:
        """Names of the holidays of each day that is closed by one."""
        if self.country == NO_HOLIDAYS:
            return {}
        table = holiday.holidays_of(self.country, self.subdivision)
        left = {day: tuple(name for name in names if name not in self.names_left_out) for day, names in table.items()}
        return {day: names for day, names in left.items() if names}


HolidaysAsWritten = Annotated[Holidays, BeforeValidator(_holidays, json_schema_input_type=str | Holidays)]
_HOLIDAYS = Field(examples=["US-TX"], description="Public holidays: `US`, `US-TX`, `none`, or a mapping.")


# -- targets and score ----------------------------------------------------------------------------------------------------
class Promise(Dated):
    """How soon a contact is answered and settled. What it does not say, a less specific one may say; `none` promises nothing."""

    response: Annotated[Duration | None, Field(examples=["2 business hours"], description="Time to the first reply.")] = None
    resolution: Annotated[Duration | None, Field(examples=["24 calendar hours"], description="Time to the resolution.")] = None
    audience: Annotated[Audience | None, Field(examples=["family"], description="Only for contacts of this audience.")] = None
    channel: Annotated[Channel | None, Field(examples=["phone"], description="Only for contacts that came this way.")] = None

    @model_validator(mode="after")
    def _says_something(self) -> "Promise":
        if self.response is None and self.resolution is None:
            raise ValueError("says neither `response` nor `resolution`")
        return self


def _each_once(promises: list[Promise]) -> list[Promise]:
    sorts = [(promise.audience, promise.channel, promise.valid_from) for promise in promises]
    if len(set(sorts)) < len(sorts):
        raise ValueError("has two targets for the same contacts; write one, or give them another `audience`, `channel` or `valid_from`")
    return promises


_PROMISE = {"response": "2 business hours"}
PromiseList = Annotated[
    list[Promise],
    BeforeValidator(_listed, json_schema_input_type=Promise | list[Promise]),
    AfterValidator(_each_once),
    Field(examples=[_PROMISE]),
]


class Promises(Written):
    """Targets by priority, one or a list; `any` is for every priority that says nothing itself."""

    critical: PromiseList = []
    urgent: PromiseList = []
    routine: PromiseList = []
    any: PromiseList = []


class Weights(Dated):
    """What the score is made of: shares that add up to 1, and how many answers its prior weighs."""

    satisfaction: Annotated[float, Field(ge=0, le=1, examples=[0.5])]
    response: Annotated[float, Field(ge=0, le=1, examples=[0.25])]
    resolution: Annotated[float, Field(ge=0, le=1, examples=[0.25])]
    m: Annotated[float, Field(gt=0, le=1000, examples=[12], description="Answers that the prior weighs as much as.")] = 12

    @model_validator(mode="after")
    def _one_in_all(self) -> "Weights":
        total = self.satisfaction + self.response + self.resolution
        if not isclose(total, 1, abs_tol=1e-9):
            raise ValueError(f"has shares that add up to {total:g}; write three that add up to 1")
        return self


_WEIGHTS = {"satisfaction": 0.5, "response": 0.25, "resolution": 0.25, "m": 12}
Score = Annotated[
    list[Weights],
    BeforeValidator(_listed, json_schema_input_type=Weights | list[Weights]),
    AfterValidator(_in_order),
    Field(examples=[_WEIGHTS], description="Weights of the score, or a list of them with `valid_from`."),
]


_SHARE = Field(
    gt=0,
    lt=1,
    examples=[0.9],
    description="Share of promises that is to be kept, over 0 and under 1: alerts, dashboards and the page measure by it.",
)


# -- places ---------------------------------------------------------------------------------------------------------------
class Work(Days):
    """When work is done, and what is promised."""

    hours: Annotated[Weeks | None, _HOURS] = None
    summer: Seasons = []
    holidays: Annotated[HolidaysAsWritten | None, _HOLIDAYS] = None
    targets: Annotated[Promises, Field(examples=[{"critical": _PROMISE}])] = Promises()
    route: Annotated[
        Label | None,
        Field(examples=["transportation-on-call"], description="Whom alerts go to, in small letters; the label `route` of alerts."),
    ] = None

    @field_validator("summer")
    @classmethod
    def _goes_with_hours(cls, summer: list[Season], info: ValidationInfo) -> list[Season]:
        if summer and info.data.get("hours", summer) is None:
            raise ValueError("goes with weekly hours; write `hours` beside it, the same as above if need be")
        return summer


class Allowed(Written):
    """What may look like an e-mail address, a telephone or a social security number, because it is none."""

    id: Annotated[Pattern | None, Field(examples=["[0-9a-f]{32}@mail[.]riverside[.]example"])] = None
    subject: Annotated[Pattern | None, Field(examples=["[0-9]{3}-[0-9]{3}-[0-9]{4}"])] = None


class School(Days):
    """A school; its closed days close every department for its contacts."""

    name: Annotated[Title | None, _TITLE] = None
    level: Annotated[
        Literal["preschool", "elementary", "middle", "high", "other"] | None, Field(examples=["high"], description="Level of the school.")
    ] = None
    nces_id: Annotated[
        str | None, Field(pattern=r"^[0-9]{12}$", examples=["481527001234"], description="NCES id of the school, 12 digits.")
    ] = None


class Department(Work):
    """A department; it works on its own hours where it names some."""

    name: Annotated[Title | None, _TITLE] = None


class District(Work):
    """A district, as events name it."""

    name: Annotated[Title | None, _TITLE] = None
    nces_id: Annotated[str | None, Field(pattern=r"^[0-9]{7}$", examples=["4815270"], description="NCES id of the district, 7 digits.")] = (
        None
    )
    zone: Annotated[ZoneName | None, _ZONE] = None
    promised_share: Annotated[float | None, _SHARE] = None
    score: Score = []
    allow: Annotated[Allowed, Field(examples=[{"subject": "[0-9]{3}-[0-9]{3}-[0-9]{4}"}])] = Allowed()
    departments: Annotated[dict[Id, Department], Field(examples=[{"transportation": {"name": "Transportation"}}])] = {}
    schools: Annotated[dict[Id, School], Field(examples=[{"lincoln-high": {"name": "Lincoln High School"}}])] = {}


class DirectoryFile(Work):
    """One revision: what holds for every district that says nothing else, known or not, and the districts."""

    revision: Annotated[int, Field(ge=0, lt=2**32, examples=[1], description="Grows with every change, also with a rollback.")]
    zone: Annotated[ZoneName, _ZONE]
    hours: Annotated[Weeks, _HOURS]
    promised_share: Annotated[float, _SHARE] = 0.9
    score: Score = []
    districts: Annotated[dict[Id, District], Field(examples=[{"riverside": {"name": "Riverside"}}])] = {}


def interval_ms(interval: str) -> tuple[int, int]:
    """`08:00-16:00` as milliseconds since midnight."""
    opens, closes = (int(text[:2]) * 3_600_000 + int(text[3:]) * 60_000 for text in interval.split("-"))
    return opens, closes


def duration_ms(duration: str) -> tuple[int | None, Clock]:
    """`2 business hours` as milliseconds and the clock they are counted on; None for `none`."""
    if duration == NO_PROMISE:
        return None, "business"
    number, clock, unit = duration.split(" ")
    return int(number) * _UNIT_MS[unit.removesuffix("s")], "calendar" if clock == "calendar" else "business"
