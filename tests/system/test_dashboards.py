"""Every query of every dashboard on the real engine, over 28 invented days: rows, columns, units, and numbers
counted once more from the events."""

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from events.codec import Decoder
from events.directory import Directory
from events.event import Contacted
from events.rejection import Reason, Rejection
from projections.partition import Entry, Partition
from projections.score import AnswerTally, CellTallies, ScoreWeights, score
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.writer import RowWriter
from streams.clock import WallClock
from streams.simulation import Plan, simulate
from streams.sorting import Refused
from streams.worker.tables import tables_of
from tests.oracles.plain_facts import plain_facts
from tests.support.grafana import ALL, Asked, Chosen, Look, queries
from tests.support.observers import Deaf

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer
    from events.event import Event

pytestmark = pytest.mark.embedded

HOUR, DAY = 3_600_000, 86_400_000
DISTRICT, ZONE = "riverside", "America/Chicago"
DIRECTORY = Directory.parse("""
revision: 1
zone: America/Chicago
hours: {monday: 08:00-16:00, tuesday: 08:00-16:00, wednesday: 08:00-16:00, thursday: 08:00-16:00, friday: 08:00-16:00}
targets:
  critical: {response: 2 business hours, resolution: 8 business hours}
  urgent: {response: 4 business hours, resolution: 24 business hours}
  routine: {response: 8 business hours, resolution: 40 business hours}
districts:
  riverside:
    name: Riverside Unified (invented)
    departments:
      transportation:
        name: Transportation
        targets:
          routine: {response: 3 business hours}
""")
Rows = list[dict[str, Any]]


