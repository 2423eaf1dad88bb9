"""The demo from outside, at reduced size: what it shows, how it fails when a number is wrong, and that it leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy.embedded.process import Identity, find, until
from streams.terminal.outcome import ExitCode

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SMALL = ("--students", "300", "--days", "4")
WITHIN_S = 180.0
GONE_WITHIN_S = 30.0

ALTERED = """
import sys
from streams.cli import run
from streams.cli.work import demo as demonstration
from streams.warehouse import clickhouse_of

verified, statement = demonstration._verified, sys.argv[1]

def altered(settings, published):
    with clickhouse_of(settings).connect() as client:
        client.execute(statement, settings={"mutations_sync": 2})
    return verified(settings, published)

demonstration._verified = altered
sys.exit(run(sys.argv[2:]))
"""
"""The demo with one step more, between the last number and its verification."""


@dataclass
class Demo:
    """One demo under way. `temporary` is where it makes its folder; `seen` are all processes that it ever had."""

    process: "subprocess.Popen[bytes]"
    temporary: Path
    out: Path
    errors: Path
    seen: set[Identity] = field(default_factory=set)

    def look(self) -> None:
        """Note the processes that it has now: started ones are its children, and theirs."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        for child in children:
            try:
                self.seen.add(Identity(child.pid, child.create_time()))
            except psutil.NoSuchProcess:
                continue

    def ended(self) -> bool:
        self.look()
        return self.process.poll() is not None

    def said(self, text: str) -> bool:
        self.look()
        return text in self.errors.read_text()

    def left(self) -> list[Identity]:
        return [identity for identity in self.seen if find(identity)]

    def folders(self) -> list[str]:
        return [path.name for path in self.temporary.iterdir()]


Start = Callable[..., Demo]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts demos without a terminal; whatever one leaves is ended after the test."""
    demos: list[Demo] = []

    def demo(program: list[str], *arguments: str) -> Demo:
        temporary, out, errors = tmp_path / "tmp", tmp_path / "out", tmp_path / "errors"
        temporary.mkdir()
        with out.open("wb") as stdout, errors.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, *program, "demo", *SMALL, *arguments],
                cwd=ROOT,
                env=plain_environment() | {"TMPDIR": str(temporary)},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        demos.append(made := Demo(process, temporary, out, errors))
        return made

    yield demo
    for each in demos:
        each.process.kill()
        each.process.wait()
        for identity in each.seen:
            if child := find(identity):
                child.kill()


def plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}


def wait_for(demo: Demo, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s:\n{demo.errors.read_text()}"
        time.sleep(0.05)


def assert_nothing_is_left(demo: Demo) -> None:
    assert len(demo.seen) >= 2, "its servers were never seen, so this shows nothing"
    assert until(lambda: not demo.left(), GONE_WITHIN_S), demo.left()
    assert demo.folders() == []


COMMAND = ["-m", "streams.cli"]


def test_it_shows_the_indicators_checks_them_and_leaves_nothing(start: Start) -> None:
    demo = start(COMMAND)
    wait_for(demo, demo.ended)

    out, errors = demo.out.read_text(), demo.errors.read_text()
    assert demo.process.returncode == ExitCode.OK, errors
    assert "by department, last 28 days, as of " in out
    assert "the five largest schools, last 28 days" in out
    assert "transportation" in out
    assert "rows of indicators equal a computation from the raw events." in out
    assert " distinct events in the topic (" in out
    assert "How to go on" in out
    assert errors.count("✓") >= 7, "progress is shown of every step"
    assert "Traceback" not in out + errors
    assert_nothing_is_left(demo)


def test_a_folder_of_the_user_s_stays_and_says_that_nothing_runs(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    demo = start(COMMAND, "--folder", str(folder))
    wait_for(demo, demo.ended)

    assert demo.process.returncode == ExitCode.OK, demo.errors.read_text()
    assert json.loads((folder / "stack.json").read_text()) == {}
    assert (folder / "clickhouse").is_dir()
    assert_nothing_is_left(demo)


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        pytest.param(
            "INSERT INTO windows SELECT * REPLACE (response_n + 1 AS response_n, version + bitShiftLeft(toUInt128(1), 120) AS version)"
            " FROM windows FINAL WHERE scope = 'department' AND window = '28d' ORDER BY contact_n DESC LIMIT 1",
            ": response_n",
            id="a number of a window",
        ),
        pytest.param(
            "INSERT INTO cases SELECT * REPLACE (reopens + 1 AS reopens, version + 1 AS version) FROM cases FINAL ORDER BY subject LIMIT 1",
            ": reopens",
            id="a number of a case",
        ),
        pytest.param(
            "ALTER TABLE events DELETE WHERE (subject, source, id) IN (SELECT subject, source, id FROM events FINAL ORDER BY time LIMIT 1)",
            "distinct events in the topic",
            id="an event that is missing",
        ),
    ],
)
def test_it_fails_when_a_row_is_altered_before_it_is_checked(start: Start, statement: str, shown: str) -> None:
    demo = start(["-c", ALTERED, statement])
    wait_for(demo, demo.ended)

    out, errors = demo.out.read_text(), demo.errors.read_text()
    assert demo.process.returncode == ExitCode.DIFFERENCE, errors
    assert shown in errors
    assert "rows of indicators equal" not in out
    assert "Traceback" not in out + errors
    assert_nothing_is_left(demo)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)])
@pytest.mark.parametrize("moment", ["  starting kafka", "counting into ClickHouse ..."])
def test_it_cleans_up_when_it_is_interrupted(start: Start, number: signal.Signals, code: ExitCode, moment: str) -> None:
    demo = start(COMMAND)
    wait_for(demo, lambda: demo.said(moment) and len(demo.seen) >= 2)
    demo.process.send_signal(number)
    wait_for(demo, demo.ended)

    errors = demo.errors.read_text()
    assert demo.process.returncode == code, errors
    assert "Traceback" not in errors
    assert_nothing_is_left(demo)
