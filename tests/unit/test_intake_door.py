"""The door over HTTP, before a Kafka that only remembers: what is answered, counted, logged, and what never reaches Kafka."""

import asyncio
import gzip
import io
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
import yarl
from backports import zstd
from jsonschema import Draft202012Validator

from streams.intake.body import MOST_CHUNKS
from streams.intake.grant import Grant
from streams.intake.handler import Patience
from streams.intake.memory_budget import MemoryBudget
from streams.intake.openapi import document, text
from streams.intake.problem import MEDIA_TYPE, Problem, Refusal
from streams.intake.register import Register
from streams.intake.signature import signature
from streams.intake.submission import MOST_EVENTS
from streams.intake.throttle import Throttle
from streams.intake.token_file import new_token
from streams.log import configure_logging
from tests.support.intakes import BATCH, MOST_CONNECTIONS, NDJSON, STRUCTURED, Door, door, event, wire

MIB = 1 << 20
STREAMED = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
ROOT = Path(__file__).parents[2]
SECRET = "Invented Person 555-0100"
"""Stands for what must be logged nowhere."""
KEY = b"k" * 32
TOKENS = {name: new_token() for name in ("all", "narrow", "expired", "revoked", "slow", "reader")}
BEARER = {name: {"Authorization": f"Bearer {token}"} for name, (_, token, _) in TOKENS.items()}
NARROW: dict[str, Any] = {"sources": ("/riverside/*",), "districts": ("riverside",), "types": ("org.frontdesk.contact.v1",)}
LIMITS: dict[str, dict[str, Any]] = {
    "narrow": NARROW,
    "expired": {"expires_at": 1},
    "revoked": {"revoked": True},
    "slow": {"rate": 1.0},
    "reader": {"reads_metrics": True},
}


def register() -> Register:
    grants = {i: Grant(i, digest=bytes.fromhex(sha256), **LIMITS.get(name, {})) for name, (i, _, sha256) in TOKENS.items()}
    return Register(grants | {"signsign": Grant("signsign", signing_key=KEY)})


@pytest.fixture
async def local() -> AsyncIterator[Door]:
    """Without tokens."""
    async with door().open() as opened:
        yield opened


@pytest.fixture
async def guarded() -> AsyncIterator[Door]:
    async with door(register()).open() as opened:
        yield opened


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@dataclass
class Said:
    status: int
    kind: str
    headers: dict[str, str]
    body: Any


async def posted(client: aiohttp.ClientSession, to: Door, body: bytes, *headers: dict[str, str], path: str = "/events") -> Said:
    merged = {name: value for each in headers for name, value in each.items()}
    async with client.post(f"{to.url}{path}", data=body, headers=merged) as answer:
        return await said(answer)


async def said(answer: aiohttp.ClientResponse) -> Said:
    content = await answer.read()
    told = json.loads(content) if content and "json" in answer.content_type else content
    return Said(answer.status, answer.content_type, dict(answer.headers), told)


# -- what is accepted --------------------------------------------------------------------------------------------------
async def test_an_event_is_answered_with_its_place(client: aiohttp.ClientSession, local: Door) -> None:
    answer = await posted(client, local, wire(event(1)), STRUCTURED)
    [record] = local.link.records
    assert (answer.status, answer.kind) == (202, "application/json")
    assert answer.body == {
        "accepted": 1,
        "rejected": 0,
        "events": [{"index": 0, "status": "accepted", "partition": record.partition, "offset": 0}],
    }
    assert local.counted("events_total", token="", outcome="accepted") == 1


