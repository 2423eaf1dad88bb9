"""One row into its events.

What an expression sees: `row`, `first` (the case's first row), `is_first`, `line`; of a webhook `received`, when it came; the one
of an id also `time`, when the event happened.

An id that the mapping does not name is a hash of the event itself and of how many equal ones came before it, so that the same
history gives the same ids, in whatever order its rows stand, and two equal rows are still two events.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import isfinite
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from events.instant import EARLIEST, LATEST, millis
from streams.mapping import mapping as files
from streams.mapping.expression import Evaluate, MappingError, Words, compiled, worded

Row = Mapping[str, Any]
LARGEST_SECONDS: Final = 100_000_000_000
_encode = msgspec.json.Encoder(order="sorted").encode


class Emitted(NamedTuple):
    """One event of a row: a structured CloudEvent, and by JSON path the expression that each part of it comes from."""

    event: dict[str, Any]
    expressions: Mapping[str, str]
    moved: bool
    """Whether the row dates it before the contact that it belongs to, so that it counts as happening with it."""


@dataclass(frozen=True)
class Translated:
    """What a row says, and what to remember of it if it is taken."""

    emitted: list[Emitted]
    case: str
    row: Row
    seen: Counter[int]


class Moment:
    """Reads a time out of a row."""

    def __init__(self, rule: files.Time, words: Words) -> None:
        self.value = rule.value
        self._evaluate = compiled(rule.value, words)
        self._formats = rule.format
        self._zone = ZoneInfo(rule.zone)

    def of(self, context: Row) -> datetime | None:
        """In UTC, or None where there is nothing. Raises `MappingError`."""
        value = self._evaluate(context)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        read = self._read(value)
        try:
            at = (read if read.tzinfo is not None else self._placed(read)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self._out_of_range() from error
        if not EARLIEST <= millis(at) <= LATEST:
            raise self._out_of_range()
        return at

    def _read(self, value: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime.combine(value, time())
        for form in self._formats:
            try:
                return _in_format(value, form)
            except (ValueError, OverflowError, OSError, TypeError):
                continue
        raise MappingError(f"`{self.value}`: the time is not of the format {' or '.join(self._formats)}")

    def _out_of_range(self) -> MappingError:
        return MappingError(f"`{self.value}`: the time is not between the years 1980 and 2099")

    def _placed(self, local: datetime) -> datetime:
        """In the zone; of an hour that there was twice the first. An hour that there never was is a mistake in the export or the zone."""
        placed = local.replace(tzinfo=self._zone)
        if placed.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != local:
            raise MappingError(f"`{self.value}`: there was no such time in {self._zone.key}")
        return placed


def _in_format(value: Any, form: str) -> datetime:
    if form == "epoch_s":
        return datetime.fromtimestamp(float(value), UTC)
    if form == "epoch_ms":
        return datetime.fromtimestamp(float(value) / 1000, UTC)
    if form == "auto":
        return _guessed(value)
    if form == "rfc3339":
        return datetime.fromisoformat(str(value).strip())
    return datetime.strptime(str(value).strip(), form)  # noqa: DTZ007 - `of` gives it its zone


def _guessed(value: Any) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value if value < LARGEST_SECONDS else value / 1000, UTC)
    return datetime.fromisoformat(re.sub(r" ?UTC$", "+00:00", str(value).strip()))


class _Rule:
    """A compiled rule."""

    def __init__(self, rule: files.Rule, whole: files.Mapping, words: Words) -> None:
        when = rule.time or whole.time
        if when is None:
            raise MappingError(f"the rule for a {rule.kind} has no time")
        data = whole.data | rule.data
        self.kind = rule.kind
        self.when = compiled(rule.when, words)
        self.time = Moment(when, words)
        self.id = None if rule.id is None else _scalar(rule.id, words)
        self.constants = whole.set | rule.set
        self.data: dict[str, Evaluate] = {name: _scalar(text, words) for name, text in data.items()}
        self.expressions = {
            "$.subject": whole.case,
            "$.time": when.value,
            **({} if rule.id is None else {"$.id": rule.id}),
            **{f"$.data.{name}": text for name, text in data.items()},
        }


class Translation:
    """Of one source, row after row. With `remembers` it knows the first row of each case and how often it saw each event. Mutable.

    Without, as for webhooks, each row is the first of its case, and the same row is the same event.
    """

    def __init__(self, mapping: files.Mapping, key: bytes | None, *, remembers: bool = True) -> None:
        """`key` is that of pseudonyms. Raises `MappingError`."""
        self._remembers = remembers
        words = Words(key, mapping.tables)
        self._source = mapping.source
        self._empty = mapping.empty | files.NULLS
        self._case_text = mapping.case
        self._case = _scalar(mapping.case, words)
        self._rules = [_Rule(rule, mapping, words) for rule in mapping.events]
        self._first: dict[str, Row] = {}
        self._seen: Counter[int] = Counter()

    def events(self, raw: Row, line: int, shift: timedelta = timedelta(), received: datetime | None = None) -> Translated:
        """The events of a row, times moved by `shift`. Nothing is remembered before `remember`. Raises `MappingError`."""
        try:
            row = _present(raw, self._empty)
        except RecursionError as error:
            raise MappingError("the row is nested too deeply") from error
        case = _named(self._case({"row": row, "line": line}))
        if case is None:
            raise MappingError(f"`{self._case_text}`: the row names no case")
        first = self._first.get(case, row)
        context = {"row": row, "first": first, "is_first": first is row, "line": line, "received": received}
        moments = [(rule, moment) for rule in self._rules if rule.when(context) and (moment := rule.time.of(context)) is not None]
        opened = min((moment for rule, moment in moments if rule.kind == "contact"), default=None)
        seen: Counter[int] = Counter()
        emitted = []
        for rule, moment in moments:
            is_early = opened is not None and moment < opened
            event = self._event(rule, case, opened if is_early and opened else moment, context, shift, seen)
            emitted.append(Emitted(event, rule.expressions, is_early))
        return Translated(emitted, case, row, seen)

    def remember(self, taken: Translated) -> None:
        """What comes after knows this row. One that is not taken is as if it had never stood there."""
        if self._remembers:
            self._first.setdefault(taken.case, taken.row)
            self._seen.update(taken.seen)

    def _event(  # noqa: PLR0917 - what an event is made of
        self, rule: _Rule, case: str, moment: datetime, context: Row, shift: timedelta, seen: Counter[int]
    ) -> dict[str, Any]:
        values = {name: evaluate(context) for name, evaluate in rule.data.items()}
        data = rule.constants | {name: value for name, value in values.items() if value is not None and value != ""}
        at = _written(moment)
        identity = None if rule.id is None else _named(rule.id({**context, "time": at}))
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": identity or "",
            "source": self._source,
            "type": f"org.frontdesk.{rule.kind}.v1",
            "subject": case,
            "time": at,
            "data": data,
        }
        known = identity or self._derived(event, seen)
        return event | {"id": known} | _shifted(known, moment, shift)

    def _derived(self, event: dict[str, Any], seen: Counter[int]) -> str:
        try:
            content = _encode(event)
        except UnicodeEncodeError as error:
            raise MappingError("a text of the row is cut in the middle of a character") from error
        short = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
        if self._remembers:
            seen[short] += 1
        return hashlib.sha256(b"%d %s" % (self._seen[short] + seen[short], content)).hexdigest()[:32]


def _present(value: Any, empty: frozenset[str]) -> Any:
    """The value with None for all that says that there is nothing: words of `empty`, and numbers that are none."""
    if isinstance(value, dict):
        return {name: _present(member, empty) for name, member in value.items()}
    if isinstance(value, list):
        return [_present(member, empty) for member in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, str):
        return None if value.strip() in empty else value
    return None if isinstance(value, int | float) and not isinstance(value, bool) and str(value) in empty else value


def _shifted(identity: str, moment: datetime, shift: timedelta) -> dict[str, str]:
    """Another time is another event: moved ones have ids of their own."""
    if not shift:
        return {}
    try:
        return {"id": f"{identity}+{shift.days}d", "time": _written(moment + shift)}
    except OverflowError as error:
        raise MappingError("the time is out of range when it is moved") from error


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _scalar(text: str, words: Words) -> Evaluate:
    """An expression whose value can be told: a text, a number or a truth value; None for what is absent."""
    evaluate = compiled(text, words)

    def checked(context: Row) -> Any:
        value = evaluate(context)
        try:
            word = worded(value)
        except MappingError as error:
            raise MappingError(f"`{text}`: {error}") from error
        return None if word is None else value

    return checked


def _named(value: Any) -> str | None:
    """A name out of a text or a number, whatever the file made of it; None where there is none."""
    return None if isinstance(value, bool) else worded(value) or None
