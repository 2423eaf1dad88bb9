"""What may be published is what the reference says of completed months, and an attacker who adds and subtracts finds no small group."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from projections.suppression import FEWEST, hidden_cells, lot, share
from sinks.clickhouse.connection import ClickHouse
from tests.oracles.linear_attack import Sum, solved
from tests.support.questions import ASKED, COUNTED_TO, DEPARTMENTS, DISTRICTS, MINUTE, SCHOOLS, Question, last_day, write_questions

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded
TALLIES = "cohort_tallies(first = '', last = '~')"


@pytest.fixture(scope="module")
def client(clickhouse: "ClickHouseServer") -> "Iterator[Client]":
    server = ClickHouse(port=clickhouse.native_port, database="public_views")
    write_questions(server)
    with server.connect() as client:
        yield client


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
    rest = known.get(((*table, ""), number), (0, [])) if table[2] in ("school", "department") else (0, [])
    return hidden_cells(people, max(rest[0], bool(rest[1])), sorted(parts, key=lambda part: lot(table[0], table[1], part)))


def _shown(known: Any, part: Part, numbers: list[str]) -> tuple[Any, ...]:
    def of(number: str) -> list[int] | None:
        return known[part, number][1] if number in numbers else None

    def median(values: list[int] | None, divisor: int = 1) -> int | None:
        return None if values is None else (values[ceil(len(values) / 2) - 1] // divisor + MINUTE // 2) // MINUTE * MINUTE

    def share_of(number: str) -> float | None:
        values = of(number)
        return None if values is None else share(sum(values), len(values), known[part, number][0])

    contacts = of("contacts")
    return (
        int(contacts is None),
        None if contacts is None else known[part, "contacts"][0],
        None if contacts is None else len(contacts),
        median(of("response")),
        median(of("response"), 3),
        share_of("response_promise"),
        median(of("resolution")),
        median(of("resolution"), 3),
        share_of("resolution_promise"),
        share_of("rating"),
    )


SEEN = """
    SELECT district, month, period = 'week' ? 'week' : scope, period = 'week' ? toString(first_day) : concat(school, department),
        suppressed, stakeholders, contacts, response_p50_ms, response_p50_business_ms, response_compliance,
        resolution_p50_ms, resolution_p50_business_ms, resolution_compliance, csat
    FROM publishable_indicators(first = '', last = '~')"""


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
    rows = client.execute(f"SELECT district, month, division, part FROM {TALLIES} WHERE number = 'contacts' AND people < {FEWEST}")
    return set(rows)


def test_an_attacker_finds_no_small_part(client: "Client") -> None:
    contacts = {part: values[2] for part, values in seen(client).items()}
    found, few = solved(sums(contacts)), small(client)
    assert few & contacts.keys()
    assert not found.keys() & few - {part for part in found if part[3] == "" and found[part] == 0}
    for each in sums(contacts):
        assert not each.unknowns & few or len(each.unknowns) == 1 or each.total >= FEWEST


def test_the_same_attacker_breaks_what_hides_small_parts_only(client: "Client") -> None:
    rows = client.execute(f"SELECT district, month, division, part, people < 10 ? NULL : n FROM {TALLIES} WHERE number = 'contacts'")
    contacts = {row[:4]: row[4] for row in rows if row[2] in ("district", "week")}
    assert solved(sums(contacts)).keys() & small(client)