@dataclass
class SetAside:
    """A record that cannot be counted."""

    timestamp: int
    topic: str = "frontdesk.events"
    partition: int = 0
    offset: int = 1_000_000
    key: bytes | None = None
    value: bytes | None = b"{"
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True)
class Scene:
    """An invented district of four weeks up to `now` (ms) beside another one, as it was written while it happened."""

    server: ClickHouse
    now: int
    events: Mapping[str, "list[Event]"]
    """Of the district, by case."""

    def look(self, **chosen: str) -> Look:
        known = {"district": DISTRICT, "window": "28d", "clock": "calendar", "case": next(iter(self.events))}
        known |= dict.fromkeys(("school", "department", "status", "priority", "channel", "audience", "language"), ALL)
        variables = {name: Chosen(value, ("a", "b")) for name, value in (known | chosen).items()}
        return Look(variables, (self.now - 28 * DAY) // 1000, self.now // 1000)

    def facts(self) -> Iterator[dict[str, Any]]:
        """Of each question, from the events alone."""
        for subject, events in self.events.items():
            for facts in plain_facts(events, DIRECTORY, DISTRICT):
                if facts["received_at"] is not None:
                    yield facts | {"subject": subject}


@pytest.fixture(scope="module")
def scene(clickhouse: "ClickHouseServer") -> Scene:
    server = ClickHouse(port=clickhouse.native_port, database="dashboards")
    migrate(server)
    with server.connect() as client:
        write_directory(client, DIRECTORY)
    now = WallClock().now()
    log = list(entries(now))

    async def written() -> None:
        partition, writer = Partition(0, DIRECTORY), RowWriter(server.connect, Deaf())
        for _, part in itertools.groupby(log, key=lambda entry: entry[1] // (12 * HOUR)):
            partition.fold(list(part))
            await writer.write(tables_of([partition.drain()], [], "topic"))
        partition.advance(now)
        refused = Refused(SetAside(timestamp=now), Rejection(Reason.NOT_JSON, "$", "the value is not JSON"))
        await writer.write(tables_of([partition.drain()], [refused], "topic"))
        await writer.close()

    asyncio.run(written())
    events: dict[str, list[Event]] = {}
    for _, _, _, district, subject, event in log:
        if district == DISTRICT:
            events.setdefault(subject, []).append(event)
    return Scene(server, now, events)


def entries(now: int) -> Iterator[Entry]:
    decoder = Decoder()
    for i, each in enumerate(simulate(Plan(now, students=150, days=28, districts=2))):
        decoded = decoder.decode(each.value, [("content-type", b"application/cloudevents+json")], each.time)
        assert isinstance(decoded, tuple), decoded
        yield (i, each.time, False, *decoded)


@pytest.fixture(scope="module")
def client(scene: Scene) -> "Iterator[Client]":
    with scene.server.connect() as client:
        yield client


@pytest.fixture(scope="module")
def ask(client: "Client", scene: Scene) -> Callable[..., Rows]:
    """The rows of one panel of a dashboard, for what somebody has chosen."""
    known = {(each.dashboard, each.name): each for each in queries()}

    def asked(dashboard: str, name: str, **chosen: str) -> Rows:
        return rows_of(client, scene.look(**chosen).expand(known[f"frontdesk-{dashboard}", name].sql))

    return asked


def rows_of(client: "Client", sql: str) -> Rows:
    rows, columns = client.execute(sql, with_column_types=True, settings={"do_not_merge_across_partitions_select_final": 1})
    return [dict(zip([name for name, _ in columns], row, strict=True)) for row in rows]


# -- every one of them ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("asked", list(queries()), ids=str)
def test_it_gives_rows_with_the_columns_that_are_shown(client: "Client", scene: Scene, asked: Asked) -> None:
    rows = rows_of(client, scene.look().expand(asked.sql))
    assert rows
    shown = [override["matcher"]["options"] for override in asked.panel.get("fieldConfig", {}).get("overrides", [])]
    if asked.panel.get("type") == "table":
        assert shown == ["/.*/", *rows[0]], "each column is told of, in its order"
    else:
        assert set(shown) <= rows[0].keys() or asked.name.endswith(", limit")


def test_each_number_has_a_unit(client: "Client", scene: Scene) -> None:
    bare = []
    for asked in queries():
        config = asked.panel.get("fieldConfig")
        if config is None or asked.name.endswith(", limit"):
            continue
        named = {o["matcher"]["options"]: {p["id"]: p["value"] for p in o["properties"]} for o in config["overrides"]}
        for column, value in rows_of(client, scene.look().expand(asked.sql))[0].items():
            known = named.get(column, {})
            if isinstance(value, int | float) and not (known.get("custom.hidden") or "unit" in known or "unit" in config["defaults"]):
                bare.append((str(asked), column))
    assert bare == []


# -- the numbers, once more -------------------------------------------------------------------------------------------
Ask = Callable[..., Rows]
PANES = {"1h": (60, 60_000), "24h": (96, 900_000), "7d": (84, 7_200_000), "28d": (56, 43_200_000)}


def within(scene: Scene, window: str) -> Callable[[int | None], bool]:
    """Whether an instant counts in a window that is looked at now: whole panes, the minute that runs included (docs/schema.md)."""
    number, pane = PANES[window]
    minute = scene.now // 60_000 * 60_000
    first = (minute // pane - number + 1) * pane
    return lambda at: at is not None and first <= at < minute + 60_000


def counted(scene: Scene) -> list[dict[str, Any]]:
    return [facts for facts in scene.facts() if facts["status"] != "spam"]


def shown_time(scene: Scene) -> Callable[[int | None], bool]:
    """Whether an instant is in the four weeks that a dashboard shows, to the second."""
    since, until = (scene.now - 28 * DAY) // 1000 * 1000, scene.now // 1000 * 1000
    return lambda at: at is not None and since <= at <= until


def median(values: Iterable[int]) -> float:
    """Nearest rank, as the windows have it."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) / 2) - 1]


@pytest.mark.parametrize("window", ["7d", "28d"])
def test_how_many_people_contacted_the_district(scene: Scene, ask: Ask, window: str) -> None:
    is_in = within(scene, window)
    people = {
        event.stakeholder
        for facts in counted(scene)
        for event in scene.events[facts["subject"]]
        if isinstance(event, Contacted) and event.stakeholder and is_in(event.time)
    }
    questions = sum(is_in(facts["received_at"]) for facts in counted(scene))
    assert questions > 50
    assert ask("district", "People who contacted us", window=window) == [{"people": len(people), "questions": questions}]


@pytest.mark.parametrize("clock", ["calendar", "business"])
@pytest.mark.parametrize("department", [ALL, "transportation"])
def test_how_long_they_waited(scene: Scene, ask: Ask, clock: str, department: str) -> None:
    is_in, suffix = within(scene, "28d"), "_business_ms" if clock == "business" else "_ms"
    for measure, at, where, panel in (
        ("response", "first_response_at", "responded_department", "Wait for a first answer"),
        ("resolution", "resolved_at", "resolved_department", "Time until it is settled"),
    ):
        took = [f[measure + suffix] for f in counted(scene) if is_in(f[at]) and department in (ALL, f[where])]
        [row] = ask("cell", panel, clock=clock, department=department)
        assert len(took) > 20
        assert row["half under"] == pytest.approx(median(took), rel=0.026, abs=1)


def test_a_promise_of_the_directory_is_the_limit(ask: Ask) -> None:
    def limit(panel: str, **chosen: str) -> Any:
        [row] = ask("cell", f"{panel}, limit", **chosen)
        return row["promised_ms"]

    assert limit("Wait for a first answer", clock="business") == 8 * HOUR
    assert limit("Wait for a first answer", clock="business", department="transportation") == 3 * HOUR
    assert limit("Time until it is settled", clock="business", department="transportation") == 40 * HOUR
    assert limit("Wait for a first answer", clock="calendar") is None


@pytest.mark.parametrize("department", [ALL, "transportation"])
def test_which_share_was_in_time(scene: Scene, ask: Ask, department: str) -> None:
    is_in = within(scene, "28d")
    for target, answered, panel in (
        ("response", "answered_at", "Answered in time"),
        ("resolution", "first_resolved_at", "Settled in time"),
    ):
        due = [f for f in counted(scene) if passed(f[f"{target}_due_at"], is_in) and department in (ALL, f["department"])]
        kept = sum(f[answered] is not None and f[answered] <= f[f"{target}_due_at"] for f in due)
        [row] = ask("promises", panel, department=department)
        assert len(due) > 20
        assert list(row.values()) == [pytest.approx(kept / len(due))]


def passed(due_at: int | None, is_in: Callable[[int | None], bool]) -> bool:
    """A deadline counts from the minute after it."""
    return due_at is not None and is_in(due_at // 60_000 * 60_000 + 60_000)


def test_the_score_is_that_of_the_reference(scene: Scene, ask: Ask) -> None:
    is_in = within(scene, "28d")
    facts = counted(scene)
    ratings = [round(f["rating"] * 10_000) / 10_000 for f in facts if is_in(f["rated_at"])]
    due = [f for f in facts if passed(f["response_due_at"], is_in)]
    kept = sum(f["answered_at"] is not None and f["answered_at"] <= f["response_due_at"] for f in due)
    settled = [f for f in facts if is_in(f["resolved_at"]) and f["resolution_due_at"] is not None]
    good = sum(f["resolved_at"] <= f["resolution_due_at"] and f["reopens"] == 0 for f in settled)
    tally = AnswerTally(len(ratings), sum(ratings), sum(rating * rating for rating in ratings))
    wanted = score(CellTallies(tally, AnswerTally.of_share(len(due), kept), AnswerTally.of_share(len(settled), good)), None, ScoreWeights())
    [row] = ask("district", "Score, 0 to 100")
    assert len(ratings) >= 10
    assert [row["score"], row["low"], row["high"]] == [pytest.approx(value) for value in (wanted.value, wanted.low, wanted.high)]


def test_questions_by_the_day_of_the_district(scene: Scene, ask: Ask) -> None:
    shown = shown_time(scene)
    days = Counter(day_of(f["received_at"]) for f in counted(scene) if shown(f["received_at"]))
    rows = ask("district", "Questions received each day")
    assert {day_of(ms(row["time"])): row["questions"] for row in rows} == days


def day_of(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(ZONE)).date()


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def test_promises_by_the_day_on_which_they_were_due(scene: Scene, ask: Ask) -> None:
    shown = shown_time(scene)
    days: dict[date, Counter[str]] = {}
    for f in counted(scene):
        if shown(f["response_due_at"]):
            was_kept = f["answered_at"] is not None and f["answered_at"] <= f["response_due_at"]
            days.setdefault(day_of(f["response_due_at"]), Counter())["kept" if was_kept else "missed"] += 1
    rows = ask("promises", "Answers by the day they were due")
    assert {day_of(ms(row["time"])): Counter(kept=row["kept"], missed=row["missed"]) for row in rows} == days


def test_who_waits_and_which_promises_are_broken(scene: Scene, ask: Ask) -> None:
    facts = list(scene.facts())
    waiting = {f["subject"] for f in facts if f["waiting_since"] is not None and f["resolved_at"] is None}
    broken = {
        f["subject"] for f in counted(scene) if f["answered_at"] is None and f["response_due_at"] and f["response_due_at"] < scene.now
    }
    assert waiting >= {row["case"] for row in ask("cell", "Answer these next")}
    assert len(ask("cell", "Answer these next")) == min(len(waiting), 50)
    assert {row["case"] for row in ask("promises", "Broken promises that wait")} == broken
    assert ask("promises", "Broken and still unanswered") == [{"people": len(broken)}]


@pytest.mark.parametrize("column", ["language", "channel", "audience"])
def test_equity_by_group_and_nothing_of_small_ones(scene: Scene, ask: Ask, column: str) -> None:
    shown = shown_time(scene)
    panel = {"language": "By language", "channel": "By way of asking", "audience": "By who asks"}[column]
    groups: dict[str, list[dict[str, Any]]] = {}
    for f in counted(scene):
        if shown(f["received_at"]):
            groups.setdefault(f[column] or "not told", []).append(f)
    rows = {row["group"]: row for row in ask("equity", panel)}
    assert rows.keys() == groups.keys()
    for name, facts in groups.items():
        row, persons = rows[name], len({f["stakeholder"] for f in facts} - {""})
        numbers = [row[key] for key in ("questions", "half answered under", "answered in time", "settled", "rating, of 10")]
        if persons < 10:
            assert (row["people"], numbers) == (None, [None] * 5)
            continue
        due = [f for f in facts if f["response_due_at"] is not None and f["response_due_at"] < scene.now]
        kept = sum(f["answered_at"] is not None and f["answered_at"] <= f["response_due_at"] for f in due)
        assert (row["people"], row["questions"]) == (persons, len(facts))
        assert row["answered in time"] == (pytest.approx(kept / len(due)) if due else None)
        took = sorted(f["response_ms"] for f in facts if f["response_ms"] is not None)
        rated = [f["rating"] for f in facts if f["rating"] is not None]
        assert row["half answered under"] == (took[len(took) // 2] if took else None)
        assert row["rating, of 10"] == (pytest.approx(sum(rated) / len(rated) * 10) if len(rated) >= 10 else None)
        assert row["settled"] == pytest.approx(sum(f["resolved_at"] is not None for f in facts) / len(facts))


def test_the_history_of_a_case_is_its_events(scene: Scene, ask: Ask) -> None:
    case = max(scene.events, key=lambda subject: len(scene.events[subject]))
    rows = ask("case", "History of the case", case=case)
    assert [ms(row["at"]) for row in rows] == sorted(event.time for event in scene.events[case])


def test_the_list_of_cases_follows_what_is_chosen(scene: Scene, ask: Ask) -> None:
    shown = shown_time(scene)
    chosen = {"department": "transportation", "status": "resolved", "channel": "phone"}
    wanted = {f["subject"] for f in scene.facts() if shown(f["received_at"]) and all(f[key] == value for key, value in chosen.items())}
    assert wanted
    assert {row["case"] for row in ask("cases", "Questions", **chosen)} == wanted


@pytest.mark.parametrize(("column", "panel"), [("language", "By language"), ("channel", "By way of asking"), ("audience", "By who asks")])
def test_a_group_leads_to_its_cases_and_so_does_what_is_not_told(scene: Scene, ask: Ask, column: str, panel: str) -> None:
    spam = Counter(f[column] or "not told" for f in scene.facts() if f["status"] == "spam" and shown_time(scene)(f["received_at"]))
    groups = {row["group"]: row["questions"] for row in ask("equity", panel) if row["questions"] is not None}
    assert len(groups) > 1
    assert column != "language" or {row["told"] for row in ask("cases", "$language")} >= groups.keys() | {"not told"}
    for group, questions in groups.items():
        assert ask("cases", "Questions received", **{column: group}) == [{"questions": questions + spam[group]}]


def test_a_question_without_a_school_can_be_chosen(scene: Scene, ask: Ask) -> None:
    shown = shown_time(scene)
    wanted = {f["subject"] for f in scene.facts() if shown(f["received_at"]) and not f["school"]}
    rows = ask("cases", "Questions", school="not told")
    assert {row["case"] for row in rows} <= wanted
    assert len(rows) == min(len([f for f in scene.facts() if shown(f["received_at"]) and not f["school"]]), 200) > 0
    assert {row["school_name"] for row in rows} == {""}


def test_places_have_their_names_from_the_directory(ask: Ask) -> None:
    named = {row["department_name"] for row in ask("cases", "Questions")}
    assert "Transportation" in named
    assert "transportation" not in named
    assert named - {"Transportation"}, "those that the directory does not name have their own"


def test_critical_promises_are_marked_once_a_day_with_their_number(scene: Scene, ask: Ask) -> None:
    shown, days = shown_time(scene), Counter[date]()
    for f in counted(scene):
        for target, came in (("response", "answered_at"), ("resolution", "first_resolved_at")):
            due = f[f"{target}_due_at"]
            if f["priority"] == "critical" and shown(due) and due < scene.now and (f[came] is None or f[came] > due):
                days[day_of(due)] += 1
    rows = ask("district", "@Critical promises missed")
    assert len(rows) > 3
    assert {day_of(ms(row["time"])): int(row["text"].split(": ")[1].split()[0]) for row in rows} == days


def test_the_share_in_time_is_counted_from_cases_where_there_is_no_history(client: "Client", scene: Scene) -> None:
    [sql] = {each.sql for each in queries() if each.name == "Answered in time, over the seven days before"}
    rows = rows_of(client, scene.look().expand(sql.replace("windows_history FINAL", "(SELECT * FROM windows_history LIMIT 0)")))
    due = [f for f in counted(scene) if f["response_due_at"] is not None and f["response_due_at"] < scene.now]
    assert len(rows) > 20
    for row in rows:
        week = [f for f in due if 0 < (day_of(ms(row["time"])) - day_of(f["response_due_at"])).days <= 7]
        kept = sum(f["answered_at"] is not None and f["answered_at"] <= f["response_due_at"] for f in week)
        assert row["answered in time"] == pytest.approx(kept / len(week))


def test_what_a_case_comes_to(scene: Scene, ask: Ask) -> None:
    facts = next(f for f in counted(scene) if f["first_resolved_at"] is not None and f["response_due_at"] is not None)
    rows = {
        row["promise"]: row for row in ask("case", "What it comes to", case=facts["subject"]) if ms(row["received"]) == facts["received_at"]
    }
    assert list(rows) == ["first answer", "settled", "settled for good"]
    assert (ms(rows["first answer"]["due"]), ms(rows["settled"]["came"])) == (facts["response_due_at"], facts["first_resolved_at"])
    assert rows["settled"]["stands"] == ("kept" if facts["first_resolved_at"] <= facts["resolution_due_at"] else "missed")


def test_closed_times_are_marked(scene: Scene, ask: Ask) -> None:
    rows = ask("district", "@Closed")
    weekends = {day_of(at) for at in range(scene.now - 25 * DAY, scene.now - 3 * DAY, DAY) if day_of(at).weekday() >= 5}
    closed = {day_of(at) for row in rows for at in range(ms(row["time"]), ms(row["timeEnd"]), HOUR)}
    assert weekends <= closed
    assert len(rows) in (4, 5)


# -- anybody can put anything into an address -------------------------------------------------------------------------
ATTACKS = (
    "'; DROP TABLE cases; --",
    "\\'; DROP TABLE cases; --",
    "\\' OR 1=1 --",
    "' OR '1'='1",
    "%27 OR 1=1 --",
    "$__all'",
    "${district}",
)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("variable", ["district", "school", "case"])
def test_a_value_is_only_ever_a_value(client: "Client", scene: Scene, variable: str, attack: str) -> None:
    name = {"district": "Who has waited longest", "school": "Answer these next", "case": "History of the case"}[variable]
    [sql] = {each.sql for each in queries() if each.name == name}
    assert rows_of(client, scene.look(**{variable: attack}).expand(sql)) == []
    assert client.execute("SELECT count() > 0 FROM cases") == [(1,)]


@pytest.mark.parametrize("how", ["", ":singlequote", ":sqlstring"])
def test_grafanas_own_formats_would_have_let_it_through(scene: Scene, client: "Client", how: str) -> None:
    """Why values are percent-encoded: what is after the quote becomes part of the condition."""
    pasted = "'$case'" if how == "" else f"${{case{how}}}"
    injected = rows_of(
        client, scene.look(case="\\' OR 1=1 --" if how else "' OR 1=1 --").expand(f"SELECT 1 FROM events WHERE subject = {pasted}")
    )
    assert injected


def test_a_name_with_signs_of_its_own_is_found(client: "Client", scene: Scene) -> None:
    name = 'o\'brien\\("50%")'
    [[found]] = client.execute(scene.look(case=name).expand("SELECT decodeURLComponent('${case:percentencode}')"))
    assert found == name
