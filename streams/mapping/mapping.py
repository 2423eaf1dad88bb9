"""The mapping file: how one row, or one webhook, becomes events. YAML, checked with pydantic.

Each rule makes at most one event of a row: where its `when` holds and its time is not empty. What is said at the top holds for
every rule that does not say it itself.
"""

from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from events.kinds import NAMES
from events.yaml_text import MOST_BYTES, said
from streams.files import read_bytes
from streams.legible import problems_in
from streams.mapping.expression import MappingError

NULLS: Final = frozenset({"null", "NULL", "None", "NaN", "nan"})
"""How programs write into a text that there is nothing: absent in every row, beside the words that `empty` names."""
FORMATS: Final = ("rfc3339", "epoch_s", "epoch_ms", "auto")
"""`auto`: a number is an epoch, in seconds up to the year 5138 and in milliseconds from there on; a text is RFC 3339, or ends with UTC."""


def _kind(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"must be one of {', '.join(NAMES)}")
    return name


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be an IANA zone, such as America/Chicago") from error
    return name


def _encoding(name: str) -> str:
    try:
        TextIOWrapper(BytesIO(), encoding=name)
    except LookupError as error:
        raise ValueError("must be an encoding of text that Python knows, such as utf-8 or cp1252") from error
    return name


def _delimiter(character: str) -> str:
    if character in '\r\n"':
        raise ValueError("must be a character that neither ends a line nor quotes a cell")
    return character


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _spelled(words: Any) -> Any:
    """YAML's own null is what the word NULL stands for in a list; numbers are meant as they are written."""
    return ["NULL" if word is None else str(word) for word in words] if isinstance(words, list) else words


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Time(_Strict):
    """Which value, in which formats (of `FORMATS`, or patterns of strptime; the first that fits), in which zone where it names none."""

    value: str
    format: Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)] = ("rfc3339",)
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"


class Table(_Strict):
    """How a text file is written."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1), AfterValidator(_delimiter)] = ","
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8-sig"


class Rule(_Strict):
    """One event of a row. `set` are constants, `data` expressions; an empty value is absent."""

    kind: Annotated[str, AfterValidator(_kind)]
    when: str = "`true`"
    time: Time | None = None
    id: str | None = None
    set: dict[str, Any] = {}
    data: dict[str, str] = {}


class Mapping(_Strict):
    """The whole file. What equals a word of `empty` is absent from a row, and so is what `NULLS` names."""

    source: str
    case: str
    empty: Annotated[frozenset[str], BeforeValidator(_spelled)] = frozenset()
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
        raise MappingError(f"{file}: {problems_in(error, 'is no mapping, see docs/mappings')}") from error
