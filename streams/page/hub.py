"""Many viewers, one reader: what a view shows is read for all who look at it, and each is told when it changed.

A viewer that is slow misses what lay between and gets the newest; nothing is queued for anybody, so memory does not grow
with patience. The reader of a view stops when nobody looks any more.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from clickhouse_driver.errors import Error

from streams.clock import Clock
from streams.page.reading import Reading, View

READ_EVERY_S: Final = 0.5
AWAY_EVERY_S: Final = 2.0

log = structlog.get_logger("page")


class Reads(Protocol):
    """Whoever reads for a view (`streams.page.reading.Reader`)."""

    def read(self) -> Reading: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class State:
    """Whether what is shown is true now: live, stale (the workers are behind or stopped), away (ClickHouse does not answer)."""

    name: str
    as_of: int | None


@dataclass(frozen=True, slots=True)
class News:
    """The two texts that a viewer is sent, and which edition they are of: `content` is '' until there is one."""

    content: str = ""
    content_edition: int = 0
    state: str = ""
    edition: int = 0


class Channel:
    """What the viewers of one view share. Mutable; the hub's loop writes, viewers wait."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.news = News()
        self.viewers = 0
        self._changed = asyncio.Condition()

    async def tell(self, content: str, state: State) -> None:
        """Wake the viewers if anything is new."""
        told = json.dumps({"state": state.name, "as_of": state.as_of}, separators=(",", ":"))
        news, edition = self.news, self.news.edition + 1
        if content == news.content and told == news.state:
            return
        content_edition = news.content_edition if content == news.content else edition
        async with self._changed:
            self.news = News(content, content_edition, told, edition)
            self._changed.notify_all()

    async def next(self, seen: int) -> News:
        """News of a later edition than `seen`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.news.edition > seen)
            return self.news


class Hub:
    """All channels of the process."""

    def __init__(self, make_reader: Callable[[View], Reads], clock: Clock, stale_after_s: float) -> None:
        self._make_reader = make_reader
        self._clock = clock
        self._stale_after_ms = stale_after_s * 1000
        self._channels: dict[View, Channel] = {}
        self._readers: dict[View, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def failure(self) -> None:
        """Wait until a reader ends by a mistake of ours, and raise it."""
        await self._failed

    @property
    def viewers(self) -> int:
        """How many look at anything."""
        return sum(channel.viewers for channel in self._channels.values())

    @asynccontextmanager
    async def watching(self, view: View) -> AsyncIterator[Channel]:
        """The view's channel, kept up to date while in the context."""
        channel = self._channels.get(view)
        if channel is None:
            channel = self._channels[view] = Channel(view)
            reader = self._readers[view] = asyncio.create_task(self._follow(channel))
            reader.add_done_callback(self._ended)
        channel.viewers += 1
        try:
            yield channel
        finally:
            channel.viewers -= 1
            if not channel.viewers:
                await self._leave(view)

    async def close(self) -> None:
        """Stop all readers."""
        for view in list(self._channels):
            await self._leave(view)

    def _ended(self, reader: asyncio.Task[None]) -> None:
        error = None if reader.cancelled() else reader.exception()
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)

    async def _leave(self, view: View) -> None:
        self._channels.pop(view, None)
        reader = self._readers.pop(view, None)
        if reader is not None:
            reader.cancel()
            await asyncio.wait({reader})

    async def _follow(self, channel: Channel) -> None:
        reader, last = self._make_reader(channel.view), Reading("", None)
        try:
            while True:
                try:
                    last = await asyncio.to_thread(reader.read)
                except (Error, OSError, EOFError) as failure:
                    log.warning("ClickHouse does not answer", why=str(failure).splitlines()[0] if str(failure) else type(failure).__name__)
                    await channel.tell(last.content, State("away", last.as_of))
                    await asyncio.sleep(AWAY_EVERY_S)
                else:
                    await channel.tell(last.content, State(self._judge(last.as_of), last.as_of))
                    await asyncio.sleep(READ_EVERY_S)
        finally:
            reader.close()

    def _judge(self, as_of: int | None) -> str:
        return "live" if as_of is not None and self._clock.now() - as_of <= self._stale_after_ms else "stale"
