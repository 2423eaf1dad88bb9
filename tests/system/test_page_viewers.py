"""Viewers of the page come and go at random while others ask for districts that do not exist: each still sees every change.

200 viewers for 8 seconds; with FRONTDESK_FULL=1 for a minute, and then nobody sees a change later than 2 seconds.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from deploy.embedded.process import Child, tail
from sinks.clickhouse.migration import migrate
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from tests.support.browser import page_process

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

FULL: Final = os.environ.get("FRONTDESK_FULL") == "1"
SECONDS: Final = 60.0 if FULL else 8.0
SEEN_WITHIN_S: Final = 2.0 if FULL else 20.0
"""A machine that is busy with other tests proves nothing about the time."""
VIEWERS: Final = 200
STRANGERS: Final = 60
CHANGE_EVERY_S: Final = 1.0
LONGEST_LOOK_S: Final = 5.0
DISTRICT: Final = "riverside"


@pytest.fixture(scope="module")
def settings(clickhouse: "ClickHouseServer") -> Settings:
    made = Settings(clickhouse_port=clickhouse.native_port, clickhouse_database="page_viewers")
    migrate(clickhouse_of(made))
    count(made, 0)
    return made


@pytest.fixture
def page(settings: Settings, tmp_path: Path) -> Iterator[tuple[Child, str]]:
    with page_process(settings, tmp_path / "page.log") as (child, address):
        yield child, address
        assert child.alive(), tail(tmp_path / "page.log")
        assert "Traceback" not in (tmp_path / "page.log").read_text("utf-8"), tail(tmp_path / "page.log")


def count(settings: Settings, contacts: int) -> None:
    """The district has so many contacts from now on."""
    with clickhouse_of(settings).connect() as client:
        client.execute(
            "INSERT INTO windows (district, scope, window, as_of, contact_n, version) "
            "SELECT %(district)s, 'district', '24h', now(), %(n)s, %(n)s",
            {"district": DISTRICT, "n": contacts},
        )
        client.execute("INSERT INTO progress (partition, as_of, next_offset, version) SELECT 0, now(), %(n)s, %(n)s", {"n": contacts})


@dataclass
class Audience:
    """What there was to see, and when it was seen too late. Times are of `time.monotonic`."""

    address: str
    written: list[float] = field(default_factory=list)
    """When each number of contacts was readable, by the number."""
    looks: int = 0
    late: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    async def come_and_go(self, session: ClientSession, until: float, rng: random.Random) -> None:
        while time.monotonic() < until:
            await self._look(session, rng.uniform(0.0, LONGEST_LOOK_S))

    async def _look(self, session: ClientSession, for_s: float) -> None:
        came, sees, seen_at = time.monotonic(), -1, 0.0
        try:
            async with asyncio.timeout(for_s), session.get(f"{self.address}live?district={DISTRICT}&window=24h") as answer:
                assert answer.status == 200
                async for line in answer.content:
                    if line.startswith(b'data: {"district"'):
                        [whole] = json.loads(line[6:])["cells"]
                        sees, seen_at = whole["contacts"], time.monotonic()
                        self._judge(came, sees, seen_at)
        except TimeoutError:
            pass
        else:
            self.late.append("the page ended a stream")
        self.looks += 1
        self._judge(came, sees + 1, time.monotonic())

    def _judge(self, came: float, contacts: int, at: float) -> None:
        """`contacts` is seen at this moment, or was not seen up to it."""
        if contacts < len(self.written) and (waited := at - max(came, self.written[contacts])) > SEEN_WITHIN_S:
            self.late.append(f"{contacts} contacts, after {waited:.1f} s")

    async def ask_for_nothing(self, session: ClientSession, until: float, name: str) -> None:
        while time.monotonic() < until:
            async with session.get(f"{self.address}live?district={name}&window=24h") as answer:
                self.refused.append(answer.status)
            await asyncio.sleep(1)


async def test_two_hundred_come_and_go_and_see_each_change(settings: Settings, page: tuple[Child, str]) -> None:
    child, address = page
    audience, until = Audience(address), time.monotonic() + SECONDS
    rng = random.Random(7)
    count(settings, 0)
    audience.written.append(time.monotonic())
    async with (
        ClientSession(timeout=ClientTimeout(total=None), read_bufsize=1 << 20, connector=TCPConnector(limit=0)) as session,
        asyncio.TaskGroup() as everybody,
    ):
        for _ in range(VIEWERS):
            everybody.create_task(audience.come_and_go(session, until, random.Random(rng.random())))
        for number in range(STRANGERS):
            everybody.create_task(audience.ask_for_nothing(session, until, f"nowhere-{number}"))
        while time.monotonic() < until:
            await asyncio.sleep(CHANGE_EVERY_S)
            await asyncio.to_thread(count, settings, len(audience.written))
            audience.written.append(time.monotonic())
    assert child.alive()
    assert audience.late == []
    assert set(audience.refused) == {404}
    assert audience.looks > VIEWERS
