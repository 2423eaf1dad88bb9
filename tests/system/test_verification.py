"""The check itself is checked: it agrees with a brute force over random histories, with the fold, and with no fault at all."""

import random
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from events.directory import DEFAULT, Directory
from events.event import Contacted, Event, Rated, Replied, Resolved
from projections.capacity import CASE_BYTES, weight
from projections.partition import Partition
from projections.rows import CASE_COLUMNS, WINDOW_COLUMNS, event_row, row_version
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.ledger import weights
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.pieces import of_partition
from sinks.clickhouse.queries import events_of
from sinks.clickhouse.tables import WRITTEN
from sinks.clickhouse.verification import CASE_FACTS, TALLIES, differences
from tests.oracles.plain_facts import plain_facts, the_set

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

PARTITION = 3
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_795_000_000_000
PANES = {"1h": (1, 60), "24h": (15, 96), "7d": (120, 84), "28d": (720, 56)}
PLACES = [("", ""), ("north", ""), ("", "bus"), ("north", "bus"), ("south", "nursing"), ("south", "bus")]

Case = tuple[str, str]
Histories = dict[Case, list[Event]]


@pytest.fixture
def client(clickhouse: "ClickHouseServer", request: pytest.FixtureRequest) -> "Iterator[Client]":
    server = ClickHouse(port=clickhouse.native_port, database=f"verification_{abs(hash(request.node.name))}")
    migrate(server)
    with server.connect() as client:
        write_directory(client, DEFAULT)
        yield client


# -- histories in which everything that can collide does ----------------------------------------------------------------
def histories(chance: random.Random, cases: int, name: str = "district") -> Histories:
    return {(f"{name}-{chance.randrange(3)}", f"case-{i}"): history(chance) for i in range(cases)}


def history(chance: random.Random) -> list[Event]:
    at, home = NOW - chance.choice([2 * HOUR, DAY, 33 * DAY, 33 * DAY, 60 * DAY]) - chance.randrange(HOUR), chance.choice(PLACES)
    events: list[Event] = []
    for number in range(chance.randrange(1, 9)):
        place = chance.choice([home, home, home, *PLACES])
        name = f"e{number}" if chance.random() < 0.95 else "e0"
        events.append(event(chance, at, name, place, opening=number == 0))
        at = min(
            NOW,
            at + chance.choice([0, 1, MINUTE, HOUR * chance.randrange(1, 30), HOUR, DAY * chance.randrange(1, 9), 14 * DAY, 14 * DAY + 1]),
        )
    chance.shuffle(events)
    return events


def event(chance: random.Random, at: int, name: str, place: tuple[str, str], *, opening: bool) -> Event:
    kind = chance.random()
    if kind < 0.3 or (opening and kind < 0.9):
        who = chance.choice(["", *(f"s-{i}" for i in range(40))])
        return Contacted(
            at,
            "/a",
            name,
            *place,
            who,
            chance.choice(["family", "staff"]),
            chance.choice(["web", "phone"]),
            priority=chance.choice(["routine", "urgent", "critical"]),
            needs_reply=kind < 0.8,
        )
    if kind < 0.6:
        return Replied(at, "/a", name, *place, "t-1", chance.random() < 0.8, chance.random() < 0.9)
    if kind < 0.85:
        return Resolved(at, "/a", name, *place, chance.choice(["resolved", "resolved", "no_action", "spam"]))
    return Rated(at, "/b", name, *place, float(chance.randrange(1, 8)), 1.0, 7.0)


