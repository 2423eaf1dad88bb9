"""`frontdesk export` from real tables: every number by hand once more, the same in each form, and no half file whatever happens."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isclose
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from events.directory import Directory
from projections.score import AnswerTally, CellTallies, ScoreWeights, score
from sinks.clickhouse import exports
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.migration import migrate
from streams.cli import run
from streams.export.column import CASES, INDICATORS, ExportColumn
from streams.export.indicators import indicator_rows
from streams.export.period import Period
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode
from streams.warehouse import clickhouse_of
from tests.oracles.plain_facts import plain_facts, the_set
from tests.support.exports import read
from tests.system.test_verification import (
    MINUTE,
    NOW,
    Histories,
    by_hand,
    cells,
    contacts_of,
    histories,
    measures,
    tallies,
    write,
)

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

DIRECTORY = Directory.parse("""
revision: 1
zone: America/Los_Angeles
hours: {monday: 08:00-16:00, tuesday: 08:00-16:00, wednesday: 08:00-16:00, thursday: 08:00-16:00, friday: 08:00-16:00}
targets:
  routine: {response: 4 business hours, resolution: 24 business hours}
  urgent: {response: 1 calendar hour, resolution: 24 calendar hours}
score: [{satisfaction: 0.4, response: 0.4, resolution: 0.2, m: 5}]
districts:
  district-1: {name: Far East, zone: Asia/Tokyo, schools: {north: {name: North High}}}
