"""The public view says what the reference says of completed months, and an attacker who adds and subtracts finds no small group."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from events.directory import Directory
from projections.suppression import FEWEST, hidden_cells, lot
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.migration import migrate
from tests.unit.linear_attack import Sum, solved

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

ZONES = ("America/Chicago", "Pacific/Auckland", "America/Anchorage")
DISTRICTS = {f"d{number}": ZONES[number % len(ZONES)] for number in range(12)}
SCHOOLS = ("north", "south", "east", "west", "empty")
DEPARTMENTS = ("bus", "meals", "nurse")
FIRST, DAYS = date(2025, 12, 29), 118
COUNTED_TO = datetime(2026, 4, 6, 1, tzinfo=ZoneInfo("UTC"))
"""On the eighth day after March's last Sunday in New Zealand, where March is complete therefore, and on the seventh in America."""
PARTITION = 5
MINUTE = 60_000

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
        busy = rng.choice((0.4, 2, 6, 15))
        schools = rng.choices([*SCHOOLS[:-1], "", "unlisted"], k=6)
        weights = [rng.choice((0.02, 0.2, 1, 4)) for _ in schools]
        departments = rng.sample([*DEPARTMENTS, "", "unlisted"], k=rng.randint(1, 5))
        for number in range(int(DAYS * busy)):
            moment = datetime.combine(FIRST, datetime.min.time(), ZoneInfo(zone)) + timedelta(minutes=rng.randrange(DAYS * 1440))
            response = rng.choice((None, rng.randrange(20 * 1440) * MINUTE))
            resolution = rng.choice((None, rng.randrange(40 * 1440) * MINUTE))
            rated = rng.choice((None, rng.randrange(40)))
            yield Question(
                name,
                rng.choices(schools, weights)[0],
                rng.choice(departments),
                rng.choice(("", *(f"s{rng.randrange(ceil(60 * busy))}" for _ in range(9)))),
                moment,
                response,
                rng.choice((None, moment + timedelta(days=rng.choice((1, 3, 12))))),
                resolution,
                rng.choice((None, moment + timedelta(days=rng.choice((2, 20))))),
                None if rated is None else number % 5 / 4,
                None if rated is None else moment + timedelta(days=rated),
            )


ASKED = list(questions())


@pytest.fixture(scope="module")
def client(clickhouse: "ClickHouseServer") -> "Iterator[Client]":
    server = ClickHouse(port=clickhouse.native_port, database="public_views")
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
        yield client


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


# -- the reference --------------------------------------------------------------------------------------------------------
NUMBERS = ("contacts", "response", "response_promise", "resolution", "resolution_promise", "rating")
Part = tuple[str, date, str, str]
"""District, month, scope, part: '' for the whole district, and for whatever is in no part."""


def measured(each: Question, number: str) -> int | None:
    """What a question contributes to a number; None where nothing."""
    responded, resolved = each.after(each.response_ms), each.after(each.resolution_ms)
    answered = min((at for at in (responded, resolved) if at), default=None)
    if number == "contacts":
        return 1
    if number == "response":
        return each.response_ms if each.known(responded) else None
    if number == "resolution":
        return each.resolution_ms if each.known(resolved) else None
    if number == "response_promise":
        due = each.response_due_at
        return int(answered is not None and answered <= due) if due and each.known(due) else None
    if number == "resolution_promise":
        due = each.resolution_due_at
        return int(resolved is not None and resolved <= due) if due and each.known(due) else None
    return int(each.rating is not None and each.rating >= 0.75) if each.known(each.rated_at) else None


def parts_of(each: Question) -> list[Part]:
    school = each.school if each.school in SCHOOLS else ""
    department = each.department if each.department in DEPARTMENTS else ""
    return [
        (each.district, each.month, scope, part)
        for scope, part in (("district", ""), ("week", str(each.week)), ("school", school), ("department", department))
    ]


def weeks(month: date) -> list[str]:
    last = last_day(month)
    mondays = [last - timedelta(days=6 + 7 * back) for back in range(6)]
    return sorted(str(day) for day in mondays if (day + timedelta(days=3)).month == month.month)


def is_complete(district: str, month: date) -> bool:
    return COUNTED_TO.astimezone(ZoneInfo(DISTRICTS[district])).date() > last_day(month) + timedelta(days=7)


def tallies() -> dict[tuple[Part, str], tuple[int, list[int]]]:
    """Distinct people and the sorted values, of each part and number that has any."""
    people, values = defaultdict(set), defaultdict(list)
    for each in ASKED:
        if is_complete(each.district, each.month):
            for part in parts_of(each):
                for number in NUMBERS:
                    value = measured(each, number)
                    if value is not None:
                        people[part, number] |= {each.stakeholder} - {""}
                        values[part, number].append(value)
    return {key: (len(people[key]), sorted(values[key])) for key in values}


