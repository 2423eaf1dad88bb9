"""`frontdesk sql`: any question, in any form, with the password that `up` made and nobody is shown."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from clickhouse_driver import Client

from deploy.embedded.clickhouse import password
from deploy.embedded.process import until
from deploy.embedded.stack import Stack
from streams.terminal.outcome import ExitCode

pytestmark = pytest.mark.embedded

COMMAND = [sys.executable, "-m", "streams.cli"]
ROOT = Path(__file__).parents[2]
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("stack") / "data")
    try:
        done = frontdesk(made, "up")
        assert done.returncode == ExitCode.OK, done.stderr
        assert secret(made) not in done.stdout + done.stderr
        yield made
    finally:
        made.down()


def plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")} | {"PYTHONPATH": str(ROOT)}


def frontdesk(stack: Stack, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments, "--folder", str(stack.data)]
    return subprocess.run(command, input=stdin, env=plain() | settings, capture_output=True, text=True, check=False, timeout=60)


def secret(stack: Stack) -> str:
    return stack.clickhouse_password_file.read_text()


def test_a_table_shows_what_a_terminal_would_obey(stack: Stack) -> None:
    done = frontdesk(stack, "sql", "SELECT number AS n, 'a\\nb\\x1b[31m' AS text, NULL AS nothing FROM numbers(2)")
    assert done.stdout.splitlines() == ["n  text          nothing", "-  ------------  -------", r"0  a\nb\x1b[31m", r"1  a\nb\x1b[31m"]


def test_csv_and_json(stack: Stack) -> None:
    query = "SELECT 1 AS n, '=1+1' AS formula, 'a \"b\", c' AS text, [1, 2] AS list, toDateTime64('2026-03-08 10:00:00.5', 3, 'UTC') AS at"
    text = frontdesk(stack, "sql", query, "--format", "csv").stdout
    at = "2026-03-08 10:00:00.500000+00:00"
    assert list(csv.reader(io.StringIO(text))) == [["n", "formula", "text", "list", "at"], ["1", "'=1+1", 'a "b", c', "[1,2]", at]]
    (line,) = frontdesk(stack, "sql", "-", "--format", "json", stdin=query).stdout.splitlines()
    assert json.loads(line) == {"n": 1, "formula": "=1+1", "text": 'a "b", c', "list": [1, 2], "at": "2026-03-08T10:00:00.500000Z"}


def test_statements_without_rows_and_answers_without_rows(stack: Stack) -> None:
    assert frontdesk(stack, "sql", "CREATE TABLE sql_notes (a UInt8) ENGINE = Memory").returncode == ExitCode.OK
    assert frontdesk(stack, "sql", "INSERT INTO sql_notes VALUES (1), (2)").returncode == ExitCode.OK
    assert frontdesk(stack, "sql", "SELECT a FROM sql_notes WHERE a > 5", "--format", "csv").stdout == "a\n"
    assert frontdesk(stack, "sql", "SELECT sum(a) AS s FROM sql_notes", "--format", "json").stdout == '{"s":3}\n'


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELEC 1", ExitCode.USAGE),
        ("", ExitCode.USAGE),
        ("SELECT * FROM nowhere", ExitCode.USAGE),
        ("SELECT throwIf(1)", ExitCode.UNAVAILABLE),
        ("SELECT file('/etc/hostname')", ExitCode.REFUSED),
    ],
)
def test_what_it_cannot_answer_is_one_line_and_a_code(stack: Stack, query: str, code: ExitCode) -> None:
    done = frontdesk(stack, "sql", query)
    assert (done.returncode, done.stdout) == (code, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_any_number_of_rows_in_bounded_memory_and_a_closed_pipe(stack: Stack) -> None:
    command = [*COMMAND, "sql", "SELECT number, randomString(1000) FROM numbers(100000000)", "--format", "csv", "--folder", str(stack.data)]
    with subprocess.Popen(command, env=plain(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        for _ in range(20_000):
            running.stdout.readline()
        assert psutil.Process(running.pid).memory_info().rss < 250 * MEGABYTE
        running.stdout.close()
        assert (running.wait(30), running.stderr.read()) == (ExitCode.CLOSED_PIPE, b"")


def test_ctrl_c_ends_the_statement_in_the_server_too(stack: Stack) -> None:
    command = [
        *COMMAND,
        "sql",
        "SELECT sum(sleepEachRow(1)), 'interrupt me' FROM numbers(600) SETTINGS max_block_size = 1",
        "--folder",
        str(stack.data),
    ]
    count = "SELECT count() FROM system.processes WHERE query LIKE '%interrupt me%' AND query NOT LIKE '%processes%'"
    with Client("127.0.0.1", port=stack.clickhouse_port, password=secret(stack)) as client:
        with subprocess.Popen(command, env=plain(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stderr is not None
            assert until(lambda: client.execute(count) == [(1,)], 30)
            running.send_signal(signal.SIGINT)
            assert (running.wait(30), running.stderr.read()) == (ExitCode.INTERRUPTED, b"")
        assert until(lambda: client.execute(count) == [(0,)], 30)


# ---- the password


def test_the_password_is_the_owners_alone(stack: Stack) -> None:
    assert stack.clickhouse_password_file.stat().st_mode & 0o777 == 0o600
    assert stack.data.stat().st_mode & 0o777 == 0o700
    assert len(secret(stack)) >= 24
    before = secret(stack)
    password.make(stack.clickhouse_password_file)
    assert secret(stack) == before


def test_it_opens_the_embedded_server_and_is_sent_to_no_other(stack: Stack) -> None:
    assert frontdesk(stack, "sql", "SELECT 1", FRONTDESK_CLICKHOUSE_PORT=str(stack.clickhouse_port)).returncode == ExitCode.OK
    for other in ({"FRONTDESK_CLICKHOUSE_PASSWORD": "x"}, {"FRONTDESK_CLICKHOUSE_USER": "x"}, {"FRONTDESK_CLICKHOUSE_HOST": "localhost"}):
        done = frontdesk(stack, "sql", "SELECT 1", **other)
        assert done.returncode == ExitCode.REFUSED
        assert secret(stack) not in done.stderr
