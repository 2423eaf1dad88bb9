"""Who promises what, and when they work: the answers that the fold, the alerts and the SQL side ask for.

A directory says the same for ever; another revision is another object. Only what was asked once is kept, because the fold
asks for every contact.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from events.directory_file import read
from events.directory_model import DirectoryFile, Weights, is_whole
from events.schedule import Schedule
from events.target import Target, targets, terms_at
from events.terms import Terms
from events.timetable import Era, eras, has_own_days, has_own_time, holidays_of, place_of, places
from events.zone import stretches

MOST_PLANS = 100_000
"""Sorts of contacts whose terms are kept: a publisher who invents departments must not fill the memory."""

Sort = tuple[str, str, str, str, str, str]
"""District, school, department, priority, audience, channel of a contact; '' for what it does not name."""
Plan = tuple[list[int], list[Terms]]
"""Instants at which terms change, and the terms before, between and after them."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One revision. `content_hash` (SHA-256, hexadecimal) covers all that matters but the revision."""

    revision: int
    content_hash: str
    file: DirectoryFile
    _plans: dict[Sort, Plan] = field(default_factory=dict, init=False, repr=False, compare=False)
    _eras: dict[tuple[str, str, str], tuple[Era, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _targets: dict[str, list[Target]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Directory in a YAML text; DirectoryError tells every mistake, a line each."""
        file = read(text)
        return cls(file.revision, _content_hash(file), file)

    @property
    def content(self) -> str:
        """The file as a text that `parse` reads: JSON, without the comments."""
        return self.file.model_dump_json(by_alias=True, exclude_defaults=True)

    # -- what is promised -------------------------------------------------------------------------------------------------
    def terms(  # noqa: PLR0917 the hot path passes them by position
        self, district: str, school: str, department: str, priority: str, audience: str, channel: str, received_at: int
    ) -> Terms:
        """Targets in force for a contact, with the schedule they run on; '' for what the contact does not name."""
        plan = self._plans.get((district, school, department, priority, audience, channel))
        changes, terms = plan or self._plan((district, school, department, priority, audience, channel))
        return terms[bisect_right(changes, received_at)] if changes else terms[0]

    def schedule_of(self, district: str, department: str, school: str, at: int | None = None) -> Schedule:
        """Open hours of a department of a district, for a contact of that school received at `at`; None: under the newest hours."""
        versions = self._eras_of(district, department, school)
        return versions[-1][1] if at is None else _in_force(versions, at)

    def targets(self) -> list[Target]:
        """Every target, '' for any; the most specific one in force counts."""
        return targets(self.file)

    def schedules(self) -> Iterator[tuple[str, str, str, int, Schedule]]:
        """Yield district, department, school, from when on (ms), and the schedule. '' is for any; the most specific one counts."""
        for place in places(self.file):
            for begins, schedule in eras(place_of(self.file, *place)):
                yield *place, begins, schedule

    # -- who there is -----------------------------------------------------------------------------------------------------
    def districts(self) -> list[str]:
        """The districts that are listed."""
        return list(self.file.districts)

    def zone(self, district: str) -> str:
        """IANA time zone of a district."""
        return place_of(self.file, district, "", "").zone

    def is_listed(self, district: str, school: str, department: str) -> bool:
        """Whether everything that is named ('' names nothing) is listed."""
        place = place_of(self.file, district, department, school)
        return place.district is not None and not (school and place.school is None) and not (department and place.department is None)

    def allows(self, district: str, member: str, text: str) -> bool:
        """Whether the district lets `id` or `subject` have this value although it looks like personal data."""
        listed = self.file.districts.get(district)
        pattern = None if listed is None else getattr(listed.allow, member)
        return pattern is not None and is_whole(pattern, text)

    def name(self, district: str, school: str = "", department: str = "") -> str:
        """Name for people of a school, else of a department, else of a district; the id where there is none."""
        place = place_of(self.file, district, department, school)
        named = place.school if school else place.department if department else place.district
        return (named.name if named else None) or school or department or district

    def route(self, district: str, department: str) -> str:
        """Whom alerts go to: the department's label, else the district's, else the file's, else ''."""
        return next((work.route for work in place_of(self.file, district, department, "").works() if work.route is not None), "")

    def promised_share(self, district: str) -> float:
        """Share of its promises that a district means to keep, between 0 and 1: its own, else the file's."""
        listed = self.file.districts.get(district)
        return self.file.promised_share if listed is None or listed.promised_share is None else listed.promised_share

    def weights(self, district: str) -> list[Weights]:
        """Versions of the score's weights: the district's, else the file's, else the usual ones."""
        listed = self.file.districts.get(district)
        return (listed.score if listed else []) or self.file.score or [USUAL_WEIGHTS]

    def says_the_same(self, other: "Directory", district: str) -> bool:
        """Whether a district's contacts have the same targets and schedules under both; names and routes count too."""
        ours, theirs = self.file, other.file
        if ours.districts.get(district) != theirs.districts.get(district):
            return False
        return all(
            getattr(ours, name) == getattr(theirs, name) for name in DirectoryFile.model_fields if name not in {"revision", "districts"}
        )

    # -- worked out once --------------------------------------------------------------------------------------------------
    def _plan(self, sort: Sort) -> Plan:
        district, school, department, priority, audience, channel = sort
        rows = [
            row
            for row in self._targets_of(district)
            if row.department in {"", department}
            and row.priority in {"", priority}
            and row.audience in {"", audience}
            and row.channel in {"", channel}
        ]
        versions = self._eras_of(district, department, school)
        changes = sorted({row.valid_from for row in rows} | {begins for begins, _ in versions} - {0})
        changes = [at for at in changes if at]
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        plan = self._plans[sort] = changes, [terms_at(rows, _in_force(versions, at), at) for at in (0, *changes)]
        return plan

    def _eras_of(self, district: str, department: str, school: str) -> tuple[Era, ...]:
        place = place_of(self.file, district, department, school)
        own = (
            district if place.district else "",
            department if place.department and has_own_time(place.department) else "",
            school if place.school and has_own_days(place.school) else "",
        )
        versions = self._eras.get(own)
        if versions is None:
            versions = self._eras[own] = eras(place_of(self.file, *own))
        return versions

    def _targets_of(self, district: str) -> list[Target]:
        """Rows that may hold for a district: its own, and those for any."""
        if not self._targets:
            for row in self.targets():
                self._targets.setdefault(row.district, []).append(row)
        return self._targets.get("", []) + (self._targets.get(district, []) if district else [])


USUAL_WEIGHTS = Weights(satisfaction=0.5, response=0.25, resolution=0.25, m=12)


def _in_force(versions: tuple[Era, ...], at: int) -> Schedule:
    """The version of the hours at an instant; the first one also before it began."""
    return next((schedule for begins, schedule in reversed(versions) if begins <= at), versions[0][1])


def _content_hash(file: DirectoryFile) -> str:
    """Of what the file says, and of the tables that it was worked out with: another edition of these is other content."""
    zones = {place_of(file, district, "", "").zone for district in ("", *file.districts)}
    content = {
        "file": file.model_dump(mode="json", by_alias=True, exclude={"revision"}),
        "zones": {zone: stretches(zone) for zone in zones},
        "holidays": sorted(sorted(days) for days in {holidays_of(place_of(file, *place)) for place in places(file)}),
    }
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
