"""What strangers can ask of the page, and how much of it they can hold: each bound has an answer, and costs the others nothing."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession
from clickhouse_driver.errors import NetworkError
from prometheus_client import CollectorRegistry

from sinks.page_metrics import PageMetrics
from streams.http import serving
from streams.http.serving import answer
from streams.log import configure_logging
from streams.page import server
from streams.page.hub import Hub
from streams.page.reading import Reading, View
from streams.page.server import DISTRICTS_READ_EVERY_MS, KnownDistricts, application
from tests.support.waiting import until

MOST_VIEWERS, MOST_CONNECTIONS = 3, 10


@dataclass
class ClickHouse:
    """Knows districts, counts who asks which; away on demand. Also the pool that reads it, the reader of any view, and a clock."""

    districts: list[str] = field(default_factory=lambda: ["riverside"])
    asked: int = 0
    content: str = "{}"
    is_away: bool = False
    at: int = 1_795_000_000_000

    def now(self) -> int:
        return self.at

    async def ask(self, read: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)
        if self.is_away:
            raise NetworkError("nobody is there")
        return read(self)

    def execute(self, *_: Any) -> list[tuple[str]]:
        self.asked += 1
        return [(district,) for district in self.districts]

    def reader(self, _: View) -> "ClickHouse":
        return self

    def read(self, _: Any) -> Reading:
        return Reading(self.content, self.at)


@dataclass
class Page:
    port: int
    clickhouse: ClickHouse
    hub: Hub
    metrics: PageMetrics
    session: ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, str, Any]:
        """Status, body and headers; of a stream, its first line."""
        async with self.session.get(f"http://127.0.0.1:{self.port}/{path}", headers=headers) as answered:
            body = await (answered.content.readline() if answered.content_type == "text/event-stream" else answered.read())
            return answered.status, body.decode(), answered.headers

    async def open(self, request: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 10)
        writer.write(request)
        return reader, writer

    def refused(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value("frontdesk_page_refusals_total", {"reason": reason})


LIVE = "live?district=riverside&window=24h"
GET_LIVE = f"GET /{LIVE} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    clickhouse, metrics = ClickHouse(), PageMetrics(CollectorRegistry())
    hub = Hub(clickhouse.reader, clickhouse, clickhouse, stale_after_s=150, most_viewers=MOST_VIEWERS)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession())
        stack.push_async_callback(hub.close)
        app = application(hub, KnownDistricts(clickhouse, clickhouse), metrics)
        port = await answer(stack, app, 0, most_connections=MOST_CONNECTIONS, crowded=lambda: metrics.refused(server.RefusedViewer.CROWDED))
        yield Page(port, clickhouse, hub, metrics, session)


# -- which districts ----------------------------------------------------------------------------------------------------
async def test_a_district_that_does_not_exist_is_not_there_and_costs_the_database_nothing(page: Page) -> None:
    answers = [(await page.get(f"live?district=nowhere-{number}&window=24h"))[:2] for number in range(60)]
    assert answers == [(404, "district is one of /districts\n")] * 60
    assert page.clickhouse.asked == 1
    assert page.hub.views == 0


async def test_a_district_that_is_new_is_there_soon(page: Page) -> None:
    assert (await page.get("live?district=lakeside"))[0] == 404
    page.clickhouse.districts.append("lakeside")
    page.clickhouse.at += DISTRICTS_READ_EVERY_MS
    assert (await page.get("live?district=lakeside"))[0] == 200


async def test_while_the_database_is_away_whoever_asks_is_told_to_come_again(page: Page) -> None:
    page.clickhouse.is_away = True
    for path in ("districts", LIVE):
        status, text, headers = await page.get(path)
        assert (status, headers["Retry-After"]) == (503, "30"), path
        assert "does not answer" in text


async def test_a_district_that_was_known_can_be_looked_at_while_the_database_is_away(page: Page) -> None:
    await page.get("districts")
    page.clickhouse.is_away = True
    page.clickhouse.at += DISTRICTS_READ_EVERY_MS
    reader, writer = await page.open(GET_LIVE)
    assert b'"state":"away"' in await reader.readuntil(b"}\n\n")
    writer.close()


# -- how much one can hold ----------------------------------------------------------------------------------------------
async def test_viewers_beyond_the_bound_are_told_to_come_again_until_one_leaves(page: Page) -> None:
    viewers = [await page.open(GET_LIVE) for _ in range(MOST_VIEWERS)]
    await until(lambda: page.hub.viewers == MOST_VIEWERS)
    status, text, headers = await page.get(LIVE)
    assert (status, headers["Retry-After"], text) == (503, "30", "too many viewers: try again later\n")
    assert page.refused("full") == 1
    viewers[0][1].close()
    await until(lambda: page.hub.viewers < MOST_VIEWERS)
    assert (await page.get(LIVE))[0] == 200
    for _, writer in viewers[1:]:
        writer.close()


async def test_connections_beyond_the_bound_are_told_to_come_again(page: Page) -> None:
    idle = [await page.open() for _ in range(MOST_CONNECTIONS)]
    reader, _ = await page.open(b"GET /districts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    told = await reader.read()
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 30\r\n" in told
    assert page.refused("crowded") == 1
    idle[0][1].close()
    await asyncio.wait_for(idle[0][0].read(), 30)
    assert (await page.get("districts"))[0] == 200
    for _, writer in idle:
        writer.close()


async def test_a_crowd_before_the_bound_is_cut_off_without_a_word(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_TURNED_AWAY", 0)
    idle = [await page.open() for _ in range(MOST_CONNECTIONS)]
    reader, _ = await page.open()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    for _, writer in idle:
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET /districts HTTP/1.1\r\nHost: "], ids=["silent", "half a request"])
async def test_who_says_nothing_is_hung_up_on(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SILENT_S", 0.2)
    async with AsyncExitStack() as stack:
        clickhouse = ClickHouse()
        hub = Hub(clickhouse.reader, clickhouse, clickhouse, stale_after_s=150)
        app = application(hub, KnownDistricts(clickhouse, clickhouse), PageMetrics(CollectorRegistry()))
        port = await answer(stack, app, 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        assert await asyncio.wait_for(reader.read(), 30) == b""


async def test_who_takes_nothing_of_what_is_sent_is_hung_up_on(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TAKEN_WITHIN_S", 0.2)
    page.clickhouse.content = "x" * (16 << 20)
    _, writer = await page.open(GET_LIVE)
    await until(lambda: page.hub.viewers == 1)
    await until(lambda: page.hub.viewers == 0)
    writer.close()


@pytest.mark.parametrize("headers", [{"X-Long": "x" * 10_000}, {f"X-{n}": "x" for n in range(200)}], ids=["long", "many"])
async def test_large_heads_are_refused(page: Page, headers: dict[str, str]) -> None:
    assert (await page.get("districts", **headers))[0] == 400
    assert (await page.get("districts"))[0] == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /districts HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /districts HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST /districts HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
    ],
)
async def test_what_is_no_http_is_answered_and_fills_no_log(page: Page, request_: bytes) -> None:
    out = io.StringIO()
    configure_logging("json", out)
    reader, writer = await page.open(request_)
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith((b"HTTP/1.0 40", b"HTTP/1.1 40"))
    writer.close()
    assert out.getvalue() == ""
    assert (await page.get("districts"))[0] == 200
