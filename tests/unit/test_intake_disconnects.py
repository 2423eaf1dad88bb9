"""Clients that go away, break off or send nonsense at any moment: their doing is counted as theirs, never as a mistake of ours."""

import asyncio
import gzip
import io
import json
import logging
import socket
import struct
from collections.abc import Callable

import pytest

from streams.intake.handler import DISCONNECTED, Patience
from streams.log import configure_logging
from tests.support.intakes import Door, door, event, wire

BODY = wire(event(1))
TYPED = b"Host: localhost\r\nContent-Type: application/cloudevents+json\r\n"
POST = b"POST /events HTTP/1.1\r\n" + TYPED
WITH_LENGTH = POST + b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
PART = BODY[:40]
GZIP = gzip.compress(BODY)

BROKEN_OFF = {
    "before the body": WITH_LENGTH + b"\r\n",
    "in the body": WITH_LENGTH + b"\r\n" + PART,
    "in a chunk": CHUNKED + b"\r\n100\r\n" + PART,
    "between chunks": CHUNKED + b"\r\n28\r\n" + PART + b"\r\n",
    "before the last chunk ends": CHUNKED + b"\r\n28\r\n" + PART + b"\r\n0\r\n",
    "in a packed body": WITH_LENGTH + b"Content-Encoding: gzip\r\n\r\n" + GZIP[:20],
    "after it asked whether to go on": WITH_LENGTH + b"Expect: 100-continue\r\n\r\n",
    "in HTTP/1.0": WITH_LENGTH.replace(b"1.1", b"1.0") + b"\r\n" + PART,
}
"""What is sent before the client is gone."""
BEFORE_A_REQUEST = {
    "nothing": b"",
    "in the line": b"POST /eve",
    "in a header": POST + b"X-",
    "in no HTTP": b"\x16\x03\x01\x02\x00\x01",
}


def close(client: socket.socket) -> None:
    client.close()


