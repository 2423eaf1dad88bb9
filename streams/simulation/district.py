"""Invented districts: their names, schools and departments, and how each department works.

Sizes and habits are made up, but in the proportions that a district's front office would recognise: some departments
are quick, some slow, and people are the less content the longer they waited.
"""

from dataclasses import dataclass
from functools import lru_cache

STUDENTS_PER_SCHOOL = 500


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class SimulatedDepartment:
    """`share` of the cases, median working hours to a first answer and from the last one to the resolution, mean rating of 1..5."""

    name: str
    share: float
    answer_h: float
    resolve_h: float
    rating: float
    topics: tuple[str, ...]


DEPARTMENTS = (
    SimulatedDepartment("transportation", 0.15, 1.3, 2.0, 3.9, ("bus-route", "bus-stop", "lost-item", "driver-praise", "bus-late")),
    SimulatedDepartment("attendance", 0.2, 0.8, 1.0, 4.3, ("absence", "late-arrival", "early-pickup", "excuse-note")),
    SimulatedDepartment("enrollment", 0.13, 3.5, 9.0, 4.0, ("new-student", "transfer", "records", "address-change", "transcript")),
    SimulatedDepartment("special-education", 0.07, 6.0, 16.0, 3.7, ("iep-meeting", "evaluation", "accommodation", "aide")),
    SimulatedDepartment("counseling", 0.09, 4.0, 8.0, 4.4, ("schedule-change", "college", "wellbeing", "bullying")),
    SimulatedDepartment("technology", 0.11, 1.8, 4.0, 4.2, ("password", "device", "portal-login", "app", "wifi")),
    SimulatedDepartment("meals", 0.08, 2.2, 3.0, 4.1, ("balance", "allergy", "free-meals", "menu")),
    SimulatedDepartment("facilities", 0.05, 5.0, 14.0, 3.8, ("heating", "parking", "rental", "playground")),
    SimulatedDepartment("activities", 0.08, 2.8, 4.0, 4.4, ("sports", "after-school", "clubs", "field-trip")),
    SimulatedDepartment("human-resources", 0.04, 5.5, 12.0, 3.9, ("payroll", "benefits", "job-opening", "leave")),
)
DEPARTMENT_NAMES = tuple(department.name for department in DEPARTMENTS)
TRANSPORTATION = DEPARTMENT_NAMES.index("transportation")

DISTRICT_NAMES = _words(
    "riverside cedar-valley lakeshore prairie-view summit-hills clearwater stonebridge oak-grove silver-creek harbor-point "
    "maplewood fox-hollow willow-bend granite-falls sunfield"
)
SCHOOL_NAMES = _words(
    "lincoln maple jefferson cedar washington birch franklin willow roosevelt aspen carver juniper whitman magnolia douglass "
    "poplar earhart hawthorn parks sycamore banneker laurel bethune chestnut ellison hazel curie linden truth alder"
)
LEVELS = (("elementary", 12, 0.8), ("middle", 5, 1.2), ("high", 3, 2.2))
"""Level, how many of twenty schools, and relative number of students."""


@dataclass(frozen=True, slots=True)
class SimulatedDistrict:
    """A tenant: `weights` are the schools' shares of the students and sum to 1."""

    number: int
    name: str
    students: int
    schools: tuple[str, ...]
    weights: tuple[float, ...]


@lru_cache(maxsize=1024)
def district(number: int, students: int) -> SimulatedDistrict:
    """The `number`-th district (from 0), about one school for 500 students."""
    schools = [_school(i) for i in range(max(1, round(students / STUDENTS_PER_SCHOOL)))]
    total = sum(size for _, size in schools)
    return SimulatedDistrict(
        number, district_name(number), students, tuple(name for name, _ in schools), tuple(size / total for _, size in schools)
    )


def district_name(number: int) -> str:
    return _numbered(DISTRICT_NAMES, number)


def _school(i: int) -> tuple[str, float]:
    ladder = [(level, size) for level, count, size in LEVELS for _ in range(count)]
    level, size = ladder[(i * 7) % len(ladder)]  # 7 is coprime to 20: small districts get every level, too
    return f"{_numbered(SCHOOL_NAMES, i)}-{level}", size * (1 + 0.07 * (i % 5))


def _numbered(names: tuple[str, ...], i: int) -> str:
    round_, place = divmod(i, len(names))
    return names[place] if round_ == 0 else f"{names[place]}-{round_ + 1}"
