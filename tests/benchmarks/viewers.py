"""How soon many viewers of the page see a contact, and what they cost: 200 streams of one district, while contacts come in."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from streams.clock import WallClock
from streams.kafka.publisher import STRUCTURED, Publisher
from streams.settings import Settings
from streams.simulation import Plan
from streams.terminal.configuration import environment_of
from tests.benchmarks.rig import DEADLINE_S, Process, Stuck, follow, publish, servers, worker

VIEWERS, UPDATES = 200, 30
STUDENTS, DAYS = 2_000, 28
DISTRICT = "riverside"


@dataclass(frozen=True)
class Viewers:
    """Seconds from the publishing of a contact to each viewer's number; CPU as a share of one core; memory in MB."""

    viewers: int
    p50_s: float
    p99_s: float
    worst_s: float
    of_one_core: float
    resident_before_mb: float
    resident_mb: float


class Audience:
    """When each viewer first saw how many contacts: a number is told again whenever anything beside it changes."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[int, float]] = {}
        self.contacts = 0
        """The number that was told last."""

    async def look(self, viewer: int, session: ClientSession, address: str) -> None:
        async with session.get(f"{address}live?district={DISTRICT}&window=28d") as answer:
            async for line in answer.content:
                if line.startswith(b'data: {"district"'):
                    [whole] = [cell for cell in json.loads(line[6:])["cells"] if cell["scope"] == "district"]
                    self.contacts = whole["contacts"]
                    self._seen.setdefault(self.contacts, {}).setdefault(viewer, time.monotonic())

    def all_saw(self, contacts: int) -> bool:
        return len(self.told(contacts)) == VIEWERS

    def told(self, contacts: int) -> list[float]:
        """When each viewer saw this number."""
        return list(self._seen.get(contacts, {}).values())


def measure(updates: int = UPDATES) -> Viewers:
    with servers(page_port=0) as settings, worker(settings) as process, page(settings) as watched:
        follow(settings, process, until=asyncio.run(publish(settings, Plan(WallClock().now(), STUDENTS, DAYS))))
        return asyncio.run(_watch(settings, watched, address_of(watched), updates))


@contextmanager
def page(settings: Settings) -> Iterator[Process]:
    process = Process([sys.executable, "-m", "streams.cli", "page"], environment_of(settings), settings.folder / "page.log")
    try:
        yield process
    finally:
        process.stop()


async def _watch(settings: Settings, page: Process, address: str, updates: int) -> Viewers:
    audience = Audience()
    before = page.read(0)
    many = TCPConnector(limit=0)  # else a client opens no more than 100 streams, and half of the audience sees nothing
    async with (
        ClientSession(timeout=ClientTimeout(total=None), read_bufsize=1 << 20, connector=many) as session,
        asyncio.TaskGroup() as looking,
    ):
        tasks = [looking.create_task(audience.look(viewer, session, address)) for viewer in range(VIEWERS)]
        await _until(lambda: audience.all_saw(audience.contacts))
        began, delays = page.read(0), []
        async with Publisher(settings) as publisher:
            for number in range(updates):
                contacts = audience.contacts + 1
                sent = time.monotonic()
                await publisher.send(DISTRICT, _contact(number), STRUCTURED)
                await publisher.flush()
                await _until(partial(audience.all_saw, contacts))
                delays += [at - sent for at in audience.told(contacts)]
        ended = page.read(0)
        for task in tasks:
            task.cancel()
    share = (ended.cpu_s - began.cpu_s) / (ended.wall_s - began.wall_s)
    return Viewers(VIEWERS, median(delays), quantiles(delays, n=100)[98], max(delays), share, before.resident / 1e6, ended.resident / 1e6)


async def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Stuck("the viewers did not all see it")
        await asyncio.sleep(0.01)


def address_of(process: Process) -> str:
    """Of the page, once it listens."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := re.search(r"http://\S+", process.log.read_text())):
        process.read(0)
        if time.monotonic() > deadline:
            raise Stuck("the page does not listen")
        time.sleep(0.05)
    return found.group()


def _contact(number: int) -> bytes:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    head = {"specversion": "1.0", "id": f"v-{number}", "source": "/bench", "type": "org.frontdesk.contact.v1", "subject": f"v-{number}"}
    return json.dumps(head | {"time": now, "data": {"district": DISTRICT, "stakeholder": f"v-{number}"}}).encode()
