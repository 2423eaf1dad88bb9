"""`frontdesk up` with a ClickHouse of the machine: a program that stands in for it says how it was called, and serves."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse import program_for
from deploy.embedded.process import Identity, find
from deploy.embedded.stack import Stack
from streams.terminal.outcome import ExitCode
from tests.support.clickhouse_stand_in import CALLS, install

VARIABLE = "FRONTDESK_CLICKHOUSE_PROGRAM"


def frontdesk(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    command = [sys.executable, "-m", "streams.cli", *arguments, "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, env=others | variables, check=False, timeout=200)


@pytest.mark.embedded
def test_the_program_is_started_asked_and_ended_like_the_embedded_one(tmp_path: Path) -> None:
    data, program = tmp_path / "data", install(tmp_path)
    clickhouse = data / "clickhouse"
    try:
        up = frontdesk(data, "up", PATH=f"{tmp_path}:{os.environ['PATH']}")
        assert up.returncode == ExitCode.OK, up.stderr
        record = json.loads((data / "stack.json").read_text())["clickhouse"]
        called = json.loads((tmp_path / CALLS).read_text())
        assert called == {"command": "server", "watchdog": "0", "pid": record["pid"]}
        assert record["program"] == str(program)

        config, users = (ET.parse(clickhouse / name).getroot() for name in ("server.xml", "server.users.xml"))  # noqa: S314 - as above
        assert [each.text for each in config.iter("listen_host")] == ["127.0.0.1"]
        assert config.findtext("tcp_port") == str(record["ports"]["native"])
        assert [each.tag for each in config if each.tag.endswith("_port")] == ["tcp_port"]
        assert config.findtext("path") == f"{clickhouse / 'server'}/"
        password = (clickhouse / "password").read_bytes()
        assert users.findtext("users/default/password_sha256_hex") == hashlib.sha256(password).hexdigest()
        assert [each.text for each in users.iter("ip")] == ["127.0.0.1"]
        modes = {name: stat.S_IMODE((clickhouse / name).stat().st_mode) for name in ("password", "server.users.xml", "")}
        assert modes == {"password": 0o600, "server.users.xml": 0o600, "": 0o700}

        assert frontdesk(data, "sql", "SELECT count() FROM events").returncode == ExitCode.OK
        assert f"running ({program})" in " ".join(frontdesk(data, "status").stdout.split())

        #  what somebody else started is found by its lock, and ended by its own process
        (data / "stack.json").unlink()
        assert Stack(data).down() != []
        assert find(Identity(record["pid"], record["created"])) is None

        #  the folder stays with the program
        refused = frontdesk(data, "up", **{VARIABLE: "none"})
        assert refused.returncode == ExitCode.UNAVAILABLE
        assert "has data of a ClickHouse program" in refused.stderr
        again = frontdesk(data, "up", **{VARIABLE: str(program)})
        assert again.returncode == ExitCode.OK, again.stderr
        assert json.loads((data / "stack.json").read_text())["clickhouse"]["ports"] == record["ports"]
    finally:
        assert frontdesk(data, "down").returncode == ExitCode.OK
    assert find(Identity(record["pid"], record["created"])) is None


@pytest.mark.embedded
def test_a_program_that_ends_is_told_with_what_it_said(tmp_path: Path) -> None:
    program = tmp_path / "clickhouse"
    program.write_text("#!/bin/sh\necho no such config >&2\nexit 1\n")
    program.chmod(0o755)
    stack = Stack(tmp_path / "data", str(program))
    with pytest.raises(Unavailable, match=r"ClickHouse ended while starting(.|\n)*no such config"):
        stack.up()
    assert {each.state for each in stack.status()} == {"stopped"}


@pytest.mark.parametrize("named", ["/nowhere/clickhouse", "no-such-program", __file__])
def test_what_cannot_be_run_is_refused_by_the_name_of_the_setting(named: str, tmp_path: Path) -> None:
    said = frontdesk(tmp_path / "data", "up", **{VARIABLE: named})
    assert said.returncode == ExitCode.USAGE
    assert VARIABLE in said.stderr
    assert "no program that can be run" in said.stderr


def test_which_one_serves_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = str(install(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert program_for(tmp_path / "new", None) == ""
    assert program_for(tmp_path / "new", "") == ""
    assert program_for(tmp_path / "new", program) == program
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program_for(tmp_path / "new", None) == program
    assert program_for(tmp_path / "new", "") == ""

    (tmp_path / "old" / "engine").mkdir(parents=True)
    assert program_for(tmp_path / "old", None) == ""
    with pytest.raises(Unavailable, match="FRONTDESK_CLICKHOUSE_PROGRAM=none"):
        program_for(tmp_path / "old", program)

    (tmp_path / "real" / "server").mkdir(parents=True)
    assert program_for(tmp_path / "real", None) == program
    with pytest.raises(Unavailable, match="name the program in FRONTDESK_CLICKHOUSE_PROGRAM"):
        program_for(tmp_path / "real", "")