def expected() -> dict[Part, tuple[Any, ...]]:
    known, rows = tallies(), {}
    for district in DISTRICTS:
        big = [
            part[1]
            for (part, number), (n, _) in known.items()
            if part[0] == district and part[2] == "district" and number == "contacts" and n >= 10
        ]
        months = sorted({part[1] for part, _ in known if part[0] == district})
        for month in (each for each in months if big and min(big) <= each <= max(big)):
            tables = {"district": [""], "week": weeks(month), "school": list(SCHOOLS), "department": list(DEPARTMENTS)}
            for scope, parts in tables.items():
                hidden = {number: _hidden(known, (district, month, scope), parts, number) for number in NUMBERS}
                for part in parts:
                    key = (district, month, scope, part)
                    rows[key] = _shown(known, key, [number for number in NUMBERS if part not in hidden[number] | hidden["contacts"]])
    return rows


def _hidden(known: Any, table: tuple[str, date, str], parts: list[str], number: str) -> frozenset[str]:
    people = {part: known.get(((*table, part), number), (0, []))[0] for part in parts}
    rest = known.get(((*table, ""), number), (0, []))[0] if table[2] in ("school", "department") else 0
    return hidden_cells(people, rest, sorted(parts, key=lambda part: lot(table[0], table[1], part)))


def _shown(known: Any, part: Part, numbers: list[str]) -> tuple[Any, ...]:
    def of(number: str) -> list[int] | None:
        return known[part, number][1] if number in numbers else None

    def median(values: list[int] | None, share: int = 1) -> int | None:
        return None if values is None else (values[ceil(len(values) / 2) - 1] // share + MINUTE // 2) // MINUTE * MINUTE

    def mean(values: list[int] | None) -> float | None:
        return None if values is None else (200 * sum(values) + len(values)) // (2 * len(values)) / 100

    contacts = of("contacts")
    return (
        int(contacts is None),
        None if contacts is None else known[part, "contacts"][0],
        None if contacts is None else len(contacts),
        median(of("response")),
        median(of("response"), 3),
        mean(of("response_promise")),
        median(of("resolution")),
        median(of("resolution"), 3),
        mean(of("resolution_promise")),
        mean(of("rating")),
    )


SEEN = """
    SELECT district, month, period = 'week' ? 'week' : scope, period = 'week' ? toString(first_day) : concat(school, department),
        suppressed, stakeholders, contacts, response_p50_ms, response_p50_business_ms, response_compliance,
        resolution_p50_ms, resolution_p50_business_ms, resolution_compliance, csat
    FROM public_indicators"""


def seen(client: "Client") -> dict[Part, tuple[Any, ...]]:
    return {row[:4]: row[4:] for row in client.execute(SEEN)}


def test_the_view_says_what_the_reference_says(client: "Client") -> None:
    view, wanted = seen(client), expected()
    assert view.keys() == wanted.keys()
    for part, values in wanted.items():
        assert view[part] == pytest.approx(values, abs=1e-9), part
    states = {values[0] for values in wanted.values()}
    assert states == {0, 1}
    assert any(not values[0] and None in values for values in wanted.values()), "no number of a shown part is hidden"
    assert {part[1] for part in view if DISTRICTS[part[0]] == "Pacific/Auckland"} > {
        part[1] for part in view if DISTRICTS[part[0]] != "Pacific/Auckland"
    }


# -- the attacker ---------------------------------------------------------------------------------------------------------
def sums(contacts: dict[Part, int | None]) -> Iterator[Sum]:
    """Everything that is known to add up: a district's month is its weeks, its schools and some more, its departments and some more."""
    tables = groupby(sorted(contacts), key=lambda part: part[:3])
    for (district, month, scope), parts in tables:
        total = contacts[district, month, "district", ""]
        if scope == "district" or total is None:
            continue
        cells = list(parts)
        unknown = {part for part in cells if contacts[part] is None} | ({(district, month, scope, "")} if scope != "week" else set())
        yield Sum(frozenset(unknown), total - sum(contacts[part] or 0 for part in cells))


def small(client: "Client") -> set[Part]:
    """Parts with fewer than ten people."""
    rows = client.execute(f"SELECT district, month, scope, part FROM cohort_tallies WHERE number = 'contacts' AND people < {FEWEST}")
    return set(rows)


def test_an_attacker_finds_no_small_part(client: "Client") -> None:
    contacts = {part: values[2] for part, values in seen(client).items()}
    found, few = solved(sums(contacts)), small(client)
    assert few & contacts.keys()
    assert not found.keys() & few - {part for part in found if part[3] == "" and found[part] == 0}
    for each in sums(contacts):
        assert not each.unknowns & few or len(each.unknowns) == 1 or each.total >= FEWEST


def test_the_same_attacker_breaks_what_hides_small_parts_only(client: "Client") -> None:
    rows = client.execute("SELECT district, month, scope, part, people < 10 ? NULL : n FROM cohort_tallies WHERE number = 'contacts'")
    contacts = {row[:4]: row[4] for row in rows if row[2] in ("district", "week")}
    assert solved(sums(contacts)).keys() & small(client)
