"""Who promises what, and when they work: the answers that the fold and the SQL side ask for.

Callers ask by district, school, department and so on, although the file knows one zone, one schedule and one target a
priority so far. A directory is frozen; another revision is another object.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from events.directory_file import WEEKDAYS, DirectoryFile, duration_ms, interval_ms, read
from events.schedule import Schedule
from events.target import Clock, Terms

PRIORITIES = ("routine", "urgent", "critical")

TargetRow = tuple[str, int | None, Clock, int | None, Clock]
"""Priority, response ms, its clock, resolution ms, its clock."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One revision of the directory. `content_hash` (SHA-256, hexadecimal) covers all that matters but the revision."""

    revision: int
    content_hash: str
    _zone: str
    _schedule: Schedule
    _terms: Mapping[str, Terms]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Directory in a YAML text; DirectoryError tells every mistake, a line each."""
        file = read(text)
        schedule = _schedule(file)
        return cls(file.revision, _content_hash(file), file.zone, schedule, _terms(file, schedule))

    def zone(self, district: str) -> str:  # noqa: ARG002 the one zone serves every district
        """IANA time zone of a district."""
        return self._zone

    def terms(  # noqa: PLR0917 the hot path passes them by position
        self,
        district: str,  # noqa: ARG002 one target a priority serves every district,
        school: str,  # noqa: ARG002 school,
        department: str,  # noqa: ARG002 department,
        priority: str,
        audience: str,  # noqa: ARG002 audience,
        channel: str,  # noqa: ARG002 channel
        received_at: int,  # noqa: ARG002 and instant
    ) -> Terms:
        """Targets in force for a contact, with the schedule they run on; '' for what the contact does not name."""
        return self._terms[priority]

    def schedule_of(self, district: str, department: str, school: str) -> Schedule:  # noqa: ARG002 one schedule serves all
        """Open hours of a department of a district, for a contact of that school."""
        return self._schedule

    def targets(self) -> list[TargetRow]:
        """One row for each priority."""
        return [
            (priority, terms.response_ms, terms.response_clock, terms.resolution_ms, terms.resolution_clock)
            for priority, terms in self._terms.items()
        ]


def _schedule(file: DirectoryFile) -> Schedule:
    hours = {number: [interval_ms(interval) for interval in getattr(file.hours, day)] for number, day in enumerate(WEEKDAYS)}
    return Schedule(file.zone, hours, file.closed_days)


def _terms(file: DirectoryFile, schedule: Schedule) -> dict[str, Terms]:
    return {priority: _promised(file, schedule, priority) for priority in PRIORITIES}


def _promised(file: DirectoryFile, schedule: Schedule, priority: str) -> Terms:
    promise = getattr(file.targets, priority)
    (response_ms, response_clock), (resolution_ms, resolution_clock) = duration_ms(promise.response), duration_ms(promise.resolution)
    return Terms(schedule, response_ms, resolution_ms, response_clock, resolution_clock)


def _content_hash(file: DirectoryFile) -> str:
    content = file.model_dump(mode="json", exclude={"revision"})
    content["closed_days"] = sorted(set(content["closed_days"]))
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


DEFAULT = Directory.parse("""
revision: 0
zone: America/Chicago
hours:
  monday: 08:00-16:00
  tuesday: 08:00-16:00
  wednesday: 08:00-16:00
  thursday: 08:00-16:00
  friday: 08:00-16:00
targets:
  critical: {response: 2 business hours, resolution: 8 business hours}
  urgent: {response: 4 business hours, resolution: 24 business hours}
  routine: {response: 8 business hours, resolution: 40 business hours}
""")
"""In force where no file is named. Its revision is 0, so that any file of one's own replaces it."""
