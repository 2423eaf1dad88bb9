"""The expressions of a mapping: JMESPath, and four functions that exports need.

`slug` makes a name that the contract takes, `pseudonym` a keyed hash of who somebody is, `lookup` a word of one table of the
mapping into another word, `present` tells whether there is anything but spaces. Compiled once, evaluated for each row.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import jmespath  # type: ignore[import-untyped]
from jmespath import functions
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from events.vocabulary import NAME_LENGTH
from streams.files import read_secret

LEAST_KEY_BYTES: Final = 16
PSEUDONYM_CHARACTERS: Final = 32
Context = Mapping[str, Any]
Evaluate = Callable[[Context], Any]


class MappingError(Exception):
    """The mapping cannot be used, or not with this row; says what to change, and quotes no row."""


class Words(functions.Functions):  # type: ignore[misc] # jmespath publishes no types
    """The functions, with what they need: the key of pseudonyms, and the tables of words."""

    def __init__(self, key: bytes | None, tables: Mapping[str, Mapping[str, str]]) -> None:
        self._key = key
        self._tables = tables

    @functions.signature({"types": ["string", "number", "null"]})  # type: ignore[untyped-decorator]
    def _func_slug(self, text: str | float | None) -> str | None:
        return slug(_text(text))

    @functions.signature({"types": ["string", "number", "null"]})  # type: ignore[untyped-decorator]
    def _func_pseudonym(self, identity: str | float | None) -> str | None:
        if self._key is None:
            raise MappingError("the mapping makes pseudonyms: name the file of their key (FRONTDESK_PSEUDONYM_KEY)")
        return pseudonym(_text(identity), self._key)

    @functions.signature({"types": ["string"]}, {"types": ["string", "number", "boolean", "null"]})  # type: ignore[untyped-decorator]
    def _func_lookup(self, table: str, word: Any) -> str | None:
        if table not in self._tables:
            raise MappingError(f"the mapping has no table {table}")
        return self._tables[table].get(_text(word))

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_present(self, value: Any) -> bool:
        return value is not None and (not isinstance(value, str) or bool(value.strip()))


def slug(text: str) -> str | None:
    """Small letters and digits of any script, with `-` for what is between them; None where nothing is left."""
    return re.sub(r"[^\w.]+", "-", text.strip().lower()).strip("-")[:NAME_LENGTH] or None


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
    """A function from a row's context to the value. Raises `MappingError`, then and when it is called."""
    try:
        expression = jmespath.compile(text)
    except JMESPathError as error:
        raise MappingError(f"`{text}` is no JMESPath") from error
    options = jmespath.Options(custom_functions=words)

    def evaluate(context: Context) -> Any:
        try:
            value = expression.search(context, options=options)
            if isinstance(value, str):
                value.encode()  # half a character is no text
        except (JMESPathError, UnicodeEncodeError, RecursionError) as error:
            raise MappingError(f"`{text}` cannot be computed here ({type(error).__name__})") from error
        return value

    return evaluate


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
