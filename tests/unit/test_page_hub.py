"""Many viewers cost as one, the slow ones get the newest, and each state is told."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from streams.page.hub import Broadcast, Freshness, Full, Hub, News
from streams.page.reading import Reading, View
from tests.support.waiting import until

VIEW, OTHER = View("riverside", "24h"), View("riverside", "7d")
Answer = TypeVar("Answer")
NOW = 1_795_000_000_000
MINUTE = 60_000


@dataclass
class Now:
    at: int = NOW

    def now(self) -> int:
        return self.at


@dataclass
class Desk:
    """What ClickHouse would say; counts how often it was asked. Both the reader of any view and the pool that reads."""

    says: Reading | Exception = field(default_factory=lambda: Reading("one", NOW))
    of: dict[View, Reading | Exception] = field(default_factory=dict)
    """Where a view is told something else."""
    reads: int = 0

    async def ask(self, read: Callable[[Any], Answer]) -> Answer:
        await asyncio.sleep(0)
        return read(None)

    def reader(self, view: View) -> "Reader":
        return Reader(self, view)


@dataclass
class Reader:
    processor: Desk
    view: View

    def read(self, _: Any) -> Reading:
        self.processor.reads += 1
        says = self.processor.of.get(self.view, self.processor.says)
        if isinstance(says, Exception):
            raise says
        return says


def hub(processor: Desk, now: Now | None = None, **bounds: int) -> Hub:
    return Hub(processor.reader, processor, now or Now(), stale_after_s=150, **bounds)


def state(news: News) -> str:
    name: str = json.loads(news.state)["state"]
    return name


async def test_two_hundred_viewers_are_one_reader() -> None:
    processor = Desk()
    here = hub(processor)
    seen: list[News] = []

    async def look() -> None:
        with here.watching(VIEW) as channel:
            seen.append(first := await channel.next(0))
            processor.says = Reading("two", NOW)
            seen.append(await channel.next(first.edition))

    await asyncio.gather(*(look() for _ in range(200)))
    assert sum(news.content == "two" for news in seen) == 200
    assert processor.reads < 20
    assert here.viewers == 0
    await until(lambda: here.views == 0)


async def test_views_are_read_apart_and_only_while_somebody_looks() -> None:
    processor = Desk(of={OTHER: Reading("other", NOW)})
    here = hub(processor)
    with here.watching(VIEW) as one, here.watching(OTHER) as other:
        assert [each.content for each in await asyncio.gather(one.next(0), other.next(0))] == ["one", "other"]
        assert (here.viewers, here.views) == (2, 2)
    await until(lambda: here.views == 0)
    reads = processor.reads
    with here.watching(VIEW) as one:
        await one.next(0)
    assert processor.reads == reads + 1, "somebody reads for nobody"


async def test_those_who_come_and_go_cost_as_one_who_stays() -> None:
    processor = Desk()
    here = hub(processor)
    for _ in range(1_000):
        with here.watching(VIEW):
            await asyncio.sleep(0)
    assert processor.reads < 20


async def test_one_viewer_too_many_is_told_so_and_the_others_look_on() -> None:
    here = hub(Desk(), most_viewers=3, most_views=2)
    with here.watching(VIEW), here.watching(OTHER) as other:
        with pytest.raises(Full), here.watching(View("lakeside", "24h")):
            pass
        with here.watching(VIEW):
            with pytest.raises(Full), here.watching(VIEW):
                pass
            assert (await other.next(0)).content == "one"
        with here.watching(VIEW):
            assert here.viewers == 3


async def test_a_slow_viewer_gets_the_newest_and_no_queue() -> None:
    channel = Broadcast(VIEW)
    for edition in range(1_000):
        await channel.publish(f"edition {edition}", _live())
    news = await channel.next(0)
    assert news.content == "edition 999"
    assert news.edition == 1_000


async def test_what_did_not_change_is_not_told_again() -> None:
    channel = Broadcast(VIEW)
    await channel.publish("same", _live())
    await channel.publish("same", _live())
    assert channel.news.edition == 1
    await channel.publish("same", _live(NOW + MINUTE))
    assert (channel.news.edition, channel.news.content_edition) == (2, 1)


async def test_numbers_that_no_worker_carries_on_are_stale() -> None:
    processor, now = Desk(), Now()
    here = hub(processor, now)
    with here.watching(VIEW) as channel:
        assert state(first := await channel.next(0)) == "live"
        now.at += 3 * MINUTE
        assert state(await channel.next(first.edition)) == "stale"
    processor.says = Reading("never counted", None)
    with here.watching(VIEW) as channel:
        assert state(await channel.next(0)) == "stale"


async def test_an_outage_is_told_and_the_last_numbers_stay() -> None:
    processor = Desk()
    here = hub(processor)
    with here.watching(VIEW) as channel:
        first = await channel.next(0)
        processor.says = ConnectionRefusedError("refused")
        away = await channel.next(first.edition)
        assert (state(away), away.content) == ("away", "one")
        processor.says = Reading("two", NOW)
        assert state(await channel.next(away.edition)) == "live"


def _live(as_of: int = NOW) -> Freshness:
    return Freshness("live", as_of)


async def test_a_mistake_of_ours_is_told_and_tried_again_and_ends_no_other_view() -> None:
    processor = Desk(of={OTHER: KeyError("a column that is not there")})
    here = hub(processor)
    with here.watching(VIEW) as channel, here.watching(OTHER) as other:
        assert state(told := await other.next(0)) == "failing"
        assert state(await channel.next(0)) == "live"
        del processor.of[OTHER]
        assert state(await other.next(told.edition)) == "live"
    await here.close()
