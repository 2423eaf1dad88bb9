"""Invented questions of twelve districts over four months, big and small, as rows of `cases`: for whoever looks at public numbers.

Who writes to a department that is not listed has no pseudonym; in d0 that is all there is beside large departments.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from events.directory import Directory
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.migration import migrate

ZONES = ("America/Chicago", "Pacific/Auckland", "America/Anchorage")
DISTRICTS = {f"d{number}": ZONES[number % len(ZONES)] for number in range(12)}
SCHOOLS = ("north", "south", "east", "west", "empty")
DEPARTMENTS = ("bus", "meals", "nurse")
FIRST, DAYS = date(2025, 12, 29), 118
COUNTED_TO = datetime(2026, 4, 6, 1, tzinfo=ZoneInfo("UTC"))
"""On the eighth day after March's last Sunday in New Zealand, where March is complete therefore, and on the seventh in America."""
PARTITION = 5
MINUTE = 60_000
EVEN, UNEVEN = (1.0,), (0.02, 0.2, 1.0, 4.0)
"""Of how many contacts schools have: many just under ten people in a month, or a few small ones beside large ones."""

DIRECTORY = Directory.parse(
    """
revision: 1
zone: America/Chicago
hours: {monday: 08:00-16:00}
districts:
"""
    + "".join(
        f"  {name}: {{zone: {zone}, schools: {{{', '.join(f'{s}: {{}}' for s in SCHOOLS)}}},"
        f" departments: {{{', '.join(f'{d}: {{}}' for d in DEPARTMENTS)}}}}}\n"
        for name, zone in DISTRICTS.items()
    )
)


@dataclass(frozen=True)
class Question:
    """A row of `cases`, as far as the public numbers know it. Instants with the zone of the district."""

    district: str
    school: str
    department: str
    stakeholder: str
    received_at: datetime
    response_ms: int | None
    response_due_at: datetime | None
    resolution_ms: int | None
    resolution_due_at: datetime | None
    rating: float | None
    rated_at: datetime | None

    def after(self, ms: int | None) -> datetime | None:
        return None if ms is None else self.received_at.astimezone(ZoneInfo("UTC")) + timedelta(milliseconds=ms)

    @property
    def week(self) -> date:
        day = self.received_at.date()
        return day - timedelta(days=day.weekday())

    @property
    def month(self) -> date:
        return (self.week + timedelta(days=3)).replace(day=1)

    def known(self, at: datetime | None) -> bool:
        """Whether it was so a week after the month's last Sunday."""
        zone = ZoneInfo(DISTRICTS[self.district])
        return at is not None and at.astimezone(zone).date() <= last_day(self.month) + timedelta(days=7)


def last_day(month: date) -> date:
    """The Sunday after its last Thursday."""
    following = (month + timedelta(days=31)).replace(day=1)
    last = following - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - 3) % 7) + timedelta(days=3)


def questions() -> Iterator[Question]:
    rng = random.Random(7)
    for name, zone in DISTRICTS.items():
        busy, spread = rng.choice(((0.4, UNEVEN), (1.6, EVEN), (2, UNEVEN), (6, UNEVEN), (15, UNEVEN)))
        schools = rng.choices([*SCHOOLS[:-1], "", "unlisted"], k=6)
        weights = [rng.choice(spread) for _ in schools]
        departments = rng.sample([*DEPARTMENTS, "", "unlisted"], k=rng.randint(1, 5))
        if name == "d0":
            busy, departments = 6, [*DEPARTMENTS] * 20 + ["unlisted"]
        for number in range(int(DAYS * busy)):
            moment = datetime.combine(FIRST, datetime.min.time(), ZoneInfo(zone)) + timedelta(minutes=rng.randrange(DAYS * 1440))
            response = rng.choice((None, rng.randrange(20 * 1440) * MINUTE))
            resolution = rng.choice((None, rng.randrange(40 * 1440) * MINUTE))
            rated = rng.choice((None, rng.randrange(40)))
            department = rng.choice(departments)
            yield Question(
                name,
                rng.choices(schools, weights)[0],
                department,
                "" if department == "unlisted" else rng.choice(("", *(f"s{rng.randrange(ceil(60 * busy))}" for _ in range(9)))),
                moment,
                response,
                rng.choice((None, moment + timedelta(days=rng.choice((1, 3, 12))))),
                resolution,
                rng.choice((None, moment + timedelta(days=rng.choice((2, 20))))),
                None if rated is None else number % 5 / 4,
                None if rated is None else moment + timedelta(days=rated),
            )


ASKED = list(questions())


def write_questions(server: ClickHouse) -> None:
    """The tables of `server`, made, with the directory, all questions, and the word of a worker that they are counted."""
    migrate(server)
    with server.connect() as client:
        write_directory(client, DIRECTORY)
        client.execute(
            "INSERT INTO cases (district, opened_at, received_at, subject, school, department, stakeholder, status, response_ms,"
            " response_business_ms, first_response_at, response_due_at, answered_at, first_resolution_ms, first_resolution_business_ms,"
            " first_resolved_at, resolution_due_at, rating, rated_at, partition, is_deleted, version) VALUES",
            [_row(number, each) for number, each in enumerate(ASKED)],
        )
        client.execute("INSERT INTO progress (partition, as_of, next_offset, version) VALUES", [(PARTITION, COUNTED_TO, 1, 1)])


def _row(number: int, each: Question) -> tuple[Any, ...]:
    responded, resolved = each.after(each.response_ms), each.after(each.resolution_ms)
    business = [None if ms is None else ms // 3 for ms in (each.response_ms, each.resolution_ms)]
    return (
        each.district,
        each.received_at,
        each.received_at,
        f"c{number}",
        each.school,
        each.department,
        each.stakeholder,
        "open",
        each.response_ms,
        business[0],
        responded,
        each.response_due_at,
        min((at for at in (responded, resolved) if at), default=None),
        each.resolution_ms,
        business[1],
        resolved,
        each.resolution_due_at,
        each.rating,
        each.rated_at,
        PARTITION,
        0,
        1,
    )
