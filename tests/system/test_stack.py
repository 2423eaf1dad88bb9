"""Both servers together: up is idempotent and mends what is half there, down leaves nothing, nobody's death leaves orphans."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from clickhouse_driver import Client

from deploy.embedded import Unavailable
from deploy.embedded.kafka import answers, holder
from deploy.embedded.lock import exclusive
from deploy.embedded.process import Identity, find, until
from deploy.embedded.stack import Stack

pytestmark = pytest.mark.embedded

UP = "import sys; from pathlib import Path; from deploy.embedded.stack import Stack; Stack(Path(sys.argv[1])).up(print)"
FOREGROUND = """
import sys, time
from pathlib import Path
from deploy.embedded.stack import Stack
with Stack(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(600)
"""
SOON_S = 60.0


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of this test's own, not started; down in the end."""
    made = Stack(tmp_path / "data")
    yield made
    made.file.unlink(missing_ok=True)  # a test may have damaged it; what runs is found without
    made.down()


def states(stack: Stack) -> dict[str, str]:
    return {each.name: each.state for each in stack.status()}


def identities(stack: Stack) -> dict[str, Identity]:
    written = json.loads(stack.file.read_text())
    return {name: Identity(record["pid"], record["created"]) for name, record in written.items()}


def kill(identity: Identity) -> None:
    child = find(identity)
    assert child is not None
    child.kill()


def serves(stack: Stack) -> bool:
    client = Client("127.0.0.1", port=stack.clickhouse_port, password=stack.clickhouse_password_file.read_text())
    rows = client.execute("SELECT 1")
    client.disconnect()
    return bool(rows == [(1,)] and answers(int(stack.kafka_bootstrap.split(":")[1]), patience_s=10))


def test_up_outlives_who_called_it_and_is_mended_and_taken_down(stack: Stack) -> None:
    assert states(stack) == {"kafka": "stopped", "clickhouse": "stopped"}

    #  up, by a process that ends
    said = subprocess.run([sys.executable, "-c", UP, str(stack.data)], check=True, capture_output=True, text=True).stdout
    assert "kafka is up" in said
    assert "clickhouse is up" in said
    assert states(stack) == {"kafka": "running", "clickhouse": "running"}
    assert serves(stack)

    #  up again changes nothing
    before = identities(stack)
    stack.up()
    assert identities(stack) == before

    #  one of the two dies: told, and only that one is started
    kill(before["kafka"])
    assert states(stack) == {"kafka": "died", "clickhouse": "running"}
    with pytest.raises(Unavailable, match=r"kafka of .* is not running: start it with `frontdesk up`"):
        _ = stack.kafka_bootstrap
    stack.up()
    assert states(stack) == {"kafka": "running", "clickhouse": "running"}
    assert identities(stack)["clickhouse"] == before["clickhouse"]
    assert identities(stack)["kafka"] != before["kafka"]

    #  the other one dies: down takes the rest
    kill(before["clickhouse"])
    assert states(stack) == {"kafka": "running", "clickhouse": "died"}
    kafka = identities(stack)["kafka"]
    assert stack.down() == ["kafka"]
    assert find(kafka) is None
    assert states(stack) == {"kafka": "stopped", "clickhouse": "stopped"}
    assert stack.down() == []


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_any_name_of_a_folder_in_any_locale(locale: str, tmp_path: Path) -> None:
    """Blanks, quotes, per cent, a comma, letters that are no ASCII, and a path as long as one may be: nothing lies elsewhere."""
    folder = tmp_path / f"Bürgerbüro ä, 'x' \"%20%s\" & #1:2;\\ {'long' * 40}" / "/".join(["x" * 150] * 12) / "data"
    environment = {**os.environ, "LANG": locale, "LC_ALL": locale}

    def frontdesk(command: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "streams.cli", command, "--folder", str(folder)]
        return subprocess.run(arguments, capture_output=True, encoding="utf-8", errors="replace", env=environment, check=False, timeout=200)

    try:
        up = frontdesk("up")
        assert up.returncode == 0, up.stderr
        status = frontdesk("status")
        assert status.returncode == 0, status.stdout + status.stderr
        assert (folder / "kafka" / "log" / "meta.properties").exists()
        assert (folder / "clickhouse" / "engine").exists()
        assert [path.name for path in tmp_path.iterdir()] == [folder.relative_to(tmp_path).parts[0]]
    finally:
        assert frontdesk("down").returncode == 0
    assert holder(folder / "kafka") is None


def test_a_folder_that_the_engine_would_take_for_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="without a question mark in its name"):
        Stack(tmp_path / "why?not").up()
    assert [path.name for path in tmp_path.iterdir()] == ["why?not"]


def test_servers_that_nobody_wrote_down_are_found(stack: Stack) -> None:
    """`up` was killed before it wrote stack.json, or somebody deleted that: down ends both by the locks that they hold."""
    stack.up()
    lost = identities(stack)
    stack.file.unlink()
    assert sorted(stack.down()) == ["clickhouse", "kafka"]
    assert [find(identity) for identity in lost.values()] == [None, None]


def test_when_one_cannot_start_the_other_is_stopped_again(stack: Stack) -> None:
    stack.data.mkdir()
    (stack.data / "clickhouse").write_text("in the way")
    with pytest.raises(Unavailable, match="clickhouse"):
        stack.up()
    assert states(stack) == {"kafka": "stopped", "clickhouse": "stopped"}
    assert (stack.data / "kafka" / "server.properties").exists()
    assert holder(stack.data / "kafka") is None


@contextmanager
def foreground(stack: Stack) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the stack in its foreground; killed at the end of the block."""
    with subprocess.Popen([sys.executable, "-c", FOREGROUND, str(stack.data)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def test_in_the_foreground_it_ends_with_its_caller_even_when_that_is_killed(stack: Stack) -> None:
    with foreground(stack):
        assert states(stack) == {"kafka": "running", "clickhouse": "running"}
        assert serves(stack)
        with pytest.raises(Unavailable, match="already up: end them with `frontdesk down`"), stack:
            pytest.fail("two in one folder")
        running = identities(stack)
    assert until(lambda: not any(find(identity) for identity in running.values()), SOON_S)


def test_in_the_foreground_it_ends_with_the_block_even_when_that_fails(stack: Stack) -> None:
    running: dict[str, Identity] = {}

    def fail() -> None:
        with stack.foreground() as entered:
            assert serves(entered)
            running.update(identities(stack))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert running
    assert not any(psutil.pid_exists(identity.pid) for identity in running.values())
    assert states(stack) == {"kafka": "stopped", "clickhouse": "stopped"}


def test_two_at_once_are_one_too_many(stack: Stack) -> None:
    with exclusive(stack.data / "stack.lock", 0, "never"):
        for act in (stack.up, stack.down, stack.__enter__):
            with pytest.raises(Unavailable, match="another `frontdesk up` or `down` is at work"):
                act()


def test_a_lock_file_left_behind_holds_nothing(stack: Stack) -> None:
    stack.data.mkdir()
    (stack.data / "stack.lock").touch()
    assert stack.down() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kafka": 1}', '{"kafka": {"pid": 1}}'])
def test_a_damaged_state_file_is_told(stack: Stack, text: str) -> None:
    stack.data.mkdir()
    stack.file.write_text(text)
    with pytest.raises(Unavailable, match=r"stack\.json is damaged: delete it"):
        stack.status()


def test_a_data_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="choose another data folder"):
        Stack(tmp_path / "file" / "data").up()


def test_down_where_nothing_ever_was_makes_no_folder(stack: Stack) -> None:
    assert stack.down() == []
    assert not stack.data.exists()
