"""Many viewers, one reader: what a view shows is read for all who look at it, and each hears when it changed.

A viewer that is slow misses what lay between and gets the newest; nothing is queued for anybody, so memory does not grow
with patience. The reader of a view stops when nobody looks any more: it sees that itself, between two reads, so those who
come and go cost no more than one who stays. What goes wrong in a read is shown to its viewers and tried again, and is
nothing to anybody else.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from clickhouse_driver import Client

from events.exit_code import ExitCode
from sinks.clickhouse.connection import AWAY
from streams.clock import Clock
from streams.page.answers import Pool
from streams.page.reading import Reading, View

READ_EVERY_S: Final = 0.5
AGAIN_AFTER_S: Final = 2.0
"""After a failure."""
MOST_VIEWERS: Final = 2_000
MOST_VIEWS: Final = 500

log = structlog.get_logger("page")


class Full(Exception):
    """So many look already that one more would take from them."""

    exit_code = ExitCode.MISTAKE


class Reads(Protocol):
    """Whoever reads for a view (`streams.page.reading.Reader`)."""

    def read(self, client: Client) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether what is shown is true now.

    live; stale: the workers are behind or stopped; away: ClickHouse does not answer; failing: a mistake of ours in reading it.
    """

    name: str
    as_of: int | None


@dataclass(frozen=True, slots=True)
class News:
    """The two texts that a viewer is sent, and which edition they are of: `content` is '' until there is one."""

    content: str = ""
    content_edition: int = 0
    state: str = ""
    edition: int = 0


class Broadcast:
    """What the viewers of one view share. Mutable; the hub's loop writes, viewers wait."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.news = News()
        self.viewers = 0
        self._changed = asyncio.Condition()

    async def publish(self, content: str, state: Freshness) -> None:
        """Wake the viewers if anything is new."""
        state_text = json.dumps({"state": state.name, "as_of": state.as_of}, separators=(",", ":"))
        news, edition = self.news, self.news.edition + 1
        if content == news.content and state_text == news.state:
            return
        content_edition = news.content_edition if content == news.content else edition
        async with self._changed:
            self.news = News(content, content_edition, state_text, edition)
            self._changed.notify_all()

    async def next(self, seen: int) -> News:
        """News of a later edition than `seen`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.news.edition > seen)
            return self.news


class Hub:
    """All channels of the process."""

    def __init__(
        self,
        make_reader: Callable[[View], Reads],
        pool: Pool,
        clock: Clock,
        *,
        stale_after_s: float,
        most_viewers: int = MOST_VIEWERS,
        most_views: int = MOST_VIEWS,
    ) -> None:
        self._make_reader = make_reader
        self._pool = pool
        self._clock = clock
        self._stale_after_ms = stale_after_s * 1000
        self._most_viewers = most_viewers
        self._most_views = most_views
        self._channels: dict[View, Broadcast] = {}
        self._readers: set[asyncio.Task[None]] = set()

    @property
    def viewers(self) -> int:
        """How many look at anything."""
        return sum(channel.viewers for channel in self._channels.values())

    @property
    def views(self) -> int:
        """How many districts and windows are read."""
        return len(self._channels)

    @contextmanager
    def watching(self, view: View) -> Iterator[Broadcast]:
        """The view's channel, kept up to date while in the context. Raises `Full`."""
        channel = self._channel(view)
        channel.viewers += 1
        try:
            yield channel
        finally:
            channel.viewers -= 1

    def _channel(self, view: View) -> Broadcast:
        if self.viewers >= self._most_viewers:
            raise Full("too many viewers")
        if view not in self._channels:
            if self.views >= self._most_views:
                raise Full("too many districts and windows are looked at")
            channel = self._channels[view] = Broadcast(view)
            reader = asyncio.create_task(self._follow(channel, self._make_reader(view)))
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)
        return self._channels[view]

    async def close(self) -> None:
        """Stop all readers."""
        for reader in list(self._readers):
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _follow(self, channel: Broadcast, reader: Reads) -> None:
        state, last = Freshness("", None), Reading("", None)
        while channel.viewers:
            before, again_after_s = state.name, AGAIN_AFTER_S
            try:
                last = await self._pool.ask(reader.read)
                state, again_after_s = Freshness(self._judge(last.as_of), last.as_of), READ_EVERY_S
            except AWAY as failure:
                state = Freshness("away", last.as_of)
                if state.name != before:
                    why = str(failure).partition("\n")[0] or type(failure).__name__
                    log.warning("ClickHouse does not answer", view=channel.view, why=why)
            except Exception:
                state = Freshness("failing", last.as_of)
                if state.name != before:
                    log.exception("a mistake in reading", view=channel.view)
            await channel.publish(last.content, state)
            await asyncio.sleep(again_after_s)
        del self._channels[channel.view]

    def _judge(self, as_of: int | None) -> str:
        return "live" if as_of is not None and self._clock.now() - as_of <= self._stale_after_ms else "stale"