async def test_a_batch_is_judged_event_by_event(client: aiohttp.ClientSession, local: Door) -> None:
    answer = await posted(client, local, wire([event(1), {}, event(2)]), BATCH)
    assert answer.status == 207
    assert [each["status"] for each in answer.body["events"]] == ["accepted", "rejected", "accepted"]
    assert (answer.body["events"][1]["reason"], answer.body["events"][1]["path"]) == ("not_cloudevent", "$.specversion")
    assert len(local.link.records) == 2
    assert local.counted("rejections_total", reason="not_cloudevent") == 1


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
async def test_a_batch_of_many_keeps_its_order(
    encoding: str, pack: Callable[[bytes], bytes], client: aiohttp.ClientSession, local: Door
) -> None:
    body = b"\n".join(wire(event(number)) for number in range(3_000))
    answer = await posted(client, local, pack(body), NDJSON, {"content-encoding": encoding})
    assert answer.status == 202
    assert [json.loads(record.value)["id"] for record in local.link.records] == [f"e-{n}" for n in range(3_000)]
    assert local.budget.held == 0


async def test_an_empty_batch_is_nothing_to_do(client: aiohttp.ClientSession, local: Door) -> None:
    assert (await posted(client, local, b"[]", BATCH)).status == 202


async def test_what_is_left_out_is_named(client: aiohttp.ClientSession, local: Door) -> None:
    answer = await posted(client, local, wire(event(1, student_name=SECRET)), STRUCTURED)
    assert (answer.status, answer.body["dropped"]) == (202, ["student_name"])
    assert SECRET.encode() not in local.link.records[0].value


# -- the table of refusals ---------------------------------------------------------------------------------------------
@dataclass
class Case:
    name: str
    status: int
    refusal: Refusal
    body: bytes = field(default_factory=lambda: wire(event(1, stakeholder="s-1", note=SECRET)))
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/events"
    method: str = "POST"


def _signed(**changes: str) -> dict[str, str]:
    body = wire(event(1))
    now = "1"
    return {"webhook-id": "m", "webhook-timestamp": now, "webhook-signature": signature(KEY, "m", now, body), **changes}