""")
WEIGHTS = ScoreWeights(0.4, 0.4, 0.2, 5)
FORMS = ("csv", "parquet", "json")
GHOST = ("district-0", datetime(2026, 11, 1, tzinfo=ZoneInfo("UTC")), "answered-elsewhere", "/a 1", "helpers", 1)
"""Nobody is known to have asked it: it is in no export."""
LAST_MINUTE = NOW // MINUTE
UNTIL_S = 60.0

Rows = list[dict[str, Any]]
Key = tuple[str, str, str, str, date]


@dataclass(frozen=True)
class Scene:
    settings: Settings
    given: Histories
    export: Callable[..., bytes]

    def rows(self, columns: tuple[ExportColumn, ...], *arguments: str, form: str = "json") -> Rows:
        names = [column.name for column in columns]
        return [dict(zip(names, row, strict=True)) for row in read(form, self.export(*arguments, "--format", form), columns)]


@pytest.fixture(scope="module")
def filled(clickhouse: "ClickHouseServer") -> tuple[Settings, Histories]:
    """Histories in which everything that can collide does, in three districts of two zones."""
    settings, given = settings_of(clickhouse, "export"), histories(Random(7), 900)
    with clickhouse_of(settings).connect() as client:
        write_directory(client, DIRECTORY)
        write(client, by_hand(given, directory=DIRECTORY))
        client.execute(f"INSERT INTO progress (partition, as_of, next_offset, version) VALUES (3, {LAST_MINUTE * 60}, 1, 1)")
    return settings, given


@pytest.fixture
def scene(filled: tuple[Settings, Histories], monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Scene:
    """Commands that run at the instant up to which the histories go."""
    settings, given = filled
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("streams.cli.work.export.WallClock.now", lambda _: NOW)

    def export(*arguments: str) -> bytes:
        assert run(["export", *arguments]) == ExitCode.OK, capfdbinary.readouterr().err
        return capfdbinary.readouterr().out

    return Scene(settings, given, export)


def settings_of(clickhouse: "ClickHouseServer", database: str) -> Settings:
    migrate(ClickHouse(port=clickhouse.native_port, database=database))
    return Settings(clickhouse_port=clickhouse.native_port, clickhouse_database=database)


# -- by hand --------------------------------------------------------------------------------------------------------------
def day_of(minute: int, district: str) -> date:
    return datetime.fromtimestamp(minute * 60, ZoneInfo(DIRECTORY.zone(district))).date()


def begins(day: date, every: str, first: date) -> date:
    return {"": first, "day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[every]


def counted(given: Histories, first: date, last: date, every: str) -> dict[Key, dict[str, float]]:
    """What each cell counted in each part of a period, from the facts of every case; keys end with the day that the part begins on."""
    found: dict[Key, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for (district, _), events in given.items():
        all_facts = plain_facts(events, DIRECTORY, district)
        for facts in all_facts:
            for measure, at, place, value in measures(facts, contacts_of(facts, all_facts, the_set(events)[0])):
                day = day_of(at // MINUTE, district)
                if first <= day <= last and at // MINUTE <= LAST_MINUTE:
                    for cell in cells(district, *place):
                        found[*cell, max(first, begins(day, every, first))][measure].append(value)
    return {key: tallies(values) for key, values in found.items()}


def cell_of(n: dict[str, float]) -> CellTallies:
    return CellTallies(
        AnswerTally(int(n["rating_n"]), n["rating_sum_bp"] / 1e4, n["rating_sum_squares_bp2"] / 1e8),
        AnswerTally.of_share(int(n["response_due_n"]), int(n["response_kept_n"])),
        AnswerTally.of_share(int(n["quality_n"]), int(n["quality_sum"])),
    )


def expected(key: Key, every_cell: dict[Key, dict[str, float]]) -> dict[str, Any]:
    n = every_cell[key]
    district, scope, *_, begin = key
    whole = every_cell[district, "district", "", "", begin]
    points = score(cell_of(n), None if scope == "district" else cell_of(whole), WEIGHTS)
    row = {
        "contacts": n["contact_n"],
        "messages": n["message_n"],
        "stakeholders": n["stakeholder_n"],
        "ratings": n["rating_n"],
        "rating_mean": n["rating_sum_bp"] / 1e4 / n["rating_n"] if n["rating_n"] else None,
        "csat": n["rating_satisfied_n"] / n["rating_n"] if n["rating_n"] else None,
        "reopened_share": n["resolution_reopened_n"] / n["resolution_n"] if n["resolution_n"] else None,
        "quality_share": n["quality_sum"] / n["quality_n"] if n["quality_n"] else None,
        "score": points.value,
        "score_low": points.low,
        "score_high": points.high,
        "score_reason": "" if points.value is not None else "fewer than 10 ratings in the period",
        "score_satisfaction_points": points.satisfaction_points,
    }
    for what in ("response", "resolution"):
        row |= {f"{what}s": n[f"{what}_n"], f"{what}s_due": n[f"{what}_due_n"], f"{what}s_in_time": n[f"{what}_kept_n"]}
        for unit in ("ms", "business_ms"):
            some = n[f"{what}_n"]
            row[f"{what}_mean_{unit}"] = n[f"{what}_sum_{unit}"] / some if some else None
            row |= {f"{what}_{p}_{unit}": n[f"{what}_{p}_{unit}"] if some else None for p in ("p50", "p90")}
    return row


def unlike(found: dict[str, Any], hand: dict[str, Any], names: Iterable[str]) -> list[tuple[str, Any, Any]]:
    """Where numbers differ by more than their rounding, or anything else at all."""
    both = ((name, found[name], hand[name]) for name in names)
    return [(name, a, b) for name, a, b in both if a != b and not (isinstance(a, float) and isclose(a, b, rel_tol=1e-9))]


def key_of(row: dict[str, Any]) -> Key:
    return row["district"], row["scope"], row["school"], row["department"], row["first_day"]


# -- indicators -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("every", ["", "day", "week", "month"])
def test_indicators_are_those_of_a_plain_computation(scene: Scene, every: str) -> None:
    first, last = date(2026, 10, 5), date(2026, 11, 18)
    rows = scene.rows(INDICATORS, "indicators", "--from", str(first), "--to", str(last), *(["--every", every] if every else []))
    by_key = counted(scene.given, first, last, every)
    assert {key_of(row) for row in rows} == set(by_key)
    assert len(rows) == len(by_key) > 20
    for row in rows:
        hand = expected(key_of(row), by_key)
        assert unlike(row, hand, hand) == [], key_of(row)
        assert row["last_day"] <= last
    assert any(row["score"] is not None for row in rows)
    assert any(row["score"] is None for row in rows)


def test_over_the_panes_of_a_window_they_are_what_the_page_shows(scene: Scene) -> None:
    """The same tallies and the same score, where the period is that of the window of four weeks."""
    first, period = (LAST_MINUTE // 720 - 55) * 720, Period(date(2026, 10, 1), date(2026, 11, 18))
    with clickhouse_of(scene.settings).connect() as client:
        for district in exports.districts(client):
            zone = DIRECTORY.zone(district)
            found = exports.tallies(client, district, zone, first, LAST_MINUTE, first_day="2026-10-01", part="")
            rows = [
                dict(zip([column.name for column in INDICATORS], row, strict=True))
                for row in indicator_rows(found, district, DIRECTORY, lambda _: period, NOW)
            ]
            asked = f"SELECT * FROM indicators WHERE window = '28d' AND district = '{district}'"
            shown, described = client.execute(asked, with_column_types=True)
            view = {row[1:4]: dict(zip([name for name, _ in described], row, strict=True)) for row in shown}
            assert {(row["scope"], row["school"], row["department"]) for row in rows} == set(view)
            left_out = {"as_of", "first_day", "last_day", "score_reason"}
            for row in rows:
                same = view[row["scope"], row["school"], row["department"]]
                assert unlike(row, same, [column.name for column in INDICATORS if column.name not in left_out]) == []


def test_days_are_those_of_the_districts_own_calendar(scene: Scene) -> None:
    days = {row["first_day"]: row for row in scene.rows(INDICATORS, "indicators", "--every", "day", "--district", "district-1")}
    assert days[date(2026, 11, 17)]["as_of"] == datetime(2026, 11, 17, 23, 59, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000
    assert all(row["district_name"] == "Far East" for row in days.values())


def test_the_day_that_is_under_way_says_up_to_when(scene: Scene) -> None:
    rows = scene.rows(INDICATORS, "indicators", "--by", "district")
    assert {row["as_of"] for row in rows} == {LAST_MINUTE * MINUTE}


def test_places_and_sorts_can_be_chosen(scene: Scene) -> None:
    rows = scene.rows(INDICATORS, "indicators", "--school", "north", "--by", "school")
    assert {(row["scope"], row["school"], row["department"]) for row in rows} == {("school", "north", "")}
    alike = [row for row in scene.rows(INDICATORS, "indicators") if row["scope"] == "school" and row["school"] == "north"]
    assert rows == alike
    assert {row["school_name"] for row in rows} == {"North High", "north"}


# -- cases ----------------------------------------------------------------------------------------------------------------
def test_cases_are_those_of_the_table(scene: Scene) -> None:
    rows = scene.rows(CASES, "cases", "--from", "1970-01-01")
    names = [column.name for column in CASES]
    with clickhouse_of(scene.settings).connect() as client:
        stored = client.execute(
            f"SELECT {', '.join(names)} FROM cases FINAL WHERE received_at IS NOT NULL ORDER BY district, opened_at, subject, episode"
        )
    in_ms = [tuple(round(v.timestamp() * 1000) if isinstance(v, datetime) else v for v in row) for row in stored]
    assert [tuple(row.values()) for row in rows] == in_ms
    assert len(rows) > 890  # of 900 cases, nearly each has a question


@pytest.mark.parametrize("what", ["cases", "indicators"])
def test_every_form_says_the_same(scene: Scene, what: str, tmp_path: Path) -> None:
    columns, rows = CASES if what == "cases" else INDICATORS, []
    for form in FORMS:
        file = tmp_path / f"out.{form}"
        assert scene.export(what, "--from", "2026-11-01", "--format", form, "--output", str(file)) == b""
        rows.append(read(form, file.read_bytes(), columns))
    assert rows[0] == rows[1] == rows[2]
    assert len(rows[0]) > 20
    assert len(list(tmp_path.iterdir())) == len(FORMS)


def test_indicators_count_the_cases_that_are_exported(scene: Scene) -> None:
    """Whoever adds up the file of cases finds the numbers of the other file."""
    span = ("--from", "2026-10-01", "--to", "2026-11-15", "--district", "district-0")
    cases = [row for row in scene.rows(CASES, "cases", *span) if row["status"] != "spam"]
    [whole] = scene.rows(INDICATORS, "indicators", *span, "--by", "district")
    assert whole["contacts"] == len(cases) > 10


# -- what is refused, and what breaks ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--district", "nowhere"], "--district nowhere: nothing was ever counted for it; there are district-0, district-1, district-2"),
        (["--district", ""], "--district : nothing was ever counted"),
        (["--school", "nowhere"], "--school nowhere: nothing was ever counted for it; there are"),
        (["--department", "'; DROP TABLE cases"], "nothing was ever counted for it"),
        (["--school", "north", "--department", "none"], "--department none: nothing was ever counted for it"),
        (["--output", "no/such/folder/out.csv"], "no/such/folder/out.csv: No such file or directory"),
    ],
)
@pytest.mark.usefixtures("scene")
def test_what_is_not_there_is_told(arguments: list[str], hint: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for what in ("cases", "indicators"):
        assert run(["export", what, "--format", "csv", *arguments]) == ExitCode.USAGE
        said = capfdbinary.readouterr()
        assert said.out == b""
        assert hint in said.err.decode()
        assert said.err.count(b"\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ["indicators"],
        ["oncall", "--once"],
        ["publication", "list"],
        ["publication", "release"],
        ["publication", "withdraw", "--month", "2026-10"],
        ["export", "cases", "--format", "csv"],
    ],
)
@pytest.mark.usefixtures("scene")
def test_a_misspelt_district_is_an_error_with_the_near_names(command: list[str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run([*command, "--district", "District-1"]) == ExitCode.USAGE
    said = capfdbinary.readouterr()
    assert said.out == b""
    assert said.err.startswith(b"frontdesk: --district District-1: nothing was ever counted for it; did you mean district-1")
    assert said.err.count(b"\n") == 1


@pytest.mark.usefixtures("scene")
def test_indicators_that_find_nothing_say_where_what_is_newest_lies(
    filled: tuple[Settings, Histories], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """There are events, and none in the trailing periods."""
    with clickhouse_of(filled[0]).connect() as client:
        client.execute("TRUNCATE TABLE windows")
    assert run(["indicators", "--by", "school_department", "--district", "district-0"]) == ExitCode.OK
    said = capfdbinary.readouterr().err.decode()
    with clickhouse_of(filled[0]).connect() as client:
        [(newest,)] = client.execute("SELECT max(time) FROM events WHERE district = 'district-0'")
    day = f"{newest.replace(tzinfo=UTC).astimezone(ZoneInfo(DIRECTORY.zone('district-0'))):%Y-%m-%d}"
    assert f"the newest event is of {day} " in said
    [command] = re.findall("`frontdesk (.+)`", said)
    assert f"--from {day} --to {day} --district district-0" in command
    assert run(command.split()) == ExitCode.OK
    assert len(capfdbinary.readouterr().out.splitlines()) > 1


def test_a_school_that_only_answers_is_known(filled: tuple[Settings, Histories]) -> None:
    settings, _ = filled
    with clickhouse_of(settings).connect() as client:
        client.execute("INSERT INTO cases (district, opened_at, subject, episode, responded_school, version) VALUES", [GHOST])
        assert exports.is_known(client, "district-0", {"school": "helpers"})
        assert not exports.is_known(client, "district-1", {"school": "helpers"})
        assert not exports.is_known(client, None, {"school": "helpers", "department": "nursing"})


@pytest.mark.usefixtures("scene")
def test_a_period_without_anything_gives_a_heading_and_a_remark(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["export", "cases", "--format", "csv", "--from", "1999-01-01", "--to", "1999-01-31"]) == ExitCode.OK
    said = capfdbinary.readouterr()
    assert said.out.count(b"\r\n") == 1
    assert b"nothing is known of that period" in said.err


MANY = 150_000


@pytest.fixture(scope="module")
def many(clickhouse: "ClickHouseServer") -> Settings:
    """More cases than a pipe or a moment holds."""
    settings = settings_of(clickhouse, "export_many")
    with clickhouse_of(settings).connect() as client:
        client.execute(f"""
            INSERT INTO cases (district, opened_at, subject, episode, status, received_at, version)
            SELECT 'riverside', now64(3) - INTERVAL number SECOND AS at, concat('case-', toString(number)), '/a 1', 'open', at, 1
            FROM numbers({MANY})""")
    return settings


@contextmanager
def exporting(settings: Settings, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "streams.cli", "export", "cases", "--from", "1970-01-01", *arguments]
    environment = {**os.environ, **environment_of(settings)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_for_a_part(folder: Path) -> None:
    """Until something was written."""
    deadline = time.monotonic() + UNTIL_S
    while not any(file.stat().st_size > 100_000 for file in folder.iterdir()):
        assert time.monotonic() < deadline, list(folder.iterdir())
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_one_that_is_ended_leaves_no_file_of_that_name(many: Settings, number: signal.Signals, code: int, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    with exporting(many, "--format", "csv", "--output", str(file)) as child:
        wait_for_a_part(tmp_path)
        child.send_signal(number)
        _, said = child.communicate(timeout=UNTIL_S)
    assert child.returncode == code
    assert not file.exists()
    assert b"Traceback" not in said
    assert [left.suffix for left in tmp_path.iterdir()] == ([".part"] if number == signal.SIGKILL else [])


@pytest.mark.parametrize("form", FORMS)
def test_a_reader_that_has_seen_enough_ends_it(many: Settings, form: str) -> None:
    with exporting(many, "--format", form, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(4)
        child.stdout.close()
        assert child.stderr is not None
        said = child.stderr.read()
        assert child.wait(UNTIL_S) == ExitCode.CLOSED_PIPE, said
    assert b"Traceback" not in said
    assert b"Exception ignored" not in said