# -- the numbers once more, by hand, from facts that know no fold -------------------------------------------------------
def measures(facts: dict[str, Any], events: list[Event]) -> Iterator[tuple[str, int, tuple[str, str], Any]]:
    """(measure, instant, place, value) of everything that an episode contributes."""
    if facts["received_at"] is None or facts["status"] == "spam":
        return
    asked = facts["school"], facts["department"]
    resolver = facts["resolved_school"], facts["resolved_department"]
    resolved_at, due_at = facts["resolved_at"], facts["resolution_due_at"]
    yield "contact", facts["received_at"], asked, None
    for contact in events:
        yield "message", contact.time, asked, contact.stakeholder  # type: ignore[union-attr] # only contacts are passed
    if facts["first_response_at"] is not None:
        yield "response", facts["first_response_at"], (facts["responded_school"], facts["responded_department"]), facts
    for promise, answered_at in (("response", facts["answered_at"]), ("resolution", facts["first_resolved_at"])):
        due = facts[f"{promise}_due_at"]
        if due is not None:
            yield f"{promise}_due", due + MINUTE, asked, answered_at is not None and answered_at <= due
    if resolved_at is not None:
        yield "resolution", resolved_at, resolver, facts
        if due_at is not None:
            yield "quality", resolved_at, resolver, resolved_at <= due_at and facts["reopens"] == 0
    if facts["rated_at"] is not None:
        yield "rating", facts["rated_at"], asked if resolved_at is None else resolver, int(facts["rating"] * 10_000 + 0.5)