BEARER_ALL = BEARER["all"]
TABLE = [
    Case("no token", 401, Refusal.UNAUTHORIZED),
    Case("unknown token", 401, Refusal.UNAUTHORIZED, headers={"Authorization": f"Bearer {new_token()[1]}"}),
    Case("basic", 401, Refusal.UNAUTHORIZED, headers={"Authorization": "Basic eDp5"}),
    Case("token in the address", 401, Refusal.UNAUTHORIZED, path=f"/events?access_token={TOKENS['all'][1]}"),
    Case("token where a signature is asked for", 401, Refusal.UNAUTHORIZED, headers=BEARER_ALL, path="/events/signed"),
    Case("two signers", 401, Refusal.UNAUTHORIZED, path="/events/signed?signer=signsign&signer=signsign"),
    Case("signer without a key", 401, Refusal.UNAUTHORIZED, path=f"/events/signed?signer={TOKENS['all'][0]}"),
    Case("expired", 401, Refusal.EXPIRED, headers=BEARER["expired"]),
    Case("revoked", 401, Refusal.EXPIRED, headers=BEARER["revoked"]),
    Case("wrong district", 403, Refusal.FORBIDDEN, wire(event(1, "lakeside", note=SECRET)), BEARER["narrow"]),
    Case("wrong source", 403, Refusal.FORBIDDEN, wire(event(1) | {"source": "/lakeside/helpdesk"}), BEARER["narrow"]),
    Case("path trick in the source", 403, Refusal.FORBIDDEN, wire(event(1) | {"source": "/riverside/../lakeside"}), BEARER["narrow"]),
    Case("wrong type", 403, Refusal.FORBIDDEN, wire(event(1) | {"type": "org.frontdesk.reply.v1"}), BEARER["narrow"]),
    Case("not signed", 401, Refusal.BAD_SIGNATURE, path="/events/signed?signer=signsign"),
    Case("old signature", 401, Refusal.BAD_SIGNATURE, headers=_signed(), path="/events/signed?signer=signsign"),
    Case("no event", 422, Refusal.REJECTED, wire({"note": SECRET}), BEARER_ALL),
    Case("no json", 422, Refusal.REJECTED, SECRET.encode(), BEARER_ALL),
    Case("too large a value", 422, Refusal.REJECTED, wire(event(1, note="x" * 300_000)), BEARER_ALL),
    Case("no batch", 400, Refusal.UNREADABLE, SECRET.encode(), BEARER_ALL | BATCH),
    Case("oversized", 413, Refusal.TOO_LARGE, SECRET.encode() * 50_000, BEARER_ALL),
    Case("too many", 413, Refusal.TOO_LARGE, b"{}\n" * (MOST_EVENTS + 1), BEARER_ALL | NDJSON),
    Case("bomb of gzip", 413, Refusal.TOO_LARGE, gzip.compress(bytes(64 * MIB)), BEARER_ALL | {"content-encoding": "gzip"}),
    Case("bomb of zstd", 413, Refusal.TOO_LARGE, zstd.compress(bytes(64 * MIB)), BEARER_ALL | {"content-encoding": "zstd"}),
    Case("no gzip", 400, Refusal.UNREADABLE, SECRET.encode(), BEARER_ALL | {"content-encoding": "gzip"}),
    Case("brotli", 415, Refusal.MEDIA_TYPE, SECRET.encode(), BEARER_ALL | {"content-encoding": "br"}),
    Case("text", 415, Refusal.MEDIA_TYPE, SECRET.encode(), BEARER_ALL | {"content-type": "text/plain"}),
    Case("another expectation", 417, Refusal.EXPECTATION, headers=BEARER_ALL | {"Expect": "miracles"}),
    Case("put", 405, Refusal.METHOD, headers=BEARER_ALL, method="PUT"),
    Case("get", 405, Refusal.METHOD, headers=BEARER_ALL, method="GET"),
    Case("another page", 404, Refusal.NOT_FOUND, headers=BEARER_ALL, path="/event"),
    Case("path trick: slash", 404, Refusal.NOT_FOUND, headers=BEARER_ALL, path="/events/"),
    Case("path trick: dots", 404, Refusal.NOT_FOUND, headers=BEARER_ALL, path="/x/../events"),
    Case("path trick: percent", 404, Refusal.NOT_FOUND, headers=BEARER_ALL, path="/%65vents"),
    Case("path trick: two slashes", 404, Refusal.NOT_FOUND, headers=BEARER_ALL, path="//events"),
    Case("metrics from a proxy", 401, Refusal.UNAUTHORIZED, headers={"X-Forwarded-For": "10.0.0.1"}, path="/metrics", method="GET"),
    Case("metrics for a publisher", 403, Refusal.FORBIDDEN, headers=BEARER_ALL | {"Via": "1.1 x"}, path="/metrics", method="GET"),
]


@pytest.fixture
def log() -> io.StringIO:
    """All that is logged, down to the lines for debugging."""
    out = io.StringIO()
    configure_logging("json", out, logging.DEBUG)
    return out


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
async def test_what_is_refused_is_counted_and_not_published(
    case: Case, client: aiohttp.ClientSession, guarded: Door, log: io.StringIO
) -> None:
    url = yarl.URL(guarded.url + case.path, encoded=True)
    data = None if case.method == "GET" else case.body
    async with client.request(case.method, url, data=data, headers=STRUCTURED | case.headers) as response:
        answer = await said(response)
    assert (answer.status, answer.kind) == (case.status, MEDIA_TYPE), answer.body
    assert answer.body["type"] == f"urn:frontdesk:problem:{case.refusal.value}"
    assert answer.body["status"] == case.status
    assert guarded.refusals() == {case.refusal.value: 1}
    assert guarded.link.records == []
    assert guarded.budget.held == 0
    assert SECRET not in json.dumps(answer.body)
    logged = log.getvalue()
    assert f'"{case.refusal.value}"' in logged
    assert SECRET not in logged
    assert "fd_" not in logged