def reset(client: socket.socket) -> None:
    """What a machine does that is switched off and on, or a balancer that gives up."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def end_sending(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


WAYS: dict[str, Callable[[socket.socket], None]] = {"closes": close, "resets": reset, "ends": end_sending}


@pytest.fixture
def log() -> io.StringIO:
    out = io.StringIO()
    configure_logging("json", out, logging.DEBUG)
    return out


async def sent(to: Door, content: bytes, leave: Callable[[socket.socket], None], read: bytes = b"") -> None:
    """Send, wait for the beginning of an answer where there is to be one, and go away; until the door has noticed."""
    loop = asyncio.get_running_loop()
    client = socket.create_connection(("127.0.0.1", to.port))
    client.setblocking(False)
    async with asyncio.timeout(30):
        await loop.sock_sendall(client, content)
        if read:
            assert (await loop.sock_recv(client, len(read))).startswith(read)
        else:
            await to_be(lambda: bool(to.server.requests_count) or b"\r\n\r\n" not in content)
        leave(client)
        await to_be(lambda: not to.server.connections)
    client.close()


async def to_be(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.005)


async def is_well(to: Door, log: io.StringIO) -> None:
    """No mistake was counted or logged, nothing is held, and the next one is served."""
    assert "mistake" not in to.refusals()
    levels = [json.loads(line)["level"] for line in log.getvalue().splitlines()]
    assert "error" not in levels, log.getvalue()
    assert to.budget.held == 0
    assert to.link.records == []
    reader, writer = await asyncio.open_connection("127.0.0.1", to.port)
    writer.write(WITH_LENGTH + b"\r\n" + BODY)
    assert b" 202 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", BROKEN_OFF)
async def test_who_goes_away_in_the_middle_of_a_request_has_gone_away(moment: str, way: str, log: io.StringIO) -> None:
    async with door().open() as opened:
        asked = b"HTTP/1.1 100" if "go on" in moment else b""
        await sent(opened, BROKEN_OFF[moment], WAYS[way], asked)
        expected = "not_local" if "1.0" in moment else DISCONNECTED
        assert opened.refusals() == {expected: 1}
        await is_well(opened, log)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", BEFORE_A_REQUEST)
async def test_who_goes_away_before_a_request_has_asked_nothing(moment: str, way: str, log: io.StringIO) -> None:
    async with door().open() as opened:
        await sent(opened, BEFORE_A_REQUEST[moment], WAYS[way])
        assert set(opened.refusals()) <= {"unreadable"}
        await is_well(opened, log)


@pytest.mark.parametrize("way", ["closes", "resets"])
async def test_who_does_not_wait_for_the_answer_has_gone_away(way: str, log: io.StringIO) -> None:
    async with door().open() as opened:
        opened.link.waits = asyncio.Event()
        client = socket.create_connection(("127.0.0.1", opened.port))
        client.sendall(WITH_LENGTH + b"\r\n" + BODY)
        async with asyncio.timeout(30):
            await to_be(lambda: bool(opened.budget.held))
            WAYS[way](client)
            await to_be(lambda: all(each.transport is None for each in opened.server.connections))
            opened.link.waits.set()
            await to_be(lambda: bool(opened.refusals()))
        assert opened.refusals() == {DISCONNECTED: 1}
        opened.link.records.clear()
        opened.link.waits = None
        await is_well(opened, log)


NONSENSE = {
    "a chunk of no size": (400, CHUNKED + b"\r\nxyz\r\n" + PART),
    "a chunk longer than it says": (400, CHUNKED + b"\r\n5\r\n" + PART + b"\r\n0\r\n\r\n"),
    "a negative size": (400, CHUNKED + b"\r\n-5\r\n" + PART + b"\r\n0\r\n\r\n"),
    "a size without end": (400, CHUNKED + b"\r\n" + b"f" * 100 + b"\r\n"),
    "a long extension": (422, CHUNKED + b"\r\n5;" + b"a" * 100_000 + b"\r\nabcde\r\n0\r\n\r\n"),
    "nonsense for a trailer": (400, CHUNKED + b"\r\n5\r\nabcde\r\n0\r\nno trailer\r\n\r\n"),
    "chunks in HTTP/1.0": (403, CHUNKED.replace(b"1.1", b"1.0") + b"\r\n5\r\nabcde\r\n0\r\n\r\n"),
    "a cut gzip": (400, POST + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + GZIP[:20]),
    "a gzip with a wrong sum": (
        400,
        POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIP) + GZIP[:-8] + bytes(8),
    ),
    "an expectation twice": (417, WITH_LENGTH + b"Expect: 100-continue, x\r\n\r\n"),
    "an expectation of HTTP/1.0": (403, WITH_LENGTH.replace(b"1.1", b"1.0") + b"Expect: miracles\r\n\r\n" + BODY),
    "no length in HTTP/1.0": (400, POST.replace(b"1.1", b"1.0") + b"\r\n" + BODY),
    "no length": (422, POST + b"\r\n"),
    "HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "an upgrade": (202, WITH_LENGTH + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n" + BODY),
    "a tunnel": (400, b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n"),
    "everything": (404, b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "headers without end": (400, POST + b"X-Long: " + b"a" * 1_000_000),
    "another version": (400, POST.replace(b"1.1", b"9.9") + b"\r\n"),
    "a body for a page": (200, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"),
}


@pytest.mark.parametrize("name", NONSENSE)
async def test_nonsense_is_the_client_s(name: str, log: io.StringIO) -> None:
    status, request = NONSENSE[name]
    async with door(patience=Patience(body_s=5.0)).open() as opened:
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        writer.write(request)
        async with asyncio.timeout(30):
            line = await reader.readline()
        assert int(line.split()[1]) == status, line
        writer.transport.abort()
        async with asyncio.timeout(30):
            await to_be(lambda: not opened.server.connections)
        opened.link.records.clear()
        await is_well(opened, log)


@pytest.mark.parametrize("way", ["closes", "resets"])
async def test_a_body_that_a_page_has_not_read_may_end_anywhere(way: str, log: io.StringIO) -> None:
    async with door().open() as opened:
        head = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"
        await sent(opened, head, WAYS[way], b"HTTP/1.1 200")
        await is_well(opened, log)
