"""SIGHUP, as far as it goes without a signal: what is taken, what is refused, and that the old directory stays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from events.directory import DEFAULT, Directory
from sinks.clickhouse import retry
from sinks.clickhouse.connection import ClickHouse
from streams.settings import Settings
from streams.worker.watches import directory as reload
from streams.worker.watches.directory import follow_directory

SIMPLE = "revision: {}\nzone: America/Chicago\nhours: {{monday: 08:00-16:00}}\n"


class Taken:
    def __init__(self) -> None:
        self.revisions: list[int] = []

    def adopt(self, directory: Directory) -> None:
        self.revisions.append(directory.revision)


@asynccontextmanager
async def following(file: Path, current: Directory = DEFAULT) -> AsyncIterator[tuple[Taken, asyncio.Event]]:
    taken, hangup = Taken(), asyncio.Event()
    task = asyncio.create_task(follow_directory(taken, ClickHouse(), Settings().model_copy(update={"directory": file}), hangup, current))
    try:
        yield taken, hangup
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def in_force(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What ClickHouse does with a directory: failures first, then the revisions that it got."""
    got: list[Any] = []

    def write(_: ClickHouse, directory: Directory) -> None:
        if got and isinstance(got[0], Exception):
            raise got.pop(0)
        got.append(directory.revision)

    monkeypatch.setattr(reload, "_write", write)
    monkeypatch.setattr(retry, "pause_s", lambda *_: 0)
    return got


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)


async def test_a_higher_revision_is_written_to_clickhouse_and_then_taken(tmp_path: Path, in_force: list[Any]) -> None:
    file = tmp_path / "directory.yaml"
    async with following(file) as (taken, hangup):
        for revision in (4, 5):
            file.write_text(SIMPLE.format(revision), "utf-8")
            hangup.set()
            await until(lambda revision=revision: taken.revisions[-1:] == [revision])  # type: ignore[misc]
    assert in_force == [4, 5]


async def test_a_wrong_file_is_told_with_all_its_mistakes_and_the_old_directory_stays(tmp_path: Path, in_force: list[Any]) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text("revision: 4\nzone: Chicago\nhours: {munday: 08:00-16:00}\n", "utf-8")
    async with following(file) as (taken, hangup):
        with capture_logs() as said:
            hangup.set()
            await until(lambda: bool(said))
            assert [len(line["why"]) for line in said] == [2]
            assert said[0]["log_level"] == "error"
            assert said[0]["why"][0].endswith("line 2: zone: is not an IANA time zone; write `zone: America/Chicago`")
            file.unlink()
            hangup.set()
            await until(lambda: len(said) == 2)
            assert "No such file" in said[1]["why"][0]
        assert taken.revisions == []
        file.write_text(SIMPLE.format(6), "utf-8")
        hangup.set()
        await until(lambda: taken.revisions == [6])
    assert in_force == [6]


async def test_what_clickhouse_refuses_is_not_taken(tmp_path: Path, in_force: list[Any]) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text(SIMPLE.format(4), "utf-8")
    in_force.append(reload.DirectoryRefused("revision 9 is in force"))
    async with following(file) as (taken, hangup):
        with capture_logs() as said:
            hangup.set()
            await until(lambda: bool(said))
        assert said[0]["why"] == ["revision 9 is in force"]
    assert taken.revisions == []


async def test_an_outage_is_waited_for(tmp_path: Path, in_force: list[Any]) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text(SIMPLE.format(4), "utf-8")
    in_force += [EOFError(), ConnectionResetError()]
    async with following(file) as (taken, hangup):
        hangup.set()
        await until(lambda: taken.revisions == [4])


async def test_the_same_file_changes_nothing(tmp_path: Path, in_force: list[Any]) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text(SIMPLE.format(4), "utf-8")
    async with following(file, Directory.parse(SIMPLE.format(4))) as (taken, hangup):
        with capture_logs() as said:
            hangup.set()
            await until(lambda: bool(said))
        assert said[0]["event"] == "directory unchanged"
    assert (taken.revisions, in_force) == ([], [])
