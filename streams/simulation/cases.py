"""The cases that open in one district on one date, as columns: when, where, who, how.

Everything is drawn in bulk from one generator that is seeded by (seed, district, date), so that a date is the same
whatever was simulated before it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from streams.simulation.district import DEPARTMENTS, TRANSPORTATION, SimulatedDistrict
from streams.simulation.hours import HOUR_MS, Floats, Millis, midnight
from streams.simulation.school_year import is_school_day, volume

CASES_PER_STUDENT_AND_DAY = 0.4
DAY_NOISE = 0.08
CENTRAL_OFFICE_SHARE = 0.06
NO_SCHOOL = -1
NOBODY_SHARE = 0.03
STAKEHOLDERS_PER_STUDENT = 1.7
NO_REPLY_NEEDED_SHARE = 0.06
SPAM_SHARE = 0.015

BURST_CHANCE = 0.06
BURST_SHARE_OF_STUDENTS = 0.05
BUS_LATE = DEPARTMENTS[TRANSPORTATION].topics.index("bus-late")

HOUR_WEIGHTS = (0.2, 0.1, 0.1, 0.1, 0.3, 1.5, 5.5, 11, 13, 10, 9, 8, 7, 7, 8, 8, 6, 4, 3, 2.5, 2.5, 1.8, 1, 0.5)
AUDIENCES = ("family", "student", "staff", "community", "other")
AUDIENCE_SHARES = (0.71, 0.11, 0.1, 0.06, 0.02)
CHANNELS = ("web", "email", "phone", "text", "chat", "walk_in", "social", "other")
CHANNEL_SHARES = (0.3, 0.26, 0.2, 0.1, 0.07, 0.04, 0.02, 0.01)
BURST_CHANNEL_SHARES = (0.15, 0.05, 0.45, 0.3, 0.03, 0, 0.02, 0)
LANGUAGES = ("en", "es", "zh", "vi", "ar", "so", "pt-BR", "")
LANGUAGE_SHARES = (0.7, 0.185, 0.025, 0.025, 0.02, 0.015, 0.015, 0.015)
PRIORITIES = ("routine", "urgent", "critical")
PRIORITY_SHARES = (0.906, 0.074, 0.02)
BURST_PRIORITY_SHARES = (0.1, 0.65, 0.25)

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cases:
    """One entry a case in each column; whole numbers are indices into the tuples of the same name, `school` -1 for none."""

    opened: Millis
    school: Indices
    department: Indices
    topic: Indices
    audience: Indices
    channel: Indices
    language: Indices
    priority: Indices
    stakeholder: Indices
    needs_reply: Flags
    spam: Flags

    def __len__(self) -> int:
        return len(self.opened)


def generator(seed: int, district: SimulatedDistrict, day: date) -> Generator:
    return default_rng([seed, district.number, day.toordinal()])


def cases_of(district: SimulatedDistrict, day: date, zone: ZoneInfo, rng: Generator) -> Cases:
    """All cases that open on a date: the usual ones, and those of the day's bus delays."""
    usual_school, usual_opened = _usual(district, day, zone, rng)
    burst_school, burst_opened = _bus_delays(district, day, zone, rng)
    n, m = len(usual_school), len(burst_school)
    department = np.append(_choice(rng, [d.share for d in DEPARTMENTS], n), np.full(m, TRANSPORTATION))
    topics = np.array([len(d.topics) - (i == TRANSPORTATION) for i, d in enumerate(DEPARTMENTS)])
    topic = (topics[department] * rng.random(n + m) ** 1.6).astype(np.int64)  # the first topics are the frequent ones
    topic[n:] = BUS_LATE
    people = max(1, int(district.students * STAKEHOLDERS_PER_STUDENT))
    stakeholder = (people * rng.random(n + m) ** 1.5).astype(np.int64)  # some write often
    stakeholder[rng.random(n + m) < NOBODY_SHARE] = -1
    return Cases(
        opened=np.append(usual_opened, burst_opened),
        school=np.append(usual_school, burst_school),
        department=department,
        topic=topic,
        audience=_choice(rng, AUDIENCE_SHARES, n + m),
        channel=np.append(_choice(rng, CHANNEL_SHARES, n), _choice(rng, BURST_CHANNEL_SHARES, m)),
        language=_choice(rng, LANGUAGE_SHARES, n + m),
        priority=np.append(_choice(rng, PRIORITY_SHARES, n), _choice(rng, BURST_PRIORITY_SHARES, m)),
        stakeholder=stakeholder,
        needs_reply=rng.random(n + m) >= np.append(np.full(n, NO_REPLY_NEEDED_SHARE), np.zeros(m)),
        spam=np.append(rng.random(n) < SPAM_SHARE, np.zeros(m, dtype=np.bool_)),
    )


def _usual(district: SimulatedDistrict, day: date, zone: ZoneInfo, rng: Generator) -> tuple[Indices, Millis]:
    bursts = BURST_CHANCE * BURST_SHARE_OF_STUDENTS if is_school_day(day) else 0.0
    expected = district.students * (CASES_PER_STUDENT_AND_DAY * volume(day) - bursts)
    n = int(rng.poisson(expected * rng.lognormal(-(DAY_NOISE**2) / 2, DAY_NOISE)))
    school = _choice(rng, district.weights, n)
    school[rng.random(n) < CENTRAL_OFFICE_SHARE] = NO_SCHOOL
    cumulated = np.append(0.0, np.cumsum(HOUR_WEIGHTS) / np.sum(HOUR_WEIGHTS))
    hour = np.interp(rng.random(n), cumulated, np.arange(25))
    return school, _at(day, zone, hour)


def _bus_delays(district: SimulatedDistrict, day: date, zone: ZoneInfo, rng: Generator) -> tuple[Indices, Millis]:
    """A school whose buses are late hears from one in twenty students within the hour, mostly in its first half."""
    late = np.flatnonzero(rng.random(len(district.schools)) < BURST_CHANCE) if is_school_day(day) else np.empty(0, dtype=np.int64)
    students = district.students * np.array(district.weights)[late]
    callers = rng.poisson(students * BURST_SHARE_OF_STUDENTS)
    begins = np.repeat(rng.uniform(6.4, 8.2, len(late)), callers)
    return np.repeat(late, callers), _at(day, zone, begins + rng.beta(1.3, 3, len(begins)))


def _at(day: date, zone: ZoneInfo, hour: Floats) -> Millis:
    """Local hours as instants; where the clocks change at night, it is the day that is right."""
    begin, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    shift = (end - begin) - 24 * HOUR_MS
    return np.clip(begin + shift + (hour * HOUR_MS).astype(np.int64), begin, end - 1)


def _choice(rng: Generator, shares: tuple[float, ...] | list[float], n: int) -> Indices:
    cumulated = np.cumsum(shares)
    return np.searchsorted(cumulated / cumulated[-1], rng.random(n), side="right").astype(np.int64)
