"""Every wrong flag, file, setting and record of each kind: one clear line, the right exit code, no traceback."""

import json
import logging
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clickhouse_driver.errors import ErrorCodes, ServerException

from streams.cli import run
from streams.cli.application import command
from streams.cli.work.sql import brief
from streams.terminal.outcome import ExitCode

COMMANDS = sorted(command().commands)
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/riverside/helpdesk",
    "type": "org.frontdesk.contact.v1",
    "subject": "case-1",
    "time": "2026-11-20T14:03:22.120Z",
    "data": {"district": "riverside"},
}
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith("FRONTDESK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger(), "handlers", list(logging.getLogger().handlers))  # a worker sets up its own


@pytest.fixture
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port on which connections are refused, as the address of both servers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    monkeypatch.setenv("FRONTDESK_KAFKA_BOOTSTRAP", f"127.0.0.1:{port}")
    monkeypatch.setenv("FRONTDESK_CLICKHOUSE_PORT", str(port))
    return port


Said = Callable[[], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """The last line of standard error; fails where there is a traceback, or more than one line for one mistake."""

    def last_line() -> str:
        text = capsys.readouterr().err
        assert "Traceback" not in text
        assert text.count("frontdesk: ") == 1, text
        return text.strip().splitlines()[-1]

    return last_line


def events_file(folder: Path, *lines: object) -> str:
    file = folder / "events.ndjson"
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return str(file)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == ExitCode.OK
    assert "Example: " in capsys.readouterr().out


def test_help_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert all(f" {name} " in text for name in COMMANDS)
    assert "Exit codes: 0 done" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("frontdesk 0.")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["publish"], "Missing argument"),
        (["publish", "x", "--rate", "0"], "--rate"),
        (["publish", "x", "--rate", "fast"], "--rate"),
        (["publish", "x", "--quick"], "--quick"),
        (["simulate", "--students", "0"], "--students"),
        (["simulate", "--days", "many"], "--days"),
        (["simulate", "--seed", "-1"], "--seed"),
        (["simulate", "--until", "soon", "--out", "-"], "--until soon: no time"),
        (["simulate", "--until", "2026-01-01", "--live", "--out", "-"], "leave out --until"),
        (["simulate", "--until", "2999-01-01"], "lies in the future"),
        (["indicators", "--by", "teacher"], "--by"),
        (["indicators", "--window", "2h"], "--window"),
        (["indicators", "--format", "xml"], "--format"),
    ],
)
def test_a_wrong_flag(arguments: list[str], hint: str, said: Said) -> None:
    assert run(arguments) == ExitCode.USAGE
    assert hint in said()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["indicators", "--by", "shool"],
            "frontdesk: Invalid value for '--by': 'shool' is not one of 'district', 'school', 'department', 'school_department'.",
        ),
        (
            ["export", "cases", "-o", "x"],
            "frontdesk: Missing option '--format'. Choose from: csv, parquet, json (frontdesk export cases --help",
        ),
    ],
)
def test_a_wrong_flag_names_the_choices_and_the_command(arguments: list[str], line: str, said: Said) -> None:
    assert run(arguments) == ExitCode.USAGE
    assert said().startswith(line)


def test_a_folder_where_nothing_runs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["down", "--folder", "elsewhere"]) == ExitCode.OK
    assert "nothing ran in" in capsys.readouterr().err


def test_a_mistake_in_sql_is_told_briefly() -> None:
    assert brief(ServerException("Syntax error: SELEC 1. Expected one of: SELECT, SHOW", ErrorCodes.SYNTAX_ERROR)).endswith("SELEC 1.")
    without_district = ServerException("Empty list of columns in projection", ErrorCodes.EMPTY_LIST_OF_COLUMNS_QUERIED)
    assert brief(without_district).startswith("some views want a district, such as open_cases(")


def test_help_shows_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "--help"]) == ExitCode.OK
    assert "frontdesk[embedded]" in capsys.readouterr().out


def test_a_file_that_is_not_there(said: Said) -> None:
    assert run(["publish", "missing.ndjson"]) == ExitCode.USAGE
    assert said() == "frontdesk: missing.ndjson: No such file or directory"


