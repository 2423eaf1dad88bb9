"""Many viewers cost as one, the slow ones get the newest, and each state is told."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from streams.page.hub import Channel, Hub, News, State
from streams.page.reading import Reading, View

VIEW = View("riverside", "24h")
NOW = 1_795_000_000_000
MINUTE = 60_000


@dataclass
class Now:
    at: int = NOW

    def now(self) -> int:
        return self.at


@dataclass
class Desk:
    """What ClickHouse would say; counts how often it was asked and how many ask."""

    says: Reading | Exception = field(default_factory=lambda: Reading("one", NOW))
    reads: int = 0
    open: int = 0

    def reader(self, _: View) -> "Desk":
        self.open += 1
        return self

    def read(self) -> Reading:
        self.reads += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def close(self) -> None:
        self.open -= 1


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def hub(desk: Desk, now: Now | None = None) -> Hub:
    return Hub(desk.reader, now or Now(), stale_after_s=150)


def state(news: News) -> str:
    name: str = json.loads(news.state)["state"]
    return name


async def test_two_hundred_viewers_are_one_reader() -> None:
    desk = Desk()
    here = hub(desk)
    seen: list[News] = []

    async def look() -> None:
        async with here.watching(VIEW) as channel:
            seen.append(first := await channel.next(0))
            desk.says = Reading("two", NOW)
            seen.append(await channel.next(first.edition))

    await asyncio.gather(*(look() for _ in range(200)))
    assert sum(news.content == "two" for news in seen) == 200
    assert desk.reads < 20
    assert desk.open == 0
    assert here.viewers == 0


async def test_views_are_read_apart_and_only_while_somebody_looks() -> None:
    desk = Desk()
    here = hub(desk)
    async with here.watching(VIEW) as one, here.watching(View("riverside", "7d")) as other:
        await asyncio.gather(one.next(0), other.next(0))
        assert desk.open == 2
        assert here.viewers == 2
    reads = desk.reads
    assert desk.open == 0
    await asyncio.sleep(0)
    assert desk.reads == reads


async def test_a_slow_viewer_gets_the_newest_and_no_queue() -> None:
    channel = Channel(VIEW)
    for edition in range(1_000):
        await channel.tell(f"edition {edition}", _live())
    news = await channel.next(0)
    assert news.content == "edition 999"
    assert news.edition == 1_000


async def test_what_did_not_change_is_not_told_again() -> None:
    channel = Channel(VIEW)
    await channel.tell("same", _live())
    await channel.tell("same", _live())
    assert channel.news.edition == 1
    await channel.tell("same", _live(NOW + MINUTE))
    assert (channel.news.edition, channel.news.content_edition) == (2, 1)


async def test_numbers_that_no_worker_carries_on_are_stale() -> None:
    desk, now = Desk(), Now()
    here = hub(desk, now)
    async with here.watching(VIEW) as channel:
        assert state(first := await channel.next(0)) == "live"
        now.at += 3 * MINUTE
        assert state(await channel.next(first.edition)) == "stale"
    desk.says = Reading("never counted", None)
    async with here.watching(VIEW) as channel:
        assert state(await channel.next(0)) == "stale"


async def test_an_outage_is_told_and_the_last_numbers_stay() -> None:
    desk = Desk()
    here = hub(desk)
    async with here.watching(VIEW) as channel:
        first = await channel.next(0)
        desk.says = ConnectionRefusedError("refused")
        away = await channel.next(first.edition)
        assert (state(away), away.content) == ("away", "one")
        desk.says = Reading("two", NOW)
        assert state(await channel.next(away.edition)) == "live"


def _live(as_of: int = NOW) -> State:
    return State("live", as_of)


async def test_a_mistake_of_ours_is_not_a_page_that_waits_for_ever() -> None:
    desk = Desk(says=KeyError("a column that is not there"))
    here = hub(desk)
    async with here.watching(VIEW):
        with pytest.raises(KeyError):
            await asyncio.wait_for(here.failure(), 30)
