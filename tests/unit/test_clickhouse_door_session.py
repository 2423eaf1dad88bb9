"""A stream ends before its connection, on which the engine would hang; and a process ends with its engine."""

from typing import Any

import pytest

from deploy.embedded.clickhouse import engine as module
from deploy.embedded.clickhouse.engine import ABORTED, DEAD, Engine
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.session import Session


class Connection:
    """Stands in for chdb's, and writes down in which order it is used."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def set_progress_callback(self, _: object) -> None:
        return

    def send_query(self, *_: object, **__: object) -> Any:
        return self

    def fetch(self) -> Any:
        self.calls.append("fetch")
        return self

    def bytes(self) -> bytes:
        return b"\0"

    def cancel(self) -> None:
        self.calls.append("cancel")

    def close(self) -> None:
        self.calls.append("close")


def test_an_open_stream_ends_before_its_connection_whoever_still_holds_it() -> None:
    connection = Connection()
    session = Session(connection)
    held = session.stream("SELECT 1", "Native")
    next(held)
    session.close()
    assert list(held) == []
    held.close()
    assert connection.calls == ["fetch", "cancel", "close"]


class Ended(Exception):
    """Instead of the end of this process."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        raise Ended

    monkeypatch.setattr(module.os, "_exit", end)
    return codes


def engine_that_answers(monkeypatch: pytest.MonkeyPatch, failure: Failure | None) -> Engine:
    def rows(*_: object) -> list[list[Any]]:
        if failure:
            raise failure
        return [[1]]

    engine = Engine.__new__(Engine)
    monkeypatch.setattr(engine, "rows", rows)
    return engine


def test_a_process_ends_with_its_engine(monkeypatch: pytest.MonkeyPatch, ends: list[int]) -> None:
    aborted = Failure(ABORTED, "Aborted. (ABORTED)")
    with pytest.raises(Ended):
        engine_that_answers(monkeypatch, aborted).look_after(aborted)
    assert ends == [DEAD]


def test_a_process_goes_on_while_its_engine_answers(monkeypatch: pytest.MonkeyPatch, ends: list[int]) -> None:
    engine_that_answers(monkeypatch, None).look_after(Failure(ABORTED, "made up. (ABORTED)"))
    engine_that_answers(monkeypatch, Failure(ABORTED, "")).look_after(Failure(60, "No such table. (UNKNOWN_TABLE)"))
    assert ends == []