def test_a_folder_instead_of_a_file(tmp_path: Path, said: Said) -> None:
    assert run(["publish", str(tmp_path)]) == ExitCode.USAGE
    assert said() == f"frontdesk: {tmp_path}: Is a directory"


def test_a_file_that_cannot_be_written(tmp_path: Path, said: Said) -> None:
    assert run(["simulate", "--days", "1", "--students", "1", "--out", str(tmp_path / "no" / "file")]) == ExitCode.USAGE
    assert "No such file or directory" in said()


def test_a_data_folder_that_is_a_file(tmp_path: Path, said: Said) -> None:
    assert run(["status", "--folder", events_file(tmp_path)]) == ExitCode.USAGE
    assert "--folder" in said()


@pytest.mark.parametrize(
    "setting",
    [
        ("FRONTDESK_KAFKA_BOOTSRAP", "x:1", "did you mean FRONTDESK_KAFKA_BOOTSTRAP?"),
        ("FRONTDESK_XYZZY", "1", "is no setting: after FRONTDESK_ comes one of KAFKA_BOOTSTRAP, "),
        ("FRONTDESK_CLICKHOUSE_PORT", "http", "FRONTDESK_CLICKHOUSE_PORT: "),
        ("FRONTDESK_CLICKHOUSE_PORT", "70000", "FRONTDESK_CLICKHOUSE_PORT: "),
        ("FRONTDESK_PARTITIONS", "0", "FRONTDESK_PARTITIONS: "),
        ("FRONTDESK_CLOCK", "sun", "FRONTDESK_CLOCK: "),
        ("FRONTDESK_CLICKHOUSE_DATABASE", "a-b", "FRONTDESK_CLICKHOUSE_DATABASE: "),
    ],
)
@pytest.mark.parametrize("command", [["status"], ["worker"], ["indicators"], ["migrate"], ["publish", "-"], ["simulate"], ["up"], ["down"]])
def test_a_wrong_setting(command: list[str], setting: tuple[str, str, str], said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    name, value, hint = setting
    monkeypatch.setenv(name, value)
    assert run(command) == ExitCode.USAGE
    assert hint in said()


def test_the_demo_never_touches_other_servers(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_KAFKA_BOOTSTRAP", "kafka.example.org:9092")
    assert run(["demo"]) == ExitCode.USAGE
    assert "unset FRONTDESK_KAFKA_BOOTSTRAP" in said()


@pytest.mark.usefixtures("nobody_listens")
@pytest.mark.parametrize("command", [["simulate", "--students", "1"], ["indicators"], ["migrate"], ["worker"]])
def test_servers_that_are_away(command: list[str], said: Said) -> None:
    assert run(command) == ExitCode.UNAVAILABLE
    assert "`frontdesk up`" in said()


def test_publishing_while_kafka_is_away(nobody_listens: int, tmp_path: Path, said: Said) -> None:
    assert run(["publish", events_file(tmp_path, EVENT)]) == ExitCode.UNAVAILABLE
    assert said().startswith(f"frontdesk: Kafka does not answer at 127.0.0.1:{nobody_listens}: ")


@pytest.mark.usefixtures("nobody_listens")
def test_clickhouse_that_hangs_up_during_the_greeting_is_away(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one does that is just stopping: no mistake of Frontdesk, and a worker that meets it can simply be started again."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), HangsUp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("FRONTDESK_CLICKHOUSE_PORT", str(server.server_address[1]))
        assert run(["indicators"]) == ExitCode.UNAVAILABLE
        assert "ClickHouse hung up" in said()
        server.shutdown()


class HangsUp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1 << 12)


def test_status_shows_what_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == ExitCode.UNAVAILABLE
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines() if line.startswith("✗") and "does not answer" in line] == ["Kafka", "ClickHouse"]
    assert "Traceback" not in out + err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kafka": 1}', '{"kafka": {"ports": {}}}', "\x00\xff"])
@pytest.mark.parametrize("command", ["status", "indicators"])
def test_a_damaged_state_file(command: str, content: str, tmp_path: Path, said: Said) -> None:
    (tmp_path / "stack.json").write_text(content)
    assert run([command, "--folder", str(tmp_path)]) == ExitCode.UNAVAILABLE
    assert "stack.json is damaged" in said()


def test_a_stack_whose_password_is_gone(tmp_path: Path, nobody_listens: int, said: Said) -> None:
    (tmp_path / "stack.json").write_text(
        json.dumps({"clickhouse": {"pid": 1, "created": 1.0, "ports": {"native": nobody_listens}, "program": ""}})
    )
    assert run(["indicators", "--folder", str(tmp_path)]) == ExitCode.UNAVAILABLE
    assert "password is not there: run `frontdesk down`, then `frontdesk up`" in said()


def test_a_stack_of_which_half_is_gone(tmp_path: Path, nobody_listens: int, capsys: pytest.CaptureFixture[str]) -> None:
    dead = {"pid": 2**22 - 1, "created": 1.0, "ports": {"plaintext": nobody_listens}, "program": ""}
    (tmp_path / "stack.json").write_text(json.dumps({"kafka": dead}))
    assert run(["status", "--folder", str(tmp_path)]) == ExitCode.UNAVAILABLE
    out, err = capsys.readouterr()
    assert "✗ kafka process       ended without being asked to" in out
    assert "✗ clickhouse process  stopped" in out
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "not_json"),
        ("[1]", "not_cloudevent"),
        ({"x": 1}, "not_cloudevent $.specversion"),
        (EVENT | {"type": "org.frontdesk.party.v1"}, "unknown_type $.type"),
        (EVENT | {"data": {}}, "invalid $.data.district"),
        (EVENT | {"data": {"district": "riverside", "channel": "pigeon"}}, "invalid $.data.channel"),
        (EVENT | {"time": "2099-01-01T00:00:00Z"}, "from_the_future $.time"),
        (EVENT | {"topic": "x" * 300_000}, "too_large"),
    ],
)
def test_a_wrong_record_is_named_by_its_line(line: object, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = events_file(tmp_path, EVENT, "", line, EVENT)
    assert run(["publish", file]) == ExitCode.REFUSED
    err = capsys.readouterr().err
    assert f"{file}:3: {reason}" in err
    assert f"frontdesk: nothing was sent: 1 of 3 lines of {file} are not events" in err
    assert "Traceback" not in err


def test_of_many_mistakes_the_first_are_shown_and_all_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = events_file(tmp_path, *["nonsense"] * 1_000)
    assert run(["publish", file, "--dry-run"]) == ExitCode.REFUSED
    err = capsys.readouterr().err
    assert err.count("not_json") == 20
    assert "1,000 of 1,000 lines" in err


def test_a_dry_run_needs_no_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["publish", events_file(tmp_path, EVENT, EVENT | {"data": {"district": "d", "mood": "good"}}), "--dry-run"]) == ExitCode.OK
    err = capsys.readouterr().err
    assert "2 events, nothing wrong, nothing sent" in err
    assert "not kept: mood (1)" in err


