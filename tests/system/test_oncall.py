"""`frontdesk oncall` from real rows: who is in the list, in which order, in whose time; alive at a terminal until Ctrl-C."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from streams.cli import run
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode

pytestmark = pytest.mark.embedded
ROOT = Path(__file__).parents[2]
ZONE = "America/Los_Angeles"
DIRECTORY = f"""
revision: 1
zone: {ZONE}
hours: {{monday: 08:00-16:00}}
targets: {{critical: {{response: 2 business hours}}}}
"""
UNTIL_S = 60.0

Case = dict[str, Any]
Listed = Callable[..., str]
CASES: list[Case] = [
    # Minutes from now; what is left out is null. In the order in which they are to be shown.
    {"subject": "late", "waiting_since": -90, "response_warn_at": -60, "response_due_at": -30, "priority": "critical"},
    {"subject": "soon", "waiting_since": -90, "response_warn_at": -10, "response_due_at": 20, "department": "health"},
    {"subject": "asked-again", "waiting_since": -5, "answered_at": -60, "response_due_at": -70, "resolution_due_at": 90, "school": "north"},
    {"subject": "fine", "waiting_since": -10, "response_warn_at": 100, "response_due_at": 200, "school": "north", "topic": "[red]bus"},
    {"subject": "elsewhere", "waiting_since": -10, "response_warn_at": 100, "response_due_at": 300, "district": "lakeside"},
    {"subject": "unpromised", "waiting_since": -500},
    # Not in the list: answered, spam, deleted, and replies to what nobody is known to have asked.
    {"subject": "answered", "answered_at": -5, "response_due_at": -30},
    {"subject": "spam", "resolved_at": -5, "response_due_at": 30, "status": "spam"},
    {"subject": "deleted", "waiting_since": -5, "response_due_at": 30, "is_deleted": 1},
    {"subject": "orphan", "waiting_since": -5, "received_at": None},
]
LISTED = [case["subject"] for case in CASES[:6]]


@pytest.fixture(scope="module")
def settings(clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("oncall")
    (folder / "directory.yaml").write_text(DIRECTORY)
    database = ClickHouse(port=clickhouse.native_port, database="oncall")
    migrate(database)
    with database.connect() as client:
        for case in CASES:
            client.execute(insertion(case))
    return Settings(
        clickhouse_port=clickhouse.native_port, clickhouse_database="oncall", folder=folder, directory=folder / "directory.yaml"
    )


def insertion(case: Case) -> str:
    row = {"district": "riverside", "status": "open", "priority": "routine", "is_deleted": 0, "received_at": -600, "opened_at": -600} | case
    values = {name: instant(value) if name.endswith(("_at", "_since")) else repr(value) for name, value in row.items()}
    return f"INSERT INTO cases ({', '.join(values)}, episode, version) SELECT {', '.join(values.values())}, '/test 1', 1"


def instant(minutes: int | None) -> str:
    return "NULL" if minutes is None else f"addMinutes(now64(3, 'UTC'), {minutes})"


@pytest.fixture
def listed(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Listed:
    """Run the command in this process; gives what it printed."""
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)

    def of(*arguments: str) -> str:
        assert run(["oncall", *arguments]) == ExitCode.OK
        return capsys.readouterr().out

    return of


def test_what_is_due_soonest_comes_first_and_what_is_settled_not_at_all(listed: Listed) -> None:
    rows = json.loads(listed("--format", "json"))
    assert [row["subject"] for row in rows] == LISTED
    assert [row["promise"] for row in rows] == ["missed", "due soon", "in time", "in time", "in time", "no promise"]
    assert [row["target"] for row in rows] == ["response", "response", "resolution", "response", "response", ""]
    assert {row["total"] for row in rows} == {6}
    assert rows[0]["left_ms"] < 0 < rows[1]["left_ms"]


def test_times_are_the_districts_own(listed: Listed) -> None:
    row = json.loads(listed("--format", "json"))[1]
    due_at = datetime.fromisoformat(row["due_at"])
    assert due_at.utcoffset() == due_at.astimezone(ZoneInfo(ZONE)).utcoffset()
    assert abs(due_at - datetime.fromisoformat(row["as_of"]) - timedelta(milliseconds=row["left_ms"])) < timedelta(milliseconds=2)
    assert f"{due_at:%H:%M}" in next(line for line in listed("--once").splitlines() if " soon " in line)


@pytest.mark.parametrize(
    ("arguments", "subjects"),
    [
        (["--district", "lakeside"], ["elsewhere"]),
        (["--school", "north"], ["asked-again", "fine"]),
        (["--department", "health", "--district", "riverside"], ["soon"]),
        (["--department", "health", "--district", "lakeside"], []),
        (["--limit", "2"], ["late", "soon"]),
    ],
)
def test_a_part_can_be_asked_for(arguments: list[str], subjects: list[str], listed: Listed) -> None:
    assert [row["subject"] for row in json.loads(listed("--format", "json", *arguments))] == subjects


def test_a_printed_list_says_all_in_words(listed: Listed) -> None:
    text = listed("--once")
    assert "6 wait: 1 missed, 1 due soon, as of " in text
    assert "!! missed" in text
    assert "30 min late" in text
    assert "[red]bus" in text, "a topic is no markup"
    assert "and 4 more" in listed("--once", "--limit", "2")
    assert re.search(r"\d\d:\d\d\* .* asked-again", text), "an asterisk: what is due is the resolution"


def test_where_the_output_is_no_terminal_the_list_is_printed_once(listed: Listed) -> None:
    assert "6 wait" in listed()


def test_help_teaches_with_an_example(listed: Listed) -> None:
    assert "Example: frontdesk oncall --district riverside" in " ".join(listed("--help").split())


def test_nobody_waits(listed: Listed) -> None:
    assert "0 wait" in listed("--once", "--district", "lakeside", "--department", "health")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--district", "riversid"], "--district riversid: nothing was ever counted for it; did you mean riverside?"),
        (["--school", "nroth"], "--school nroth: nothing was ever counted for it; did you mean north?"),
        (["--department", "helth"], "--department helth: nothing was ever counted for it; did you mean health?"),
    ],
)
@pytest.mark.usefixtures("listed")
def test_a_place_that_is_misspelt_is_an_error(arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["oncall", "--once", *arguments]) == ExitCode.USAGE
    assert capsys.readouterr() == ("", f"frontdesk: {hint}\n")


# -- at a terminal -----------------------------------------------------------------------------------------------------
class Terminal:
    """A command at a terminal of its own, 160 x 40."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        self._mine, its = pty.openpty()
        os.set_blocking(self._mine, False)
        environment = {**os.environ, **environment_of(settings), "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
        command = [sys.executable, "-m", "streams.cli", "oncall", *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=its, stdout=its, stderr=subprocess.PIPE, env=environment)
        os.close(its)
        self.shown = ""

    def wait_for(self, words: str) -> None:
        """Until the words are shown from now on."""
        self.shown = ""
        deadline = time.monotonic() + UNTIL_S
        while words not in self.shown:
            assert time.monotonic() < deadline, self.shown
            assert self.process.poll() is None, self.process.communicate()
            if select.select([self._mine], [], [], 0.2)[0]:
                self.shown += os.read(self._mine, 1 << 16).decode(errors="replace")

    def end(self, number: signal.Signals) -> tuple[int, bytes]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=UNTIL_S)
        while select.select([self._mine], [], [], 0)[0]:
            try:
                self.shown += os.read(self._mine, 1 << 16).decode(errors="replace")
            except OSError:  # the other end is closed: nothing more comes
                break
        return self.process.returncode, errors

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._mine)


