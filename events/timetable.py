"""Which schedule a contact runs on: hours, seasons, holidays and odd days of a directory file, put together.

A department works on its own hours or on its district's; days on which the contact's school is closed close it too. There
is one schedule for each version of the weekly hours. Equal ones are one object, also from one revision to the next, so
that a snow day in one school makes one schedule anew.
"""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from events.directory_model import Days, Department, DirectoryFile, District, Holidays, School, Weekdays, Work, interval_ms
from events.schedule import Days as DayNumbers
from events.schedule import Pair, Schedule
from events.zone import day_number, midnight

Era = tuple[int, Schedule]
"""From when on, in ms since the epoch (0: from the beginning), contacts run on a schedule."""
WeekKey = tuple[tuple[int, tuple[Pair, ...]], ...]
"""Weekly hours as something that can be compared."""


class ListedPlace(NamedTuple):
    """What the file says of a contact's place, as far as it is listed."""

    file: DirectoryFile
    district: District | None
    department: Department | None
    school: School | None

    @property
    def zone(self) -> str:
        return self.file.zone if self.district is None or self.district.zone is None else self.district.zone

    def works(self) -> list[Work]:
        """Who says something about hours, the most specific first."""
        return [work for work in (self.department, self.district, self.file) if work is not None]

    def days(self) -> list[Days]:
        """Who says something about odd days, the most specific last: the department knows best what it does on a short day."""
        return [days for days in (self.file, self.district, self.school, self.department) if days is not None]


def place_of(file: DirectoryFile, district: str, department: str, school: str) -> ListedPlace:
    listed = file.districts.get(district)
    if listed is None:
        return ListedPlace(file, None, None, None)
    return ListedPlace(file, listed, listed.departments.get(department), listed.schools.get(school))


def eras(place: ListedPlace) -> tuple[Era, ...]:
    """Schedules by the version of the weekly hours; the first is from the beginning, others from midnight where they are written."""
    working = next(work for work in place.works() if work.hours is not None)
    zone = place.file.zone if working is place.file else place.zone
    closed = frozenset(chain.from_iterable(days.closed for days in place.days()))
    others = {day: tuple(map(interval_ms, hours)) for days in place.days() for day, hours in days.early_release.items()}
    seasons = tuple((season.first, season.last, _key(season)) for season in working.summer)
    return tuple(
        (
            0 if number == 0 or week.valid_from is None else midnight(zone, week.valid_from),
            _schedule(place.zone, _key(week), closed, holidays_of(place), seasons, tuple(sorted(others.items()))),
        )
        for number, week in enumerate(working.hours or [])
    )


def holidays_of(place: ListedPlace) -> DayNumbers:
    """Public holidays of a place: those of whoever names some, the most specific first."""
    named = next((work.holidays for work in place.works() if work.holidays is not None), None)
    return frozenset() if named is None else _holidays(named.country, named.subdivision, tuple(named.names_left_out))


def has_own_days(days: Days) -> bool:
    return bool(days.closed_days or days.snow_days or days.early_release)


def has_own_time(work: Work) -> bool:
    """Whether contacts run on another schedule there than one level up."""
    return has_own_days(work) or work.hours is not None or work.holidays is not None


def places(file: DirectoryFile) -> Iterator[tuple[str, str, str]]:
    """Yield (district, department, school) of every schedule that there is; '' for any. The most specific one counts."""
    yield "", "", ""
    for name, district in file.districts.items():
        departments = [key for key, department in district.departments.items() if has_own_time(department)]
        schools = [key for key, school in district.schools.items() if has_own_days(school)]
        yield from ((name, department, school) for department in ["", *departments] for school in ["", *schools])


def _key(week: Weekdays) -> WeekKey:
    return tuple((day, tuple(intervals)) for day, intervals in week.by_weekday.items())


@lru_cache(maxsize=256)
def _holidays(country: str, subdivision: str | None, left_out: tuple[str, ...]) -> DayNumbers:
    named = Holidays.model_construct(country=country, subdivision=subdivision, names_left_out=list(left_out))
    return frozenset(map(day_number, named.days()))


@lru_cache(maxsize=16_384)
def _schedule(  # noqa: PLR0917 - a key of the cache
    zone: str,
    week: WeekKey,
    closed: frozenset[date],
    holidays: DayNumbers,
    seasons: tuple[tuple[date, date, WeekKey], ...],
    others: tuple[tuple[date, tuple[Pair, ...]], ...],
) -> Schedule:
    return Schedule(
        zone,
        dict(week),
        closed,
        holidays=holidays,
        seasons=[(first, last, dict(own)) for first, last, own in seasons],
        others=dict(others),
    )
