"""The districts' events in the order of their times, day after day without end, or up to the plan's end.

A date's cases are made at once with all that will ever happen to them; what belongs to later days waits. Whatever is
before the next midnight is complete by then, so nothing is sorted twice and memory holds the unfinished cases only.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

import numpy as np
from msgspec import Struct

from streams.simulation.cases import cases_of, generator
from streams.simulation.conversation import converse
from streams.simulation.district import SimulatedDistrict, district
from streams.simulation.hours import midnight, office_hours, waking_hours
from streams.simulation.plan import Plan
from streams.simulation.wire import encode


class Occurrence(Struct, frozen=True, gc=False):
    """One event, ready to send: when it happened (ms since the epoch), its district, the structured CloudEvent."""

    time: int
    district: str
    value: bytes


def simulate(plan: Plan) -> Iterator[Occurrence]:
    """The events of cases opened since `plan.since`, in the order of their times, up to `plan.until`."""
    return takewhile(lambda occurrence: occurrence.time <= plan.until, traffic(plan))


def traffic(plan: Plan) -> Iterator[Occurrence]:
    """As `simulate`, but going on for ever: what comes after `plan.until` is the future."""
    return traffic_of([district(number, plan.students) for number in range(plan.districts)], plan)


def traffic_of(districts: Sequence[SimulatedDistrict], plan: Plan) -> Iterator[Occurrence]:
    """The same of these districts, in place of those that the plan makes."""
    waiting: list[Occurrence] = []
    for day in _days(plan):
        for each in districts:
            waiting += _of_day(plan, each, day)
        tonight = midnight(day + timedelta(days=1), plan.timezone)
        times = np.array([occurrence.time for occurrence in waiting], dtype=np.int64)
        order = np.argsort(times, kind="stable")
        complete = int(np.searchsorted(times[order], tonight))
        for i in order[:complete].tolist():
            yield waiting[i]
        waiting = [waiting[i] for i in order[complete:].tolist()]


def _days(plan: Plan) -> Iterator[date]:
    day = datetime.fromtimestamp(plan.since / 1000, UTC).astimezone(plan.timezone).date()
    while True:
        yield day
        day += timedelta(days=1)


def _of_day(plan: Plan, where: SimulatedDistrict, day: date) -> list[Occurrence]:
    """Everything that ever happens to the cases of a date, without the cases from before the plan's beginning."""
    rng = generator(plan.seed, where, day)
    cases = cases_of(where, day, plan.timezone, rng)
    month = day.replace(day=1)
    happenings = converse(cases, office_hours(month, plan.timezone), waking_hours(month, plan.timezone), rng)
    values = encode(where, f"{day:%y%m%d}", cases, happenings)
    times, counted = happenings.time.tolist(), (cases.opened >= plan.since)[happenings.case].tolist()
    name = where.name
    return [Occurrence(time, name, value) for time, value, counts in zip(times, values, counted, strict=True) if counts]