@pytest.fixture
def terminal(settings: Settings) -> Iterator[Terminal]:
    opened = Terminal(settings, "--every", "0.2", "--district", "riverside")
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)])
def test_it_ends_cleanly(number: signal.Signals, code: ExitCode, terminal: Terminal) -> None:
    terminal.wait_for("5 wait: 1 missed")
    returned, errors = terminal.end(number)
    assert returned == code
    assert errors == b""
    assert "\x1b[?1049l" in terminal.shown, "the screen is not given back"
    assert "\x1b[?25h" in terminal.shown, "the cursor is not given back"


def test_what_comes_in_is_seen_and_what_is_answered_goes(terminal: Terminal, settings: Settings) -> None:
    terminal.wait_for("5 wait: 1 missed")
    database = ClickHouse(port=settings.clickhouse_port, database=settings.clickhouse_database)
    with database.connect() as client:
        client.execute(insertion({"subject": "new", "waiting_since": -1, "response_warn_at": -1, "response_due_at": 1}))
        terminal.wait_for("6 wait: 1 missed, 2 due soon")
        client.execute("INSERT INTO cases SELECT * REPLACE (NULL AS waiting_since, 2 AS version) FROM cases FINAL WHERE subject = 'new'")
        terminal.wait_for("5 wait: 1 missed, 1 due soon")


def test_a_server_that_goes_away_is_told_below_the_last_list(settings: Settings, tmp_path: Path) -> None:
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        migrate(ClickHouse(port=server.native_port, database="oncall"))
        with ClickHouse(port=server.native_port, database="oncall").connect() as client:
            client.execute(insertion(CASES[0]))
        here = settings.model_copy(update={"clickhouse_port": server.native_port})
        opened = Terminal(here, "--every", "0.2")
        try:
            opened.wait_for("1 wait: 1 missed")
            server.stop()
            opened.wait_for("not read since: ClickHouse does not answer")
            assert "1 wait: 1 missed" in opened.shown
            server.start()
            opened.wait_for("1 wait: 1 missed")
            while "not read since" in opened.shown:
                opened.wait_for("1 wait: 1 missed")
        finally:
            opened.close()
