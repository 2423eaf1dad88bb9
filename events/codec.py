"""Bytes of a Kafka record in, an event or a rejection out: the only door into the fold.

Nearly every record takes the first way: msgspec decodes it and a few cheap questions follow. Whatever does not pass
there is looked at again, first by records that let unknown members of `data` through, so that they can be counted,
then by the contract itself (`contract.judge`), which alone decides what is refused and why. So the fast way may be
stricter than the contract, at the price of time, but never more lenient; `tests/unit/test_contract_parity.py` shows it.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict
from pydantic import BaseModel

from events.contact import Contact
from events.contract import EMPTY, LARGEST, TOO_LARGE, judge, unknown_members, unreadable
from events.event import Event
from events.headers import ATTRIBUTE, CONTENT_TYPE, SPECVERSION
from events.instant import EARLIEST, LATEST, millis
from events.kinds import KINDS
from events.personal_data import Allows, are_plain, nobody_allows, personal_data
from events.rating import Rating
from events.record import records
from events.rejection import Reason, Rejection
from events.reply import Reply
from events.resolution import Resolution
from events.vocabulary import NAME_LENGTH, are_names, is_json_type, is_language

_is_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*").fullmatch
Decoded = tuple[str, str, Event]
"""District, subject, event."""
Headers = Sequence[tuple[str, bytes | None]]
"""As Kafka gives them: names, and bytes or null."""

AHEAD_MS = 5 * 60_000
"""How far an event's time may be ahead of its record's timestamp."""
NAMES_COUNTED = 1_000
"""How many different unknown members are counted by name (of which 64 characters are kept); further ones count as OTHER."""
OTHER = "(other)"
"""So does what a program would call no member: it may be a person's name or address, and these counts are told."""

_SHORT = 500
"""Bytes up to which an event cannot be nested more than 200 deep, where the contract's JSON reader stops."""
_LONG = 4_096
"""Bytes from which a single number could be longer than the contract's JSON reader takes."""
_BRACKETS = 150

_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Decoder:
    """Decodes records one by one; `unknown_members` counts by name, exactly, what was dropped from `data`.

    `allows` tells what a district lets pass although it looks personal; it may be exchanged between two records.
    """

    def __init__(self, allows: Allows = nobody_allows) -> None:
        self.allows = allows
        self.unknown_members: Counter[str] = Counter()

    def decode(self, value: bytes | None, headers: Headers, timestamp: int) -> Decoded | Rejection:
        """Event in a record whose Kafka timestamp is `timestamp` (ms), or why there is none; raises nothing."""
        if not value:
            return EMPTY
        if len(value) > LARGEST:
            return TOO_LARGE
        if headers and _is_binary(headers):
            structured = _structured(value, headers)
            if isinstance(structured, Rejection):
                return structured
            value = structured
        try:
            record = _strict(value)
        except _REFUSED:
            return self._second_look(value, timestamp)
        return _taken(record, value, timestamp, self.allows) or self._by_contract(value, timestamp)

    def _second_look(self, value: bytes, timestamp: int) -> Decoded | Rejection:
        """Decode without asking for unknown members: 10 us instead of the 30 of the contract where a publisher sends some."""
        try:
            record = _tolerant(value)
        except _REFUSED:
            return self._by_contract(value, timestamp)
        taken = _taken(record, value, timestamp, self.allows)
        if taken is None:
            return self._by_contract(value, timestamp)
        if isinstance(taken, Rejection):
            return taken
        self._count(unknown_members(value, _MODEL[record.__class__]))
        return taken

    def _by_contract(self, value: bytes, timestamp: int) -> Decoded | Rejection:
        model = judge(value, self.allows)
        if isinstance(model, Rejection):
            return model
        time = millis(model.time)
        if time > timestamp + AHEAD_MS:
            return Rejection(Reason.FROM_THE_FUTURE, "$.time", f"is {time - timestamp} ms ahead of the record's timestamp")
        self._count(unknown_members(value, type(model)))
        return model.data.district, model.subject, _EVENT[type(model)](model, time)

    def _count(self, names: set[str]) -> None:
        for name in names:
            known = name[:64]
            if not _is_identifier(known) or (known not in self.unknown_members and len(self.unknown_members) >= NAMES_COUNTED):
                known = OTHER
            self.unknown_members[known] += 1