def tallies(found: dict[str, list[Any]]) -> dict[str, float]:
    row: dict[str, float] = {"contact_n": len(found["contact"]), "message_n": len(found["message"])}
    row["stakeholder_n"] = len(set(found["message"]) - {""})
    for measure in ("response", "resolution"):
        row[f"{measure}_n"] = n = len(found[measure])
        for unit in ("ms", "business_ms"):
            values = sorted(facts[f"{measure}_{unit}"] for facts in found[measure])
            row[f"{measure}_sum_{unit}"] = sum(values)
            row[f"{measure}_p50_{unit}"] = values[(n + 1) // 2 - 1] if values else 0
            row[f"{measure}_p90_{unit}"] = values[(9 * n + 9) // 10 - 1] if values else 0
        due = found[f"{measure}_due"]
        row[f"{measure}_due_n"], row[f"{measure}_kept_n"], row[f"{measure}_missed_n"] = len(due), sum(due), len(due) - sum(due)
    row["resolution_reopened_n"] = sum(facts["reopens"] > 0 for facts in found["resolution"])
    row["quality_n"], row["quality_sum"] = len(found["quality"]), sum(found["quality"])
    ratings = found["rating"]
    row["rating_n"], row["rating_sum_bp"], row["rating_sum_squares_bp2"] = len(ratings), sum(ratings), sum(bp * bp for bp in ratings)
    row["rating_satisfied_n"] = sum(bp >= 7_500 for bp in ratings)
    return row


def cells(district: str, school: str, department: str) -> Iterator[tuple[str, str, str, str]]:
    yield district, "district", "", ""
    if school:
        yield district, "school", school, ""
    if department:
        yield district, "department", "", department
    if school and department:
        yield district, "school_department", school, department


def contacts_of(facts: dict[str, Any], all_facts: list[dict[str, Any]], events: list[Event]) -> list[Event]:
    """The contacts of one episode: those from its opening to the next one's."""
    later = [other["opened_at"] for other in all_facts if other["opened_at"] > facts["opened_at"]]
    until = min(later, default=NOW + DAY)
    return [e for e in events if isinstance(e, Contacted) and facts["opened_at"] <= e.time < until]


def by_hand(given: Histories, partition: int = PARTITION, directory: Directory = DEFAULT) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of all three tables, without the fold."""
    rows: dict[str, list[tuple[Any, ...]]] = {"events": [], "cases": [], "windows": []}
    found: dict[tuple[str, ...], dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    as_of = NOW // MINUTE
    for offset, ((district, subject), events) in enumerate(given.items()):
        version = row_version(1, offset, 0)
        rows["events"] += [event_row(district, subject, e, (partition, offset, NOW, 0, version)) for e in events]
        all_facts = plain_facts(events, directory, district)
        for facts in all_facts:
            row = {**facts, "district": district, "subject": subject, "partition": partition, "last_offset": offset, "version": version}
            rows["cases"].append(tuple(row.get(c, 0) for c in CASE_COLUMNS))
            for measure, at, place, value in measures(facts, contacts_of(facts, all_facts, the_set(events)[0])):
                for window, (width, panes) in PANES.items():
                    if at // MINUTE <= as_of and at // MINUTE // width > as_of // width - panes:
                        for cell in cells(district, *place):
                            found[*cell, window][measure].append(value)
    for cell, values in found.items():
        row = {
            **dict(zip(WINDOW_COLUMNS, cell, strict=False)),
            "as_of": as_of * 60,
            "partition": partition,
            "version": 1,
            **tallies(values),
        }
        rows["windows"].append(tuple(row[c] for c in WINDOW_COLUMNS))
    return rows


def by_the_fold(given: Histories, directory: Directory = DEFAULT) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of all three tables, by the fold."""
    partition = Partition(PARTITION, directory)
    told = [(0, NOW, True, district, subject, e) for (district, subject), events in given.items() for e in events]
    assert partition.fold([(i, *entry[1:]) for i, entry in enumerate(told)]) == []
    partition.advance(NOW)
    changes = partition.drain()
    return {table: list(zip(*getattr(changes, table), strict=True)) for table in ("events", "cases", "windows")}


def write(client: "Client", rows: dict[str, list[tuple[Any, ...]]]) -> None:
    for table, written in rows.items():
        plain = [tuple(value.item() if hasattr(value, "item") else value for value in row) for row in written]
        client.execute(f"INSERT INTO {table} ({', '.join(WRITTEN[table])}) VALUES", plain)


# -- what is shown ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [by_hand, by_the_fold])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_finds_nothing_where_all_is_right(client: "Client", make: Any, seed: int) -> None:
    given = histories(random.Random(seed), 400)
    rows = make(given)
    write(client, rows)
    assert len(rows["cases"]) > 400
    assert differences(client) == []


def test_what_is_looked_at_in_pieces_is_found_as_in_one(client: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    write(client, by_hand(histories(random.Random(3), 90)))
    client.execute(
        "INSERT INTO cases SELECT * REPLACE (reopens + 9 AS reopens, version + 1 AS version) FROM cases FINAL WHERE subject < 'case-2'"
    )
    client.execute("INSERT INTO windows SELECT * REPLACE (contact_n + 1 AS contact_n, version + 1 AS version) FROM windows FINAL")
    whole = differences(client)
    assert len({found.district for found in whole}) == 3
    pieces = partial(of_partition, most=1)
    assert len(pieces(client, PARTITION)) == 3
    monkeypatch.setattr("sinks.clickhouse.verification.of_partition", pieces)
    assert sorted(differences(client), key=str) == sorted(whole, key=str)


RULES = Directory.parse((Path(__file__).parent / "rules.yaml").read_text("utf-8"))
"""Every rule that a directory may have, in the weeks of these histories."""


@pytest.mark.parametrize("make", [by_hand, by_the_fold])
def test_it_knows_every_rule_of_the_directory(client: "Client", make: Any) -> None:
    given = histories(random.Random(9), 600)
    write_directory(client, RULES)
    rows = make(given, directory=RULES)
    write(client, rows)
    assert differences(client) == []


def test_it_would_see_each_rule_that_is_not_kept(client: "Client") -> None:
    """Other deadlines than the newest directory's are differences; so are those of a directory that lacks one rule."""
    write_directory(client, RULES)
    write(client, by_hand(histories(random.Random(9), 600), directory=RULES))
    text = (Path(__file__).parent / "rules.yaml").read_text("utf-8")
    for revision, left_out in enumerate(LEFT_OUT, start=2):
        lines = [line for line in text.splitlines() if left_out not in line]
        assert len(lines) < len(text.splitlines())
        write_directory(client, Directory.parse("\n".join(lines).replace("revision: 1", f"revision: {revision}")))
        assert any("_at" in found.column or "business" in found.column for found in differences(client)), left_out


LEFT_OUT = (
    "snow_days: [2026-11-17]",
    "2026-10-19: [",
    "valid_from: 2026-11-10",
    "valid_from: 2026-10-19",
    "channel: phone",
    "holidays:",
    "from: 2026-10-26",
)


# -- what was forgotten --------------------------------------------------------------------------------------------------
MANY_DAYS = 200 * DAY


def twice_lived(client: "Client", *later: Event, backfill: bool = False) -> Partition:
    """An answered question, forgotten after 100 days; then these events of the same case."""
    partition, told = Partition(PARTITION, DEFAULT), NOW - MANY_DAYS
    first = [Contacted(told, "/a", "c", "north", "bus"), Replied(told + HOUR, "/a", "r")]
    assert partition.fold([(n, event.time, False, "district-1", "case-1", event) for n, event in enumerate(first)]) == []
    write_changes(client, partition)
    partition.advance(NOW - DAY)
    assert partition.forget(2) == 1
    entries = [(9 + n, NOW, backfill, "district-1", "case-1", event) for n, event in enumerate(later)]
    for entry in entries:  # each by itself: what the one before wrote is in the archive
        for archived in events_of(client, partition.archive.wanted([entry])):
            partition.archive.add(archived)
        assert partition.fold([entry]) == []
        write_changes(client, partition)
    return partition


def write_changes(client: "Client", partition: Partition) -> None:
    changes = partition.drain()
    write(client, {table: list(zip(*getattr(changes, table), strict=True)) for table in ("events", "cases", "windows")})


ANEW = [Contacted(NOW - HOUR, "/a", "d", "south", "bus"), Replied(NOW - MINUTE, "/a", "s")]


def test_a_forgotten_case_that_began_anew_is_two(client: "Client") -> None:
    twice_lived(client, *ANEW)
    assert client.execute("SELECT episode, contacts FROM cases FINAL WHERE is_deleted = 0 ORDER BY opened_at") == [("/a c", 1), ("/a d", 1)]
    assert differences(client) == []


def test_a_forgotten_case_that_began_anew_without_a_question_is_two(client: "Client") -> None:
    twice_lived(client, Resolved(NOW - HOUR, "/a", "x"), *ANEW)
    assert differences(client) == []


@pytest.mark.parametrize("backfill", [False, True])
def test_it_is_one_again_when_something_from_before_comes(client: "Client", backfill: bool) -> None:
    twice_lived(client, *ANEW, Replied(NOW - MANY_DAYS + MINUTE, "/a", "late"), backfill=backfill)
    assert client.execute("SELECT episode, contacts, replies FROM cases FINAL WHERE is_deleted = 0") == [("/a c", 2, 3)]
    assert differences(client) == []


def test_an_episode_that_was_left_behind_does_not_pass_for_an_earlier_life(client: "Client") -> None:
    """Its row says what was true then. But nobody can have forgotten the case within a day."""
    partition, start = Partition(PARTITION, DEFAULT), NOW - 30 * DAY
    history = [Contacted(start, "/a", "c"), Resolved(start + HOUR, "/a", "x"), Contacted(start + 20 * DAY, "/a", "d")]
    partition.fold([(n, event.time, False, "district-1", "case-1", event) for n, event in enumerate(history)])
    write_changes(client, partition)
    rows = "SELECT * FROM cases FINAL WHERE episode = '/a c'"
    client.execute(f"CREATE TEMPORARY TABLE stale AS {rows}")
    partition.fold([(5, NOW, False, "district-1", "case-1", Rated(start + 2 * HOUR, "/a", "q", score=5.0))])
    write_changes(client, partition)
    assert differences(client) == []
    client.execute("INSERT INTO cases SELECT * REPLACE (version + toUInt128('9999999999999999999999') AS version) FROM stale")
    assert {difference.column for difference in differences(client)} >= {"rating"}


def test_history_that_comes_to_a_district_that_was_silent_is_no_difference(client: "Client") -> None:
    """Its windows were zero all the time: they are written again, as of now, because as of then they would have held what came."""
    partition = Partition(PARTITION, DEFAULT)
    asked = Contacted(NOW - 120 * DAY, "/a", "c", "north", "bus")
    partition.fold([(0, asked.time, False, "district-1", "case-1", asked)])
    write_changes(client, partition)
    partition.advance(NOW - 60 * DAY)  # all has left all windows
    write_changes(client, partition)
    late = Contacted(NOW - 70 * DAY, "/a", "d", "north", "bus")
    partition.fold([(1, NOW, True, "district-1", "case-2", late)])
    write_changes(client, partition)
    assert differences(client) == []


def altered(column: str, kind: str) -> str:
    """An expression that is another value of the column."""
    if kind.startswith("Nullable(DateTime"):
        return f"addMilliseconds(ifNull({column}, toDateTime64('2026-01-01 00:00:00', 3, 'UTC')), 1)"
    if kind.startswith("Nullable"):
        return f"ifNull({column}, 0) + 1"
    if "String" in kind:
        return f"concat({column}, 'x')"
    if kind == "Bool":
        return f"NOT {column}"
    return f"{column} * 1.03 + 2" if kind == "Float64" else f"{column} + 1"


@pytest.mark.parametrize(
    ("table", "columns", "key"),
    [("cases", CASE_FACTS, "district, opened_at, subject, episode"), ("windows", TALLIES, "district, scope, school, department, window")],
)
def test_it_finds_every_column_that_is_wrong(client: "Client", table: str, columns: tuple[str, ...], key: str) -> None:
    """One fault in each column, each in a row of its own."""
    write(client, by_hand(histories(random.Random(3), 120)))
    kinds = dict(row[:2] for row in client.execute(f"DESCRIBE TABLE {table}"))
    for row, column in enumerate(columns):
        client.execute(  # the names are this test's
            f"INSERT INTO {table} SELECT * REPLACE ({altered(column, kinds[column])} AS {column}, version + 1 AS version)"
            f" FROM {table} FINAL ORDER BY {key} LIMIT 1 OFFSET {row}"
        )
    found = [(difference.table, difference.column) for difference in differences(client)]
    assert sorted(found) == sorted((table, column) for column in columns)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            "INSERT INTO cases SELECT * REPLACE (1 AS is_deleted, version + 1 AS version) FROM cases FINAL ORDER BY subject LIMIT 1",
            {("cases", "row")},
        ),
        ("INSERT INTO cases SELECT * REPLACE ('case-none' AS subject) FROM cases FINAL LIMIT 1", {("cases", "row")}),
        (
            "INSERT INTO windows SELECT * REPLACE ('closed' AS school) FROM windows FINAL WHERE scope = 'school' AND message_n > 0 LIMIT 1",
            {("windows", "message_n")},
        ),
        ("ALTER TABLE windows DELETE WHERE scope = 'school' SETTINGS mutations_sync = 1", {("windows", "message_n")}),
        ("ALTER TABLE windows DELETE WHERE district = 'district-1' SETTINGS mutations_sync = 1", {("windows", "row")}),
        ("ALTER TABLE events DELETE WHERE subject = 'case-1' SETTINGS mutations_sync = 1", {("cases", "row")}),
    ],
)
def test_it_finds_rows_that_are_missing_or_too_many(client: "Client", fault: str, expected: set[tuple[str, str]]) -> None:
    write(client, by_hand(histories(random.Random(4), 60)))
    assert differences(client) == []
    client.execute(fault)
    assert expected <= {(difference.table, difference.column) for difference in differences(client)}


