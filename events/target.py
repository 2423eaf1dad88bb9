"""Targets of a directory, one row each, and which of them counts for a contact.

A response and a resolution are looked up each on its own: the most specific row that is in force and says something of it
counts, by district, department, priority, audience, channel in this order of weight; of two alike, the later one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from events.directory_model import DirectoryFile, Promise, Promises, duration_ms
from events.schedule import Schedule
from events.terms import Clock, Terms
from events.zone import midnight

Said = Literal["business", "calendar", "none", ""]
"""Which clock runs; `none` where nothing is promised, '' where a row says nothing of it."""
ANY_PRIORITY = "any"


class Target(NamedTuple):
    """What is promised to some contacts; '' for any. `valid_from` in ms since the epoch, 0 for the beginning."""

    district: str
    department: str
    priority: str
    audience: str
    channel: str
    valid_from: int
    response_ms: int | None
    response_clock: Said
    resolution_ms: int | None
    resolution_clock: Said

    def weight(self) -> tuple[bool, bool, bool, bool, bool, int]:
        return bool(self.district), bool(self.department), bool(self.priority), bool(self.audience), bool(self.channel), self.valid_from


def targets(file: DirectoryFile) -> list[Target]:
    """All targets of a file."""
    rows = list(_targets(file.targets, "", "", file.zone))
    for name, district in file.districts.items():
        zone = district.zone or file.zone
        rows += _targets(district.targets, name, "", zone)
        for key, department in district.departments.items():
            rows += _targets(department.targets, name, key, zone)
    return rows


def terms_at(rows: Iterable[Target], schedule: Schedule, at: int) -> Terms:
    """What is in force at an instant, of rows that all hold for the contact."""
    in_force = sorted((row for row in rows if row.valid_from <= at), key=Target.weight)
    response = [(row.response_ms, row.response_clock) for row in in_force if row.response_clock]
    resolution = [(row.resolution_ms, row.resolution_clock) for row in in_force if row.resolution_clock]
    (response_ms, response_clock), (resolution_ms, resolution_clock) = _last(response), _last(resolution)
    return Terms(schedule, response_ms, resolution_ms, response_clock, resolution_clock)


def _last(said: Sequence[tuple[int | None, Said]]) -> tuple[int | None, Clock]:
    ms, clock = said[-1] if said else (None, "none")
    return ms, "calendar" if clock == "calendar" else "business"


def _targets(promises: Promises, district: str, department: str, zone: str) -> Iterator[Target]:
    for name in Promises.model_fields:
        for promise in getattr(promises, name):
            yield _target(promise, (district, department, "" if name == ANY_PRIORITY else name), zone)


def _target(promise: Promise, whose: tuple[str, str, str], zone: str) -> Target:
    begins = 0 if promise.valid_from is None else midnight(zone, promise.valid_from)
    return Target(*whose, promise.audience or "", promise.channel or "", begins, *_said(promise.response), *_said(promise.resolution))


def _said(duration: str | None) -> tuple[int | None, Said]:
    if duration is None:
        return None, ""
    ms, clock = duration_ms(duration)
    return (None, "none") if ms is None else (ms, clock)