def _taken(record: Any, value: bytes, timestamp: int, allows: Allows) -> Decoded | Rejection | None:
    """Event of a decoded record or the personal data in it, or None where only the contract can tell."""
    if not (value.isascii() and len(value) <= _SHORT) and not _is_plain(value):
        return None
    time = round(record.time.timestamp() * 1e6) // 1_000  # exact up to the year 2255, and 0.3 us less than timedeltas
    if not EARLIEST <= time <= LATEST or time > timestamp + AHEAD_MS:
        return None
    names_of, is_sound, event_of = _READ[record.__class__]
    names = names_of(record)
    plain = are_plain(names)
    if not (plain or are_names(names)) or not (is_sound is None or is_sound(record)) or not is_json_type(record.datacontenttype):
        return None
    if not plain:
        refused = personal_data(asdict(record), asdict(record.data), allows)
        if refused is not None:
            return refused
    return record.data.district, record.subject, event_of(record, time)


def _is_plain(value: bytes) -> bool:
    """Whether both JSON readers take these bytes alike: UTF-8 everywhere, no deep nesting, no endless number."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return len(value) <= _LONG and value.count(b"[") + value.count(b"{") <= _BRACKETS


def _names_of_contact(record: Any) -> str:
    data = record.data
    who = data.stakeholder
    names = f"{record.id}{record.source}{record.subject}{data.district}{data.school}{data.department}{who}{data.topic}{data.language}"
    return names + BARE if who is not None and who.isdigit() else names


def _names_of_reply(record: Any) -> str:
    data = record.data
    who = data.author
    names = f"{record.id}{record.source}{record.subject}{data.district}{data.school}{data.department}{who}"
    return names + BARE if who is not None and who.isdigit() else names


BARE: Final = "%"
"""Behind the names where a pseudonym is bare digits, so that each is looked at by itself: only there they may be somebody's number."""


def _names_of_others(record: Any) -> str:
    data = record.data
    return f"{record.id}{record.source}{record.subject}{data.district}{data.school}{data.department}"


def _sound_contact(record: Any) -> bool:
    return is_language(record.data.language)


def _sound_rating(record: Any) -> bool:
    data = record.data
    worst = 1.0 if data.worst is None else data.worst
    best = 5.0 if data.best is None else data.best
    return worst < best and worst <= data.score <= best


def _is_binary(headers: Headers) -> bool:
    """`ce_specversion` makes a record binary, unless its content type says that it is structured."""
    binary = False
    for name, content in headers:
        if name == CONTENT_TYPE and content and content.lower().startswith(b"application/cloudevents"):
            return False
        if name == SPECVERSION:
            binary = True
    return binary


def _structured(body: bytes, headers: Headers) -> bytes | Rejection:
    """Structured form of a binary record. The body is checked first: spliced in, it must not become two members."""
    unread = unreadable(body)
    if unread:
        return unread
    attributes: dict[str, str | Raw] = {}
    for name, content in headers:
        attribute = "datacontenttype" if name == CONTENT_TYPE else name.removeprefix(ATTRIBUTE)
        if attribute == name or content is None:
            continue
        try:
            attributes[attribute] = content.decode()
        except UnicodeDecodeError:
            return Rejection(Reason.NOT_CLOUDEVENT, f"$.{attribute[:NAME_LENGTH]}", "must be UTF-8")
    return msgspec.json.encode(attributes | {"data": Raw(body)})


def _decoder(classes: dict[Any, type[Struct]]) -> Callable[[bytes], Any]:
    union: Any = reduce(or_, classes.values())
    return msgspec.json.Decoder(union).decode


_STRICT, _TOLERANT = records(strict=True), records(strict=False)
_strict, _tolerant = _decoder(_STRICT), _decoder(_TOLERANT)

_Names = Callable[[Any], str]
_Sound = Callable[[Any], bool] | None
_RULES: dict[type[BaseModel], tuple[_Names, _Sound]] = {
    Contact: (_names_of_contact, _sound_contact),
    Reply: (_names_of_reply, None),
    Resolution: (_names_of_others, None),
    Rating: (_names_of_others, _sound_rating),
}
_READ: dict[type[Struct], tuple[_Names, _Sound, Callable[[Any, int], Event]]] = {
    record: (*_RULES[kind.model], kind.flat) for kind in KINDS for record in (_STRICT[kind.model], _TOLERANT[kind.model])
}
"""Of a decoded record: its names, what else has to be so, its event. One look for all three."""
_MODEL = {_TOLERANT[kind.model]: kind.model for kind in KINDS}
_EVENT = {kind.model: kind.flat for kind in KINDS}
