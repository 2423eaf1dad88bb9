"""`frontdesk directory` beside a real ClickHouse: what is applied is in force, what must not follow is refused, names are in answers."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from events.directory import Directory
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import in_force, write_directory
from sinks.clickhouse.migration import migrate
from streams.cli import run
from streams.terminal.outcome import ExitCode

pytestmark = pytest.mark.embedded

RIVERSIDE = Path(__file__).parents[1] / "unit/directories/riverside.yaml"
Write = Callable[[str, str, str], Path]


@pytest.fixture
def server(clickhouse: ClickHouseServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ClickHouse:
    """A migrated database of the test's own, which the commands find by their settings."""
    for name in [name for name in os.environ if name.upper().startswith("FRONTDESK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    database = f"directory_{abs(hash(request.node.name))}"
    monkeypatch.setenv("FRONTDESK_CLICKHOUSE_PORT", str(clickhouse.native_port))
    monkeypatch.setenv("FRONTDESK_CLICKHOUSE_DATABASE", database)
    server = ClickHouse(port=clickhouse.native_port, database=database)
    migrate(server)
    return server


@pytest.fixture
def changed(tmp_path: Path) -> Write:
    """The file with another revision and one thing changed."""

    def write(revision: str, old: str, new: str) -> Path:
        file = tmp_path / f"revision-{revision}.yaml"
        text = RIVERSIDE.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new).replace("revision: 12", f"revision: {revision}"), "utf-8")
        return file

    return write


