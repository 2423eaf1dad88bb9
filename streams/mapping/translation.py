"""One row into its events. What an expression sees: `row`, `first` (the case's first row), `is_first`, and `line`.

An id that the mapping does not name is a hash of the event itself and of how many equal ones came before it, so that the same
history gives the same ids, in whatever order its rows stand, and two equal rows are still two events.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from streams.mapping import mapping as files
from streams.mapping.expression import Evaluate, MappingError, Words, compiled

Row = Mapping[str, Any]
LARGEST_SECONDS: Final = 100_000_000_000
_encode = msgspec.json.Encoder(order="sorted").encode


class Moment:
    """Reads a time out of a row."""

    def __init__(self, told: files.Time, words: Words) -> None:
        self._value = compiled(told.value, words)
        self._format = told.format
        self._zone = ZoneInfo(told.zone)

    def of(self, context: Row) -> datetime | None:
        """In UTC, or None where there is nothing. Raises `MappingError`."""
        value = self._value(context)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            read = value if isinstance(value, datetime) else self._read(value)
            return (read if read.tzinfo is not None else self._placed(read)).astimezone(UTC)
        except (ValueError, OverflowError, TypeError) as error:
            raise MappingError(f"the time is not of the format {self._format}, or in no year of UTC") from error

    def _read(self, value: Any) -> datetime:
        if self._format == "epoch_s":
            return datetime.fromtimestamp(float(value), UTC)
        if self._format == "epoch_ms":
            return datetime.fromtimestamp(float(value) / 1000, UTC)
        if self._format == "auto":
            return _guessed(value)
        if self._format == "rfc3339":
            return datetime.fromisoformat(str(value).strip())
        return datetime.strptime(str(value).strip(), self._format)  # noqa: DTZ007 - `of` gives it its zone

    def _placed(self, local: datetime) -> datetime:
        """In the zone; of an hour that there was twice the first. An hour that there never was is a mistake in the export or the zone."""
        placed = local.replace(tzinfo=self._zone)
        if placed.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != local:
            raise MappingError(f"there was no such time in {self._zone.key}")
        return placed


def _guessed(value: Any) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value if value < LARGEST_SECONDS else value / 1000, UTC)
    return datetime.fromisoformat(re.sub(r" ?UTC$", "+00:00", str(value).strip()))


class _Rule:
    """A compiled rule."""

    def __init__(self, rule: files.Rule, whole: files.Mapping, words: Words) -> None:
        time = rule.time or whole.time
        if time is None:
            raise MappingError(f"the rule for a {rule.kind} has no time")
        self.kind = rule.kind
        self.when = compiled(rule.when, words)
        self.time = Moment(time, words)
        self.id = None if rule.id is None else compiled(rule.id, words)
        self.constants = whole.set | rule.set
        self.data: dict[str, Evaluate] = {name: compiled(text, words) for name, text in (whole.data | rule.data).items()}


class Translation:
    """Of one source, row after row. With `remembers` it knows the first row of each case and how often it saw each event. Mutable.

    Without, as for webhooks, each row is the first of its case, and the same row is the same event.
    """

    def __init__(self, mapping: files.Mapping, key: bytes | None, *, remembers: bool = True) -> None:
        """`key` is that of pseudonyms. Raises `MappingError`."""
        self._remembers = remembers
        words = Words(key, mapping.tables)
        self._source = mapping.source
        self._case = compiled(mapping.case, words)
        self._rules = [_Rule(rule, mapping, words) for rule in mapping.events]
        self._first: dict[str, Row] = {}
        self._seen: Counter[int] = Counter()

    def events(self, row: Row, line: int, shift: timedelta = timedelta()) -> Iterator[dict[str, Any]]:
        """Structured CloudEvents, times moved by `shift`. Raises `MappingError`."""
        case = _named(self._case({"row": row, "line": line}))
        if case is None:
            raise MappingError("the row names no case")
        first = self._first.setdefault(case, row) if self._remembers else row
        context = {"row": row, "first": first, "is_first": first is row, "line": line}
        for rule in self._rules:
            moment = rule.time.of(context) if rule.when(context) else None
            if moment is not None:
                yield self._event(rule, case, moment, context, shift)

    def _event(self, rule: _Rule, case: str, moment: datetime, context: Row, shift: timedelta) -> dict[str, Any]:
        values = {name: evaluate(context) for name, evaluate in rule.data.items()}
        data = rule.constants | {name: value for name, value in values.items() if value is not None and value != ""}
        identity = None if rule.id is None else _named(rule.id(context))
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": identity or "",
            "source": self._source,
            "type": f"org.frontdesk.{rule.kind}.v1",
            "subject": case,
            "time": _written(moment),
            "data": data,
        }
        known = identity or self._derived(event)
        return event | {"id": known} | _shifted(known, moment, shift)

    def _derived(self, event: dict[str, Any]) -> str:
        try:
            content = _encode(event)
        except UnicodeEncodeError as error:
            raise MappingError("a text of the row is cut in the middle of a character") from error
        short = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
        if self._remembers:
            self._seen[short] += 1
        return hashlib.sha256(b"%d %s" % (self._seen[short], content)).hexdigest()[:32]


def _shifted(identity: str, moment: datetime, shift: timedelta) -> dict[str, str]:
    """Another time is another event: moved ones have ids of their own."""
    return {"id": f"{identity}+{shift.days}d", "time": _written(moment + shift)} if shift else {}


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _named(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float) or (isinstance(value, str) and value) else None
