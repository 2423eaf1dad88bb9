"""The mapping file: how one row, or one webhook, becomes events. YAML, checked with pydantic.

Each rule makes at most one event of a row: where its `when` holds and its time is not empty. What is said at the top holds for
every rule that does not say it itself.
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from events.yaml_text import MOST_BYTES, said
from streams.files import read_bytes
from streams.mapping.expression import MappingError

Kind = Literal["contact", "reply", "resolution", "rating"]
FORMATS: Final = ("rfc3339", "epoch_s", "epoch_ms", "auto")
"""`auto`: a number is an epoch, in seconds up to the year 5138 and in milliseconds from there on; a text is RFC 3339, or ends with UTC."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be an IANA zone, such as America/Chicago") from error
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Time(_Strict):
    """Which value, in which format (one of `FORMATS` or a pattern of strptime), and in which zone where it names none."""

    value: str
    format: str = "rfc3339"
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"


class Table(_Strict):
    """How a text file is written."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"


class Rule(_Strict):
    """One event of a row. `set` are constants, `data` expressions; an empty value is absent."""

    kind: Kind
    when: str = "`true`"
    time: Time | None = None
    id: str | None = None
    set: dict[str, Any] = {}
    data: dict[str, str] = {}


class Mapping(_Strict):
    """The whole file."""

    source: str
    case: str
    time: Time | None = None
    set: dict[str, Any] = {}
    data: dict[str, str] = {}
    tables: dict[str, dict[str, str]] = {}
    csv: Table = Table()
    events: Annotated[tuple[Rule, ...], Field(min_length=1)]


Kept = TypeVar("Kept", bound=Mapping)


def read_mapping(file: Path) -> Mapping:
    """Raises `MappingError`, or OSError where the file cannot be read."""
    return read_as(Mapping, file)


def read_as(model: type[Kept], file: Path) -> Kept:
    """The same for a mapping that says more."""
    try:
        return model.model_validate(said(read_bytes(file, MOST_BYTES)))
    except yaml.YAMLError as error:
        raise MappingError(f"{file} is no YAML that can be read: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False, include_input=False))
        raise MappingError(f"{file}: {told}") from error
