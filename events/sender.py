"""Who sent a record that is refused, as far as it tells: people look for the publisher that broke the contract.

Nothing is promised: what is cut, or no JSON at all, may still name its source, and what is an event in every way but one
surely does. A source that is no name by the contract, or looks like personal data, is not repeated, because dead letters are
read by many.
"""

import re
from collections.abc import Sequence

from msgspec import DecodeError, Struct, ValidationError, json

from events.headers import SOURCE
from events.personal_data import likeness
from events.vocabulary import NAME_LENGTH, are_names

_NAMED = re.compile(rb'"source"\s*:\s*"([!-~]{1,128}?)"')


class _Sender(Struct):
    source: str


_sender = json.Decoder(_Sender).decode


def source_of(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> str:
    """The CloudEvents source of a record; '' where none can be told."""
    stated = next((content for name, content in headers if name == SOURCE and content), None)
    source = _in_body(value or b"") if stated is None else stated.decode(errors="replace")
    return source if len(source) <= NAME_LENGTH and are_names(source) and likeness(source) is None else ""


def _in_body(value: bytes) -> str:
    try:
        return _sender(value).source
    except ValidationError:
        return ""
    except (DecodeError, UnicodeDecodeError, RecursionError):
        named = _NAMED.search(value)
        return named[1].decode() if named else ""
