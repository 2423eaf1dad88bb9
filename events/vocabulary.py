"""The words of the contract: what a name, a language and each closed set may be, written once for both readers.

pydantic (the published contract) takes the patterns and descriptions from these types, msgspec (the hot path) the
lengths and closed sets. msgspec would test a pattern in Python for each string, so it leaves patterns to the two
predicates below: `are_names` asks once for all names of an event, `is_language` remembers its answers.
"""

import re
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta
from pydantic import Field

NAME_LENGTH = 128

_UNSEEN = (
    r"\x00-\x20\x7F-\xA0\xAD"  # controls, space, no-break space, soft hyphen
    r"\u0600-\u0605\u061C\u06DD\u070F\u1680\u180E"  # format characters and spaces of single scripts
    r"\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000"  # spaces, joiners, separators, directions
    r"\uE000-\uF8FF\uFEFF\uFFF0-\uFFFF"  # private use, byte order mark, specials
)
NAME_PATTERN = f"^[^{_UNSEEN}]+$"
"""Printable and without spaces. The ranges are spelled out, so that Python, Rust and ECMAScript read the same."""
LANGUAGE_PATTERN = r"^([A-Za-z]{2,8}|[XxIi]-[A-Za-z0-9]{1,8})(-[A-Za-z0-9]{1,8})*$"
"""BCP 47 as far as form goes: subtags of one to eight letters or digits; whether they are registered is not checked."""
JSON_PATTERN = r"^application/([0-9A-Za-z!#$&^_.-]+\+)?json[ \t]*(;[ -~]*)?$"

Name = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=NAME_LENGTH, pattern=NAME_PATTERN),
    Meta(min_length=1, max_length=NAME_LENGTH),
]
Language = Annotated[
    str,
    Field(strict=True, min_length=2, max_length=NAME_LENGTH, pattern=LANGUAGE_PATTERN),
    Meta(min_length=2, max_length=NAME_LENGTH),
]
JsonType = Annotated[str, Field(strict=True, max_length=NAME_LENGTH, pattern=JSON_PATTERN), Meta(max_length=NAME_LENGTH)]
Flag = Annotated[bool, Field(strict=True)]
Score = Annotated[float, Field(strict=True, ge=-1e9, le=1e9, allow_inf_nan=False), Meta(ge=-1e9, le=1e9)]

Audience = Literal["family", "student", "staff", "community", "other"]
Channel = Literal["web", "email", "phone", "text", "chat", "walk_in", "social", "other"]
Priority = Literal["routine", "urgent", "critical"]
AuthorKind = Literal["human", "automatic"]
Visibility = Literal["public", "internal"]
Outcome = Literal["resolved", "no_action", "duplicate", "spam"]

_names = re.compile(f"[^{_UNSEEN}\ud800-\udfff]*").fullmatch
_language = re.compile(LANGUAGE_PATTERN.removesuffix("$")).fullmatch
_json_type = re.compile(JSON_PATTERN.removesuffix("$")).fullmatch


def are_names(joined: str) -> bool:
    """Whether every character of these names, joined without anything between them, may stand in a name."""
    if joined.isascii():  # twice as fast as the pattern, and nearly always the case
        return joined.isprintable() and " " not in joined
    return _names(joined) is not None


def is_language(text: str | None) -> bool:
    """Whether the text, where there is one, has the form of a BCP 47 tag."""
    return text is None or _is_language(text)


def is_json_type(text: str | None) -> bool:
    """Whether the media type, where there is one, says that `data` is JSON; parameters are allowed."""
    return text is None or text == "application/json" or _is_json_type(text)


@lru_cache(maxsize=1_024)
def _is_language(text: str) -> bool:
    return _language(text) is not None


@lru_cache(maxsize=1_024)
def _is_json_type(text: str) -> bool:
    return _json_type(text) is not None