def test_every_partition_of_the_log_is_looked_at(client: "Client") -> None:
    write(client, by_hand(histories(random.Random(7), 40)))
    write(client, by_hand(histories(random.Random(8), 40, "elsewhere"), partition=5))
    assert differences(client) == []
    client.execute(
        "INSERT INTO cases SELECT * REPLACE (reopens + 1 AS reopens, version + 1 AS version) FROM cases FINAL LIMIT 1 BY partition"
    )
    assert [(difference.table, difference.column) for difference in differences(client)] == [("cases", "reopens")] * 2


def test_a_row_of_zeros_is_as_good_as_none(client: "Client") -> None:
    rows = by_hand(histories(random.Random(5), 20))
    key = ("district-0", "school", "closed-school", "", "7d", NOW // 1_000)
    rows["windows"].append((*key, *([0] * (len(WINDOW_COLUMNS) - len(key) - 2)), PARTITION, 1))
    write(client, rows)
    assert differences(client) == []


def test_what_a_case_weighs_is_the_same_in_sql(client: "Client") -> None:
    given = histories(random.Random(5), 200)
    write(client, by_hand(given))
    expected = {
        case: (len({(e.source, e.id) for e in events}), CASE_BYTES + sum(weight(e) for e in set(events))) for case, events in given.items()
    }
    assert weights(client, list(given)) == expected


def test_nothing_is_left_behind_and_it_can_be_asked_again(client: "Client") -> None:
    write(client, by_hand(histories(random.Random(6), 10)))
    assert differences(client) == differences(client) == []


def test_an_empty_database_has_no_differences(client: "Client") -> None:
    assert differences(client) == []
