"""Instants: RFC 3339 with a zone outside, integers of milliseconds since the epoch inside.

Fractions are rounded to the microsecond and cut to the millisecond. A leap second, a time without a zone or without
seconds and a year that no database column holds are refused rather than guessed.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

EARLIEST = 315_532_800_000
"""1980-01-01T00:00:00Z, in milliseconds."""
LATEST = 4_102_444_799_999
"""2099-12-31T23:59:59.999Z, in milliseconds."""
PATTERN = (
    r"^(19[789]|20[0-9]|210)[0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])$"
)
"""RFC 3339; the offset's colon may be missing, because strftime's %z leaves it out."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_matches = re.compile(PATTERN.removesuffix("$")).fullmatch
_FRACTION = re.compile(r"\.([0-9]+)")


def millis(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime, cut towards the past."""
    return (moment - _EPOCH) // _MICROSECOND // 1_000


def moment(text: str) -> datetime:
    """Instant that an RFC 3339 text names, to the microsecond; ValueError says what is missing."""
    if not _matches(text):
        raise ValueError("must be an RFC 3339 date and time with seconds and a zone, such as 2026-11-23T14:03:22.120Z")
    fraction = _FRACTION.search(text)
    whole = datetime.fromisoformat(_FRACTION.sub("", text, count=1).upper())
    return whole + timedelta(microseconds=_micros(fraction.group(1)) if fraction else 0)


def _micros(digits: str) -> int:
    return (int(digits[:7].ljust(7, "0")) + 5) // 10


def _read(value: Any) -> Any:
    if isinstance(value, str):
        return moment(value)
    if isinstance(value, datetime):
        return value
    raise ValueError("must be a text with an RFC 3339 date and time")


def _within(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must have a zone")
    if not EARLIEST <= millis(value) <= LATEST:
        raise ValueError("must be between the years 1980 and 2099")
    return value


def _write(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime,
    BeforeValidator(_read),
    AfterValidator(_within),
    PlainSerializer(_write, return_type=str, when_used="json"),
    Field(json_schema_extra={"pattern": PATTERN}),
    Meta(tz=True),
]