def test_simulated_events_pass_their_own_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "simulated.ndjson")
    assert run(["simulate", "--students", "200", "--days", "5", "--until", "2026-11-20T16:00", "--out", file]) == ExitCode.OK
    assert "new cases per student and school day" in capsys.readouterr().out
    assert run(["publish", file, "--dry-run"]) == ExitCode.OK


# --- as processes -----------------------------------------------------------------------------------------------------


def started(*arguments: str, **streams: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "streams.cli", *arguments], cwd=ROOT, **streams)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    process = started("simulate", "--students", "2000", "--days", "3", "--out", "-", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b'{"id":')
    process.stdout.close()
    _, errors = process.communicate()
    assert process.returncode == ExitCode.CLOSED_PIPE
    assert b"Traceback" not in errors
    assert b"Exception" not in errors


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)])
def test_live_traffic_ends_cleanly(number: signal.Signals, code: ExitCode, tmp_path: Path) -> None:
    file = tmp_path / "live.ndjson"
    process = started(
        "simulate", "--students", "50", "--days", "7", "--live", "--out", str(file), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    wait_for_line(process, b"live: ")
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"Traceback" not in errors
    assert file.read_bytes().endswith(b"}\n")
    assert number != signal.SIGINT or b"events, seed 1" in out


def test_what_comes_through_a_pipe_is_checked_as_it_comes() -> None:
    process = started("publish", "-", "--dry-run", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    _, errors = process.communicate(json.dumps(EVENT).encode() + b"\n\nnonsense\n" + json.dumps(EVENT).encode())
    assert process.returncode == ExitCode.REFUSED
    assert b"stdin:3: not_json" in errors
    assert b"1 of 3 lines of stdin are not events" in errors


def test_a_named_pipe_is_read_as_it_comes_and_only_once() -> None:
    """As a shell names one: publish <(jq ...)."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "publish", f"/dev/fd/{reading}", "--dry-run"],
        cwd=ROOT,
        pass_fds=[reading],
        stderr=subprocess.PIPE,
    )
    os.close(reading)
    os.write(writing, json.dumps(EVENT).encode() + b"\n")
    os.close(writing)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (ExitCode.OK, b"1 events, nothing wrong, nothing sent\n")


@pytest.mark.parametrize("source", ["-", "/dev/null"])
def test_a_source_without_lines_is_no_mistake(source: str) -> None:
    process = started("publish", source, "--dry-run", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == ExitCode.OK, errors
    assert errors.endswith(b"0 events, nothing wrong, nothing sent\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], ExitCode.OK),
        (["status"], ExitCode.UNAVAILABLE),
        (["simulate", "--days", "1", "--students", "3", "--out", "/dev/null"], ExitCode.OK),
        (["directory", "show", "district.yaml"], ExitCode.OK),
    ],
)
def test_an_output_that_is_not_utf_8(arguments: list[str], code: ExitCode, encoding: str, tmp_path: Path) -> None:
    directory = "revision: 1\nzone: Europe/Berlin\nhours: {monday: 08:00-16:00}\ndistricts: {riverside: {name: Bürgerbüro Łódź}}\n"
    (tmp_path / "district.yaml").write_text(directory, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout.decode(encoding) or "/dev/null" in arguments
    assert b"\\u2713" not in done.stdout + done.stderr, "a sign that the output does not have is said in letters"


@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["status"], ExitCode.UNAVAILABLE),
        (["simulate", "--days", "1", "--students", "3", "--out", "-"], ExitCode.OK),
        (["publish", "-", "--dry-run"], ExitCode.OK),
        (["indicators"], ExitCode.UNAVAILABLE),
        (["bogus"], ExitCode.USAGE),
    ],
)
def test_streams_that_are_closed(arguments: list[str], code: ExitCode, closed: tuple[int, ...], tmp_path: Path) -> None:
    """Nothing ends by it, and no file or socket that is opened later takes their place."""

    def close() -> None:
        for number in closed:
            os.close(number)

    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        preexec_fn=close,
    )
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [["status"], ["--help"], ["simulate", "--days", "5", "--students", "50", "--out", "-"]])
def test_an_output_whose_disk_is_full_is_told_in_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        process = started(*arguments, stdout=full.fileno(), stderr=subprocess.PIPE)
        _, errors = process.communicate()
    assert process.returncode == ExitCode.UNAVAILABLE
    assert errors.decode().splitlines()[-1] == "frontdesk: No space left on device"
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    code = "import sys; from streams.cli import run; run(['demo', '--help']); print(HEAVY & set(sys.modules))"
    code = f"HEAVY = {{'aiokafka', 'numpy', 'faust', 'clickhouse_driver', 'structlog'}}; {code}"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert process.stdout.decode().strip().splitlines()[-1] == "set()"


def wait_for_line(process: "subprocess.Popen[bytes]", begin: bytes, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    assert process.stderr is not None
    while not (line := process.stderr.readline()).startswith(begin):
        assert line, "it ended before"
        assert time.monotonic() < deadline


def test_a_signal_that_comes_in_a_finalizer_is_heard_a_moment_later() -> None:
    """What is raised there Python drops."""
    told = subprocess.run([sys.executable, "-c", INTERRUPTED_IN_A_FINALIZER], capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stdout) == (ExitCode.TERMINATED, "")


INTERRUPTED_IN_A_FINALIZER = """
import os, signal, sys, time
from streams.terminal.outcome import guarded

class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def work():
    dying = Dying()
    del dying
    time.sleep(20)
    print("nobody heard")

sys.exit(guarded(work))
"""