def test_what_is_applied_is_in_force(server: ClickHouse, changed: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["directory", "show"]) == ExitCode.UNAVAILABLE
    assert "no directory is in force yet" in capsys.readouterr().err
    assert run(["directory", "apply", str(RIVERSIDE)]) == ExitCode.OK
    assert "revision 12 is in force: revision 12, 2 districts, 2 schools, 2 departments" in capsys.readouterr().err
    assert run(["directory", "apply", str(RIVERSIDE)]) == ExitCode.OK
    assert "in force already" in capsys.readouterr().err
    assert run(["directory", "diff", str(RIVERSIDE)]) == ExitCode.OK

    snow = changed("13", "snow_days: [2026-02-04]", "snow_days: [2026-02-04, 2026-11-17]")
    assert run(["directory", "diff", str(snow)]) == ExitCode.DIFFERENCE
    assert capsys.readouterr().out == "district riverside, school washington, snow days: 2026-11-17 is new\n"
    assert run(["directory", "apply", str(snow)]) == ExitCode.OK
    assert run(["directory", "show", "--district", "riverside", "--at", "2026-11-17"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "revision 13" in shown
    [washington] = [line for line in shown.splitlines() if line.startswith("washington")]
    assert washington.rstrip().endswith("closed")
    with server.connect() as client:
        newest = in_force(client)
    assert newest is not None
    assert Directory.parse(newest.content).content_hash == newest.content_hash


@pytest.mark.parametrize(
    ("revision", "why"),
    [
        ("12", "revision 12 of the directory is in force with other content"),
        ("11", "revision 12 of the directory is in force, and this one says 11: write `revision: 13`"),
    ],
)
def test_what_must_not_follow_is_refused(
    server: ClickHouse, changed: Write, capsys: pytest.CaptureFixture[str], revision: str, why: str
) -> None:
    assert run(["directory", "apply", str(RIVERSIDE)]) == ExitCode.OK
    capsys.readouterr()
    assert run(["directory", "apply", str(changed(revision, "America/Denver", "America/Phoenix"))]) == ExitCode.REFUSED
    assert why in capsys.readouterr().err
    with server.connect() as client:
        assert client.execute("SELECT revision FROM directory_revisions FINAL") == [(12,)]


def test_an_old_content_comes_back_under_a_higher_number(server: ClickHouse, changed: Write) -> None:
    for file in (RIVERSIDE, changed("13", "zone: America/Denver", "zone: America/Phoenix"), changed("14", "revision: 12", "revision: 12")):
        assert run(["directory", "apply", str(file)]) == ExitCode.OK
    with server.connect() as client:
        hashes = client.execute("SELECT content_hash FROM directory_revisions FINAL ORDER BY revision")
    assert hashes[0] == hashes[2] != hashes[1]


def test_a_wrong_file_is_told_line_by_line_and_changes_nothing(
    server: ClickHouse, changed: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    file = changed("13", "zone: America/Denver", "zone: Denver\n    color: blue")
    assert run(["directory", "check", str(file)]) == ExitCode.USAGE
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("; write ")[2] for line in lines] == ["`zone: America/Denver`", lines[1].partition("; write ")[2]]
    assert all(line.startswith(f"{file}: line ") for line in lines)
    assert run(["directory", "apply", str(file)]) == ExitCode.USAGE
    with server.connect() as client:
        assert client.execute("SELECT count() FROM directory_revisions") == [(0,)]


def test_a_revision_writes_only_the_openings_that_it_changes(server: ClickHouse, changed: Write) -> None:
    snow = changed("13", "snow_days: [2026-02-04]", "snow_days: [2026-02-04, 2026-11-17]")
    with server.connect() as client:
        write_directory(client, Directory.parse(RIVERSIDE.read_text("utf-8")))
        before = {name for (name,) in client.execute("SELECT DISTINCT schedule FROM openings")}
        rows = client.execute("SELECT count() FROM openings")[0][0]
        write_directory(client, Directory.parse(snow.read_text("utf-8")))
        new = {name for (name,) in client.execute("SELECT DISTINCT schedule FROM openings")} - before
        assert len(new) == 3
        added = client.execute("SELECT count() FROM openings WHERE schedule IN %(new)s", {"new": tuple(new)})[0][0]
        assert client.execute("SELECT count() FROM openings") == [(rows + added,)]


def test_names_are_there_for_answers_and_what_is_not_listed_shows(server: ClickHouse) -> None:
    with server.connect() as client:
        write_directory(client, Directory.parse(RIVERSIDE.read_text("utf-8")))
        assert client.execute("SELECT district, name, zone, nces_id, route FROM districts ORDER BY district DESC") == [
            ("riverside", "Riverside Unified", "America/Chicago", "4815270", "riverside-office"),
            ("hillside", "Hillside", "America/Denver", "", "everyone"),
        ]
        assert client.execute("SELECT name, level FROM schools WHERE school = 'lincoln-high'") == [("Lincoln High School", "high")]
        assert client.execute("SELECT name, route FROM departments WHERE department = 'transportation'") == [
            ("Transportation", "transportation-on-call")
        ]
        assert client.execute("SELECT count() FROM score_weights WHERE district = 'riverside' AND m = 20") == [(1,)]
        client.execute(
            "INSERT INTO windows (district, scope, school, department, window, contact_n, version) VALUES",
            [
                ("riverside", "district", "", "", "28d", 4, 1),
                ("riverside", "school", "lincoln-high", "", "28d", 1, 1),
                ("riverside", "school", "lincoln-hihg", "", "28d", 1, 1),
                ("riverside", "department", "", "transportation", "28d", 1, 1),
                ("riverside", "department", "", "bus", "28d", 2, 1),
                ("riverside", "department", "", "bus", "24h", 1, 1),
                ("riverside", "school_department", "lincoln-high", "bus", "28d", 1, 1),
                ("riverside", "school", "long-ago", "", "28d", 0, 1),
                ("seaside", "district", "", "", "28d", 1, 1),
                ("seaside", "school", "north", "", "28d", 1, 1),
            ],
        )
        found = client.execute("SELECT district, kind, id, contacts, contacts_24h, contacts_1h FROM unlisted ORDER BY ALL")
    assert found == [
        ("riverside", "department", "bus", 2, 1, 0),
        ("riverside", "school", "lincoln-hihg", 1, 0, 0),
        ("seaside", "district", "seaside", 1, 0, 0),  # and so is all that is in it
    ]
