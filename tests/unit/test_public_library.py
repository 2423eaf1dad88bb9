"""Whoever asks the public page within ten minutes gets what was read for the first; a failure is kept for nobody."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from clickhouse_driver.errors import NetworkError

from streams.page import public
from streams.page.public import MOST_MONTHS_KEPT, READ_EVERY_MS, Library


class Watch:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.at = 1_000_000

    def now(self) -> int:
        return self.at


class Server:
    """Counts who asks; away on demand."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def ask(self, read: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)
        return read(self)

    def execute(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        if self.away:
            raise NetworkError("nobody is there")
        return [("d", "2026-01")]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def library(server: Server, watch: Watch) -> Library:
    return Library(server, watch)


async def test_two_hundred_who_ask_at_once_cost_as_one(library: Library, server: Server) -> None:
    answers = await asyncio.gather(*(library.months() for _ in range(200)))
    assert answers == [{"d": ["2026-01"]}] * 200
    assert server.asked == 1


async def test_it_is_read_again_after_ten_minutes(library: Library, server: Server, watch: Watch) -> None:
    await library.months()
    watch.at += READ_EVERY_MS - 1
    await library.months()
    assert server.asked == 1
    watch.at += 1
    await library.months()
    assert server.asked == 2


async def test_after_a_failure_the_next_one_asks_again(library: Library, server: Server) -> None:
    server.away = True
    with pytest.raises(NetworkError):
        await library.months()
    server.away = False
    assert await library.months() == {"d": ["2026-01"]}


async def test_it_keeps_so_many_months_and_no_more(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, str]] = []
    monkeypatch.setattr(public.publication, "cells", lambda _, district, month: read.append((district, month)))
    for number in range(MOST_MONTHS_KEPT + 1):
        await library.cells("d", str(number))
    await library.cells("d", str(MOST_MONTHS_KEPT))
    await library.cells("d", "0")
    assert len(read) == MOST_MONTHS_KEPT + 2, "the oldest had gone, the newest not"