RAW = {
    "token twice": b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded header": b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: a\r\n b\r\n\r\n",
    "space in a name": b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type : a\r\n\r\n",
    "null in a value": b"POST /events HTTP/1.1\r\nHost: x\r\nCe-Id: a\x00b\r\n\r\n",
    "long header": b"POST /events HTTP/1.1\r\nHost: x\r\nCe-Id: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"POST /events HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(500)) + b"\r\n",
    "long path": b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 " + SECRET.encode() + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", RAW)
async def test_what_is_no_request_is_refused_likewise(name: str, guarded: Door, log: io.StringIO) -> None:
    head, answer = await exchanged(guarded, RAW[name])
    assert b" 400 " in head.splitlines()[0]
    assert answer["type"] == "urn:frontdesk:problem:unreadable"
    assert guarded.refusals() == {"unreadable": 1}
    assert guarded.link.records == []
    assert SECRET not in log.getvalue()


HEADERS = [
    *("content-type", "content-encoding", "accept", "accept-encoding", "authorization", "host", "origin", "forwarded", "x-forwarded-for"),
    *("ce-specversion", "ce-id", "ce-type", "ce-source", "ce-subject", "ce-time", "ce-partitionkey", "ce-other", "ce-\xff"),
    *("webhook-request-origin", "webhook-request-rate", "webhook-request-callback", "webhook-id", "webhook-timestamp", "webhook-signature"),
]
BINARY = {
    "host": "localhost",
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "a",
    "ce-type": "org.frontdesk.contact.v1",
    "ce-source": "/s",
    "ce-subject": "c",
    "ce-time": "2026-11-20T14:03:22Z",
    "webhook-request-origin": "helpdesk.example.org",
    "webhook-id": "d",
    "webhook-timestamp": "1795442602",
    "webhook-signature": "v1,AAAA",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(
    "line", ["POST /events", "POST /events/signed?signer=signsign", "OPTIONS /events", "GET /metrics", "GET /openapi.yaml"]
)
async def test_a_header_that_is_no_text_is_read_or_refused(line: str, name: str, local: Door, guarded: Door) -> None:
    body = wire(event(1)["data"])
    headers = BINARY | {"content-length": str(len(body)), name: "\xff"}
    head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    for to in (local, guarded):
        answer = await status(to, f"{line} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        assert 200 <= answer < 500
        assert "mistake" not in to.refusals()


@asynccontextmanager
async def answer_to(request: bytes, to: Door) -> AsyncIterator[asyncio.StreamReader]:
    """What comes back over a connection of its own, within 30 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", to.port)
    try:
        writer.write(request)
        async with asyncio.timeout(30):
            yield reader
    finally:
        writer.close()


async def status(to: Door, request: bytes) -> int:
    async with answer_to(request, to) as reader:
        return int((await reader.readline()).split()[1])


async def exchanged(to: Door, request: bytes) -> tuple[bytes, dict[str, Any]]:
    async with answer_to(request, to) as reader:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line for line in head.splitlines() if line.lower().startswith(b"content-length")).split()[1])
        return head, json.loads(await reader.readexactly(length))


async def test_all_reasons_have_a_status_and_each_is_documented() -> None:
    assert all(400 <= refusal.status < 600 for refusal in Refusal)
    told = document()["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert told == [Problem(refusal, "").body["type"] for refusal in Refusal]


async def test_without_tokens_only_this_machine_publishes(client: aiohttp.ClientSession, local: Door) -> None:
    for headers in ({"X-Forwarded-For": "10.0.0.1"}, {"Host": "intake.example.org"}, {"Forwarded": "for=10.0.0.1"}):
        answer = await posted(client, local, wire(event(1)), STRUCTURED, headers)
        assert (answer.status, answer.body["type"]) == (403, "urn:frontdesk:problem:not_local")
    assert local.refusals() == {"not_local": 3}
    assert local.link.records == []


# -- tokens ------------------------------------------------------------------------------------------------------------
async def test_a_token_publishes_what_it_covers(client: aiohttp.ClientSession, guarded: Door) -> None:
    answer = await posted(client, guarded, wire([event(1), event(2, "lakeside")]), BATCH, BEARER["narrow"])
    assert answer.status == 207
    assert [each.get("reason") for each in answer.body["events"]] == [None, "forbidden"]
    assert [record.key for record in guarded.link.records] == [b"riverside"]
    assert guarded.counted("events_total", token=TOKENS["narrow"][0], outcome="accepted") == 1


async def test_a_rate_is_held(client: aiohttp.ClientSession, guarded: Door) -> None:
    assert (await posted(client, guarded, wire([event(n) for n in range(20)]), BATCH, BEARER["slow"])).status == 202
    answer = await posted(client, guarded, wire(event(21)), STRUCTURED, BEARER["slow"])
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 11
    assert (await posted(client, guarded, wire(event(22)), STRUCTURED, BEARER_ALL)).status == 202


async def test_metrics_are_for_who_may_read_them(client: aiohttp.ClientSession, guarded: Door) -> None:
    for headers in ({}, {"X-Forwarded-For": "10.0.0.1"} | BEARER["reader"]):
        async with client.get(f"{guarded.url}/metrics", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "text/plain")
            assert "frontdesk_intake_ready 1.0" in await answer.text()


async def test_other_tokens_are_in_force_when_they_were_read_again(client: aiohttp.ClientSession, guarded: Door) -> None:
    guarded.handler.authentication.register = Register({})
    assert (await posted(client, guarded, wire(event(1)), STRUCTURED, BEARER_ALL)).status == 401


# -- signatures --------------------------------------------------------------------------------------------------------
def signed(body: bytes, delivery: str) -> dict[str, str]:
    now = str(int(time.time()))
    return {"webhook-id": delivery, "webhook-timestamp": now, "webhook-signature": signature(KEY, delivery, now, body)}


async def test_a_signed_delivery_is_taken_once(client: aiohttp.ClientSession, guarded: Door) -> None:
    body = wire(event(1))
    headers = signed(body, "m-1")
    assert (await posted(client, guarded, body, STRUCTURED, headers, path="/events/signed?signer=signsign")).status == 202
    again = await posted(client, guarded, body, STRUCTURED, headers, path="/events/signed?signer=signsign")
    assert (again.status, again.body) == (202, {"accepted": 0, "rejected": 0, "events": []}), "senders take anything else for a failure"
    assert guarded.refusals() == {}
    assert len(guarded.link.records) == 1


async def test_a_signed_delivery_that_comes_while_it_is_taken_is_to_come_once_more(client: aiohttp.ClientSession, guarded: Door) -> None:
    body = wire(event(1))
    headers, path = signed(body, "m-0"), "/events/signed?signer=signsign"
    guarded.link.waits = asyncio.Event()
    first = asyncio.create_task(posted(client, guarded, body, STRUCTURED, headers, path=path))
    async with asyncio.timeout(30):
        while not guarded.budget.held:  # noqa: ASYNC110 - the door tells nobody when it has read
            await asyncio.sleep(0.01)
    answer = await posted(client, guarded, body, STRUCTURED, headers, path=path)
    assert (answer.status, answer.body["type"], answer.headers["Retry-After"]) == (503, "urn:frontdesk:problem:under_way", "1")
    guarded.link.waits.set()
    assert (await first).status == 202
    assert len(guarded.link.records) == 1


async def test_guesses_at_a_secret_are_limited_by_whose_it_is(client: aiohttp.ClientSession, guarded: Door) -> None:
    """Nobody is shut out by another one's: not by guesses at an id that is nobody's, nor by one old secret again and again."""

    async def told(token: str) -> int:
        return (await posted(client, guarded, wire(event(1)), STRUCTURED, {"Authorization": f"Bearer {token}"})).status

    guessed, others = (TOKENS[name][0] for name in ("all", "reader"))
    assert [await told(f"fd_{guessed}_{n}") for n in range(12)] == [401] * 10 + [429] * 2
    assert await told(TOKENS["all"][1]) == 429
    assert {await told(f"fd_{others}_old") for _ in range(15)} == {401}
    assert {await told(f"fd_nobodys1_{n}") for n in range(15)} == {401}
    assert await told(TOKENS["reader"][1]) == 202
    assert guarded.refusals() == {"unauthorized": 40, "too_many_tries": 3}


async def test_wrong_signatures_are_limited_too(client: aiohttp.ClientSession, guarded: Door) -> None:
    path, wrong = "/events/signed?signer=signsign", [signed(b"{}", f"m-{n}") for n in range(12)]
    answers = [await posted(client, guarded, wire(event(1)), STRUCTURED, each, path=path) for each in wrong]
    assert [answer.status for answer in answers] == [401] * 10 + [429] * 2
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 6


async def test_a_signed_delivery_that_was_not_taken_may_come_again(client: aiohttp.ClientSession, guarded: Door) -> None:
    body = wire(event(1))
    headers = signed(body, "m-2")
    guarded.link.acknowledges = False
    assert (await posted(client, guarded, body, STRUCTURED, headers, path="/events/signed?signer=signsign")).status == 503
    guarded.link.acknowledges = True
    assert (await posted(client, guarded, body, STRUCTURED, headers, path="/events/signed?signer=signsign")).status == 202


async def test_a_signature_covers_packed_bytes_and_no_headers(client: aiohttp.ClientSession, guarded: Door) -> None:
    packed = gzip.compress(wire(event(1)))
    gzipped = {"content-encoding": "gzip"} | signed(packed, "m-3")
    assert (await posted(client, guarded, packed, STRUCTURED, gzipped, path="/events/signed?signer=signsign")).status == 202
    data = b'{"district":"riverside"}'
    binary = {"content-type": "application/json", "ce-specversion": "1.0"} | signed(data, "m-4")
    assert (await posted(client, guarded, data, binary, path="/events/signed?signer=signsign")).status == 415


# -- under pressure ----------------------------------------------------------------------------------------------------
async def test_kafka_away_is_told(client: aiohttp.ClientSession, local: Door) -> None:
    local.link.away = "Kafka does not answer"
    answer = await posted(client, local, wire(event(1)), STRUCTURED)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    async with client.get(f"{local.url}/health/ready") as ready:
        assert (ready.status, await ready.json()) == (503, {"ready": False, "reasons": ["Kafka does not answer"]})
    async with client.get(f"{local.url}/health/live") as live:
        assert live.status == 200


async def test_what_is_not_known_is_told_event_by_event(client: aiohttp.ClientSession, local: Door) -> None:
    local.link.acknowledges = False
    answer = await posted(client, local, wire([event(1), {}]), BATCH)
    assert (answer.status, answer.kind) == (503, MEDIA_TYPE)
    assert [each["status"] for each in answer.body["events"]] == ["unknown", "rejected"]
    assert local.counted("events_total", token="", outcome="unknown") == 1


async def test_memory_for_requests_is_bounded(client: aiohttp.ClientSession) -> None:
    async with door(budget_bytes=2 * MIB).open() as crowded:
        crowded.link.waits = asyncio.Event()
        body = wire([event(n, note="x" * 1000) for n in range(600)])
        first = asyncio.create_task(posted(client, crowded, body, BATCH))
        async with asyncio.timeout(30):
            while crowded.budget.held < len(body):  # noqa: ASYNC110 - the door tells nobody when it has read
                await asyncio.sleep(0.01)
        answer = await posted(client, crowded, body, BATCH)
        assert (answer.status, answer.body["type"], "Retry-After" in answer.headers) == (503, "urn:frontdesk:problem:crowded", True)
        crowded.link.waits.set()
        assert (await first).status == 202
        assert crowded.budget.held == 0
        assert (await posted(client, crowded, body, BATCH)).status == 202


@pytest.mark.parametrize("greedy", [1, 5, 50])
def test_however_many_send_much_there_is_room_for_one_that_sends_little(greedy: int) -> None:
    budget = MemoryBudget(32 * MIB)
    claims = [budget.claim() for _ in range(greedy)]
    while claims:  # in turn, until each is refused
        for claim in claims[:]:
            try:
                claim.grow(4096)
            except Problem:
                claims.remove(claim)
    assert budget.held > budget.most_bytes * greedy // (greedy + 2), "what may be held is held"
    budget.claim().grow(budget.most_bytes // (greedy + 2) // 2)


async def test_a_slow_body_is_not_waited_for() -> None:
    async with door(patience=Patience(body_s=0.2)).open() as impatient:
        request = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 100\r\n\r\n{"
        head, answer = await exchanged(impatient, request)
        assert b" 408 " in head
        assert answer["type"] == "urn:frontdesk:problem:too_slow"
        assert impatient.budget.held == 0


LARGE_CHUNK, SMALL_CHUNK = b"10000\r\n" + bytes(1 << 16) + b"\r\n", b"1\r\nx\r\n"


@pytest.mark.parametrize("chunks", [LARGE_CHUNK * 17, SMALL_CHUNK * (MOST_CHUNKS + 1)], ids=["too much", "too many"])
async def test_chunks_are_read_up_to_a_limit(chunks: bytes, local: Door) -> None:
    head, answer = await exchanged(local, STREAMED + chunks)
    assert b" 413 " in head.splitlines()[0]
    assert answer["type"] == "urn:frontdesk:problem:too_large"
    assert local.budget.held == 0


async def test_a_client_that_sends_all_before_it_reads_finds_its_answer(guarded: Door) -> None:
    """And what looks like another request in what was not read is none."""
    smuggled = STREAMED + b"0\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
    writer.write(STREAMED)
    async with asyncio.timeout(30):
        assert b" 401 " in await reader.readline()
        for _ in range(2 * MIB // len(smuggled)):
            writer.write(smuggled)
        await writer.drain()
        assert (await reader.read()).count(b"HTTP/1.1") == 0
    writer.close()
    assert guarded.refusals() == {"unauthorized": 1}


async def test_who_goes_on_sending_after_the_answer_is_cut_off(guarded: Door) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
    writer.write(STREAMED)

    async def go_on() -> None:
        while True:
            writer.write(bytes(MIB))
            await writer.drain()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(go_on(), 30)


async def test_there_are_so_many_connections(local: Door, log: io.StringIO) -> None:
    crowd = [await asyncio.open_connection("127.0.0.1", local.port) for _ in range(MOST_CONNECTIONS + 1)]
    async with asyncio.timeout(30):
        while not local.refusals():  # noqa: ASYNC110 - the door tells nobody
            await asyncio.sleep(0.01)
    assert local.refusals() == {"crowded": 1}
    assert '"crowded"' in log.getvalue()
    for _, writer in crowd:
        writer.transport.abort()


async def test_who_sends_too_much_out_of_turn_is_cut_off_and_others_are_not(client: aiohttp.ClientSession) -> None:
    async with door(throttle=Throttle(1_000, 500)).open() as taking_turns:
        assert b" 413 " in (await exchanged(taking_turns, STREAMED + LARGE_CHUNK * 17))[0]
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await exchanged(taking_turns, STREAMED + LARGE_CHUNK * 17)
        assert (await posted(client, taking_turns, wire(event(1)), STRUCTURED)).status == 202
        assert taking_turns.refusals() == {"too_large": 2}


async def test_turns_follow_each_other_as_long_as_they_can_be_waited_for() -> None:
    crowded, patient = Throttle(1_000, 500), Throttle(0.01, 10)
    assert await asyncio.gather(*(crowded.come() for _ in range(3))) == [True, False, False]
    begun = asyncio.get_running_loop().time()
    assert all(await asyncio.gather(*(patient.come() for _ in range(5))))
    assert asyncio.get_running_loop().time() - begun >= 4 * 0.01


@pytest.mark.parametrize("begin", [b"", b"POST /events HT", b"POST /events HTTP/1.1\r\nHost: x\r\nX-"])
async def test_a_slow_head_is_not_waited_for(begin: bytes) -> None:
    async with door(silent_s=0.3).open() as impatient:
        reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
        writer.write(begin)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_a_client_that_reads_no_answer_is_cut_off() -> None:
    async with door(patience=Patience(answer_s=0.3)).open() as impatient:
        reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port, limit=1)
        body = b"{}\n" * MOST_EVENTS
        head = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n" % len(body)
        with_many = head + body
        async with asyncio.timeout(60):
            for _ in range(40):
                writer.write(with_many)
            while impatient.server.connections:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)
        writer.transport.abort()
        del reader


async def test_a_client_that_asks_first_is_told_to_go_on(local: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", local.port)
    body = wire(event(1))
    writer.write(
        b"POST /events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        b"Content-Type: application/cloudevents+json\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    async with asyncio.timeout(30):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert b" 202 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_who_asks_first_is_refused_before_the_body(guarded: Door) -> None:
    head, answer = await exchanged(
        guarded, b"POST /events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: a/b\r\nContent-Length: 9\r\n\r\n"
    )
    assert b" 401 " in head.splitlines()[0]
    assert answer["type"] == "urn:frontdesk:problem:unauthorized"


async def test_a_process_that_ends_takes_nothing_more_and_answers_what_it_holds(client: aiohttp.ClientSession, local: Door) -> None:
    local.link.waits = asyncio.Event()
    held = asyncio.create_task(posted(client, local, wire(event(1)), STRUCTURED))
    async with asyncio.timeout(30):
        while not local.budget.held:  # noqa: ASYNC110 - the door tells nobody when it has read
            await asyncio.sleep(0.01)
    local.handler.stopping = True
    answer = await posted(client, local, wire(event(2)), STRUCTURED)
    assert (answer.status, answer.body["type"], answer.headers["Retry-After"]) == (503, "urn:frontdesk:problem:stopping", "1")
    local.link.waits.set()
    assert (await held).status == 202


# -- the handshake, the document ---------------------------------------------------------------------------------------
async def test_the_handshake_of_webhooks(client: aiohttp.ClientSession, guarded: Door) -> None:
    asked = {"WebHook-Request-Origin": "eventemitter.example.com", "WebHook-Request-Rate": "120"}
    async with client.options(f"{guarded.url}/events", headers=asked | BEARER["slow"]) as answer:
        told = answer.headers
        assert (answer.status, told["WebHook-Allowed-Origin"], told["WebHook-Allowed-Rate"]) == (200, "eventemitter.example.com", "60")
        assert "POST" in told["Allow"]
    async with client.options(f"{guarded.url}/events", headers=asked) as stranger:
        assert stranger.status == 401
        assert "WebHook-Allowed-Origin" not in stranger.headers


async def test_the_document_is_served(client: aiohttp.ClientSession, local: Door) -> None:
    async with client.get(f"{local.url}/openapi.yaml") as answer:
        assert (answer.status, await answer.text()) == (200, text())


def test_the_document_that_is_committed_is_current() -> None:
    assert (ROOT / "docs" / "openapi.yaml").read_text("utf-8") == text(), "run `python -m streams.intake.openapi docs`"


def test_the_examples_of_the_document_keep_its_schemas() -> None:
    told = yaml.safe_load(text())
    for name in ("Contact", "Reply", "Resolution", "Rating"):
        schema = told["components"]["schemas"][name]
        Draft202012Validator(schema).validate(schema["examples"][0])
