"""The expressions of a mapping: JMESPath, and the functions that exports need.

`slug` makes a name that the contract takes, `pseudonym` a keyed hash of who somebody is, `lookup` a word of one table of the
mapping into another word, `present` tells whether there is anything but spaces, `seconds_between` how long two times lie
apart. JMESPath's own `to_string` and `join` make no word of what is absent: the id of a ticket without one is absent, too.
Compiled once, evaluated for each row.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, Final

import jmespath  # type: ignore[import-untyped]
from jmespath import functions
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from events.exit_code import ExitCode
from events.vocabulary import NAME_LENGTH
from streams.files import read_secret

LEAST_KEY_BYTES: Final = 16
PSEUDONYM_CHARACTERS: Final = 32
Context = Mapping[str, Any]
Evaluate = Callable[[Context], Any]

_SCALAR: Final = ["string", "number", "boolean", "null"]
_DIGEST_CHARACTERS: Final = 8


class MappingError(Exception):
    """The mapping cannot be used, or not with this row; says what to change, and quotes no row."""

    exit_code = ExitCode.USAGE


class Words(functions.Functions):  # type: ignore[misc] # jmespath publishes no types
    """The functions, with what they need: the key of pseudonyms, and the tables of words."""

    def __init__(self, key: bytes | None, tables: Mapping[str, Mapping[str, str]]) -> None:
        self._key = key
        self._tables = tables

    @functions.signature({"types": ["string", "number", "null"]})  # type: ignore[untyped-decorator]
    def _func_slug(self, text: str | float | None) -> str | None:
        return slug(worded(text) or "")

    @functions.signature({"types": ["string", "number", "null"]})  # type: ignore[untyped-decorator]
    def _func_pseudonym(self, identity: str | float | None) -> str | None:
        if self._key is None:
            raise MappingError("the mapping makes pseudonyms: name the file of their key (FRONTDESK_PSEUDONYM_KEY)")
        return pseudonym(worded(identity) or "", self._key)

    @functions.signature({"types": ["string"]}, {"types": _SCALAR})  # type: ignore[untyped-decorator]
    def _func_lookup(self, table: str, word: Any) -> str | None:
        if table not in self._tables:
            raise MappingError(f"the mapping has no table {table}")
        known = worded(word)
        return None if known is None else self._tables[table].get(known)

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_present(self, value: Any) -> bool:
        return value is not None and (not isinstance(value, str) or bool(value.strip()))

    @functions.signature({"types": _SCALAR})  # type: ignore[untyped-decorator]
    def _func_to_string(self, value: Any) -> str | None:
        return worded(value)

    @functions.signature({"types": ["string"]}, {"types": ["array"]})  # type: ignore[untyped-decorator]
    def _func_join(self, glue: str, parts: list[Any]) -> str | None:
        words = [word for part in parts if (word := worded(part)) is not None and word.strip()]
        return glue.join(words) if len(words) == len(parts) else None

    @functions.signature({"types": ["string", "null"]}, {"types": ["string", "null"]})  # type: ignore[untyped-decorator]
    def _func_seconds_between(self, earlier: str | None, later: str | None) -> float | None:
        if earlier is None or later is None:
            return None
        try:
            return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
        except (ValueError, TypeError) as error:
            raise MappingError("seconds_between takes two times of RFC 3339") from error


def worded(value: Any) -> str | None:
    """A value of a row as a word; None for what is absent, which a number that is none is, too. Raises `MappingError`."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if not isinstance(value, str):
        raise MappingError("a list or an object is no word")
    if any("\ud800" <= character <= "\udfff" for character in ("" if value.isascii() else value)):
        raise MappingError("the text holds half a character (a lone surrogate)")
    return value


@lru_cache(maxsize=4_096)
def slug(text: str) -> str | None:
    """Small letters, marks and digits of any script, and pictures, with `-` for what is between them; None where nothing is left.

    Behind a letter `+` and `#` stay, which tell C++ from C#. The two ways in which Unicode writes an accent give one slug. What
    is longer than a name may be is cut, and ends with a hash of the whole.
    """
    small = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    kept = "".join(character if _stays(character) else "-" for character in small)
    name = re.sub(r"-+", "-", re.sub(r"(^|-)[+#]+", "-", kept)).strip("-")
    if len(name) > NAME_LENGTH:
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_CHARACTERS]
        name = f"{name[: NAME_LENGTH - _DIGEST_CHARACTERS - 1]}-{digest}"
    return name or None


def _stays(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LMN" or category == "So" or character in "._+#"


def pseudonym(identity: str, key: bytes) -> str | None:
    """128 bits of the HMAC-SHA-256 of an id, without the spaces around it and in small letters; None where there is none."""
    known = identity.strip().lower()
    return hmac.new(key, known.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_CHARACTERS] if known else None


def key_of(file: Path) -> bytes:
    """The key of pseudonyms. Raises `MappingError` where it is so short that ids could be tried out, and as `read_secret` does."""
    key = read_secret(file).strip()
    if len(key) < LEAST_KEY_BYTES:
        raise MappingError(
            f"{file} must hold at least {LEAST_KEY_BYTES} bytes: head -c 32 /dev/urandom | base64 > {file}; chmod 600 {file}"
        )
    return key


def compiled(text: str, words: Words) -> Evaluate:
    """A function from a row's context to the value. Raises `MappingError`, then and when it is called; it names the expression."""
    try:
        expression = jmespath.compile(text)
    except JMESPathError as error:
        raise MappingError(f"`{text}` is no JMESPath") from error
    options = jmespath.Options(custom_functions=words)

    def evaluate(context: Context) -> Any:
        try:
            value = expression.search(context, options=options)
        except MappingError as error:
            raise MappingError(f"`{text}`: {error}") from error
        except (JMESPathError, RecursionError) as error:
            raise MappingError(f"`{text}` cannot be computed here ({type(error).__name__})") from error
        return value

    return evaluate
