"""What the fold's tests tell their stories with: events at hours, a directory that fits in the head, ways to fold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

from events.event import Contacted, Event, Rated, Replied, Resolved, order
from events.personal_data import nobody_allows
from projections.case import refold
from projections.changes import Changes
from projections.episode import Facts, finish
from projections.partition import Entry, Partition
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, WINDOW_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

START = 1_790_000_000_000 // 86_400_000 * 86_400_000
"""Midnight UTC of a day in 2026: hour 0 of every story."""
MIN = 60_000
H = 60 * MIN
DAY = 24 * H
DISTRICT = "riverside"
SOURCE = "/riverside/helpdesk"

_numbers = count(1)


def contact(at: int, name: str = "", **fields: Any) -> Contacted:
    known = {"school": "lincoln-high", "department": "transportation", "stakeholder": "s-1", **fields}
    return Contacted(START + at, SOURCE, name or f"contact-{next(_numbers)}", **known)


def reply(at: int, name: str = "", **fields: Any) -> Replied:
    return Replied(START + at, SOURCE, name or f"reply-{next(_numbers)}", **fields)


def resolution(at: int, name: str = "", **fields: Any) -> Resolved:
    return Resolved(START + at, SOURCE, name or f"resolution-{next(_numbers)}", **fields)


def rating(at: int, score: float = 5.0, name: str = "", **fields: Any) -> Rated:
    return Rated(START + at, SOURCE, name or f"rating-{next(_numbers)}", score=score, **fields)


class EightHours:
    """Open from 00:00 to 08:00 UTC, every day."""

    def open_ms(self, at: int) -> int:
        days, rest = divmod(at, DAY)
        return days * 8 * H + min(rest, 8 * H)

    def instant(self, open_ms: int) -> int:
        """The earliest instant with so much open time before it."""
        days, rest = divmod(open_ms - 1, 8 * H)
        return days * DAY + rest + 1


@dataclass(frozen=True)
class Promise:
    """Terms in open hours of `EightHours`."""

    response_ms: int | None
    resolution_ms: int | None
    schedule: EightHours = field(default_factory=EightHours)

    def response_due(self, at: int) -> int | None:
        return self._after(at, self.response_ms, 100)

    def response_warn(self, at: int) -> int | None:
        return self._after(at, self.response_ms, 80)

    def resolution_due(self, at: int) -> int | None:
        return self._after(at, self.resolution_ms, 100)

    def resolution_warn(self, at: int) -> int | None:
        return self._after(at, self.resolution_ms, 80)

    def _after(self, at: int, ms: int | None, percent: int) -> int | None:
        return None if ms is None else self.schedule.instant(self.schedule.open_ms(at) + ms * percent // 100)


@dataclass(frozen=True)
class Promises:
    """A directory: urgent 2 h and 8 h, critical nothing, else 4 h and 16 h; `slack_ms` more with another revision."""

    revision: int = 1
    slack_ms: int = 0

    allows = staticmethod(nobody_allows)

    def terms(self, district: str, school: str, department: str, priority: str, audience: str, channel: str, received_at: int) -> Promise:  # noqa: ARG002, PLR0917 - the directory's signature
        if priority == "critical":
            return Promise(None, None)
        response, resolution = (2, 8) if priority == "urgent" else (4, 16)
        return Promise(response * H + self.slack_ms, resolution * H + self.slack_ms)


PROMISES: Any = Promises()


def all_facts(*events: Event, directory: Any = PROMISES) -> list[Facts]:
    """The facts of each episode that these events make, in whatever order they are given."""
    return [finish(episode) for episode in refold(sorted(events, key=order), (), DISTRICT, directory)]


def facts_of(*events: Event, directory: Any = PROMISES) -> Facts:
    (facts,) = all_facts(*events, directory=directory)
    return facts


def after(hours: float) -> int:
    """The instant that is so many hours into the story."""
    return START + round(hours * H)


def entries(events: Iterable[Event], subject: str = "case-1", first: int = 0, *, backfill: bool = False) -> list[Entry]:
    """Records of the log, each produced when its event happened."""
    return [(first + i, event.time, backfill, DISTRICT, subject, event) for i, event in enumerate(events)]


def rows(columns: Sequence[Sequence[Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass
class Tables:
    """ClickHouse as far as a fold can see it: of each key the row with the largest version; and the changelog."""

    events: dict[Any, dict[str, Any]] = field(default_factory=dict)
    cases: dict[Any, dict[str, Any]] = field(default_factory=dict)
    windows: dict[Any, dict[str, Any]] = field(default_factory=dict)
    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)

    def write(self, changes: Changes) -> None:
        """Rows and changelog, as a worker does that lives on."""
        self.write_rows(changes)
        self.changelog += changes.changelog

    def write_rows(self, changes: Changes) -> None:
        for table, columns, names, key in (
            (self.events, changes.events, EVENT_COLUMNS, ("district", "subject", "source", "id", "time", "content")),
            (self.cases, changes.cases, CASE_COLUMNS, ("district", "opened_at", "subject", "episode")),
            (self.windows, changes.windows, WINDOW_COLUMNS, ("district", "scope", "school", "department", "window")),
        ):
            for row in rows(columns, names):
                if "kind" in row:
                    row["content"] = tuple(list(row.values())[4:22])
                name = tuple(row[part] for part in key)
                if name not in table or row["version"] >= table[name]["version"]:
                    table[name] = row

    def standing(self) -> dict[Any, dict[str, Any]]:
        """The rows of `cases` that are not deleted."""
        return {key: row for key, row in self.cases.items() if not row["is_deleted"]}

    def latest(self) -> dict[bytes, bytes]:
        """The changelog, compacted."""
        kept = dict(self.changelog)
        return {key: value for key, value in kept.items() if value is not None}

    def restored(self, number: int = 0, directory: Any = PROMISES) -> Partition:
        """A new worker's partition, from the changelog."""
        partition = Partition(number, directory)
        for key, value in self.changelog:
            partition.restore(key, value)
        partition.restored()
        return partition


def folded(log: Sequence[Entry], borders: Sequence[int] = (), directory: Any = PROMISES) -> tuple[Partition, Tables]:
    """A partition that folded the log in batches cut at `borders`, and what it wrote."""
    partition, tables = Partition(0, directory), Tables()
    cuts = [0, *sorted(borders), len(log)]
    for begin, end in pairwise(cuts):
        partition.fold(log[begin:end])
        tables.write(partition.drain())
    return partition, tables


class Ledger:
    """Windows that only add up what they are told."""

    as_of = 0

    def __init__(self) -> None:
        self.totals: Counter[tuple[Any, ...]] = Counter()
        self.places: dict[tuple[str, ...], int] = {}

    def place(self, *names: str) -> int:
        return self.places.setdefault(names, len(self.places))

    def add(self, flat: list[int]) -> None:
        for i in range(0, len(flat), 6):
            self.totals[tuple(flat[i : i + 5])] += flat[i + 5]

    def add_message(self, minute: int, place: int, stakeholder: str, sign: int) -> None:
        self.totals[minute, place, stakeholder] += sign

    def advance(self, minute: int) -> None:
        pass

    def changed(self) -> list[Any]:
        return []
