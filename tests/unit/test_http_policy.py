"""Every door of HTTP before the same strangers: web pages, names that mean this machine for a moment, proxies, odd requests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from sinks.metrics import WorkerGauges, WorkerMetrics
from sinks.page_metrics import PageMetrics
from streams.host import Authority, authority, is_loopback
from streams.http.policy import Policy
from streams.http.serving import answer
from streams.intake.register import Register
from streams.page.hub import Hub
from streams.page.public import public_application
from streams.page.reading import Reading
from streams.page.server import application as page_application
from streams.settings import Settings
from streams.worker.cells import Cells
from streams.worker.health import application as health_application
from tests.support.intakes import Door, door, event, wire

NAMED = frozenset({"numbers.example.org", "192.0.2.7"})
BODY = wire(event(1))


class Nothing:
    """Stands for ClickHouse, a hub's reader, a worker's health and cells: there is nothing to tell."""

    is_assigned = False

    def gauges(self) -> WorkerGauges:
        return WorkerGauges(ready=True, unknown_members={}, partitions=[])

    def read(self, _: Any = None) -> Reading:
        return Reading("{}", 1)

    async def ask(self, read: Callable[[Any], Any]) -> Any:
        return read(self)

    async def knows(self, _: str) -> bool:
        return True

    async def districts(self) -> list[str]:
        return ["x"]

    def close(self) -> None:
        """Nothing is open."""

    def now(self) -> int:
        return 1

    def reasons(self) -> list[str]:
        return []

    async def months(self) -> dict[str, list[str]]:
        return {}


@asynccontextmanager
async def opened(app: web.Application, host: str = "127.0.0.1") -> AsyncIterator[int]:
    async with AsyncExitStack() as stack:
        yield await answer(stack, app, 0, host)


def health(hosts: frozenset[str] = NAMED) -> web.Application:
    nothing: Any = Nothing()
    metrics, cells = WorkerMetrics(CollectorRegistry()), Cells(nothing, nothing, 1, lambda: None, lambda: True)
    return health_application(nothing, metrics, cells, Policy(hosts))


def page(token: str = "") -> web.Application:
    nothing: Any = Nothing()
    return page_application(
        Hub(lambda _: Nothing(), nothing, nothing, stale_after_s=150), nothing, PageMetrics(CollectorRegistry()), token, NAMED
    )


def public(token: str = "") -> web.Application:
    nothing: Any = Nothing()
    return public_application(nothing, token, NAMED)


@dataclass(frozen=True)
class Open:
    """A door, and what it answers with 200 or 202 to whoever is from here: method, path, headers, body."""

    port: int
    method: str
    path: str
    headers: str = ""
    body: bytes = b""
    intake: Door | None = None

    async def asked(self, host: str, others: str = "", *, version: str = "1.1", target: str | None = None) -> int:
        """Status of the answer; `host` are whole lines."""
        length = f"Content-Length: {len(self.body)}\r\n" if self.body else ""
        head = f"{self.method} {target or self.path} HTTP/{version}\r\n{host}{others}{self.headers}{length}Connection: close\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head.encode("latin-1") + self.body)
            async with asyncio.timeout(30):
                return int((await reader.readline()).split()[1])
        finally:
            writer.close()


DOORS = ["intake", "intake health", "intake document", "intake metrics", "page", "page health", "public page", "metrics", "ready"]


@pytest.fixture(params=DOORS)
async def open_door(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    name: str = request.param
    if name.startswith("intake"):
        async with door(None if name == "intake" else Register({})).open() as intake:
            paths = {"intake health": "/health/ready", "intake document": "/openapi.yaml", "intake metrics": "/metrics"}
            if name == "intake":
                yield Open(intake.port, "POST", "/events", "Content-Type: application/cloudevents+json\r\n", BODY, intake)
            else:
                yield Open(intake.port, "GET", paths[name], intake=intake)
        return
    made = {"page": page, "page health": lambda: page("open-sesame"), "public page": public}.get(name, health)
    path = {"page": "/", "page health": "/health/live", "public page": "/months", "ready": "/health/ready"}.get(name, "/metrics")
    async with opened(made()) as port:
        yield Open(port, "GET", path)


HERE = "Host: 127.0.0.1\r\n"
FROM_HERE = {
    "by number": HERE,
    "with a port": "Host: 127.0.0.1:8080\r\n",
    "another of 127/8": "Host: 127.9.9.9\r\n",
    "by name": "Host: localhost\r\n",
    "large letters, the dot of the root": "Host: LocalHost.:80\r\n",
    "IPv6": "Host: [::1]:9464\r\n",
    "IPv6 in full": "Host: [0:0:0:0:0:0:0:1]\r\n",
    "IPv4 in IPv6": "Host: [::ffff:127.0.0.1]\r\n",
    "its own page": "Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:8080\r\nSec-Fetch-Site: same-origin\r\n",
    "its own page at the usual port": "Host: localhost\r\nOrigin: http://localhost:80\r\n",
    "typed into a browser": "Host: localhost\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n",
    "a program with a browser's engine": "Host: localhost\r\nSec-Fetch-Mode: cors\r\n",
}


@pytest.mark.parametrize("name", FROM_HERE)
async def test_who_is_from_here_is_answered(name: str, open_door: Open) -> None:
    assert await open_door.asked(FROM_HERE[name]) in {200, 202}


STRANGERS = {
    "another name": (403, "Host: evil.example\r\n"),
    "DNS rebinding": (403, "Host: evil.example:8080\r\nOrigin: http://evil.example:8080\r\nSec-Fetch-Site: same-origin\r\n"),
    "a name that begins like ours": (403, "Host: localhost.evil.example\r\n"),
    "a number that begins like ours": (403, "Host: 127.0.0.1.evil.example\r\n"),
    "a name below ours": (403, "Host: evil.localhost\r\n"),
    "another address": (403, "Host: 192.0.2.1\r\n"),
    "all addresses": (403, "Host: 0.0.0.0\r\n"),
    "a short number": (403, "Host: 127.1\r\n"),
    "one number": (403, "Host: 2130706433\r\n"),
    "another IPv6": (403, "Host: [2001:db8::1]\r\n"),
    "a user before it": (400, "Host: localhost@evil.example\r\n"),
    "ours as a user": (400, "Host: evil.example@localhost\r\n"),
    "a path behind it": (400, "Host: localhost/evil\r\n"),
    "IPv6 without brackets": (400, "Host: ::1\r\n"),
    "a zone": (400, "Host: [::1%25lo]\r\n"),
    "a word for a port": (400, "Host: localhost:http\r\n"),
    "nothing": (400, "Host: \r\n"),
    "no text": (400, "Host: \xff\r\n"),
    "none": (400, ""),
    "two": (400, "Host: localhost\r\nHost: evil.example\r\n"),
    "ours twice": (400, "Host: localhost\r\nHost: localhost\r\n"),
    "a foreign page": (403, f"{HERE}Origin: https://evil.example\r\n"),
    "a page without an origin": (403, f"{HERE}Origin: null\r\n"),
    "a page at another port": (403, "Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:3000\r\n"),
    "a page by another name of ours": (403, "Host: 127.0.0.1:8080\r\nOrigin: http://localhost:8080\r\n"),
    "a page of no scheme": (403, f"{HERE}Origin: 127.0.0.1\r\n"),
    "an extension": (403, f"{HERE}Origin: chrome-extension://127.0.0.1\r\n"),
    "two pages": (403, f"{HERE}Origin: http://127.0.0.1\r\nOrigin: https://evil.example\r\n"),
    "an image of a foreign page": (403, f"{HERE}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n"),
    "a page at another port of this machine": (403, f"{HERE}Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n"),
    "a frame in a foreign page": (403, f"{HERE}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n"),
    "a word of tomorrow": (403, f"{HERE}Sec-Fetch-Site: some-site\r\n"),
    **{
        f"a proxy: {line.partition(':')[0]}": (403, f"{HERE}{line}\r\n")
        for line in (
            "Forwarded: for=192.0.2.9",
            "X-Forwarded-For: 192.0.2.9",
            "x-forwarded-proto: https",
            "X-Forwarded-Host: frontdesk.example",
            "X-Real-IP: 192.0.2.9",
            "Via: 1.1 proxy",
            "CF-Connecting-IP: 192.0.2.9",
            "X-Envoy-External-Address: 192.0.2.9",
        )
    },
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_strangers_are_refused_at_every_door(name: str, open_door: Open) -> None:
    status, host = STRANGERS[name]
    assert await open_door.asked(host) in {status, 401}, "401: for a token it may be"
    if open_door.intake is not None:
        assert open_door.intake.link.records == []
        assert "mistake" not in open_door.intake.refusals()


async def test_a_request_as_to_a_proxy_is_for_the_host_that_both_lines_name(open_door: Open) -> None:
    assert await open_door.asked(HERE, target=f"http://127.0.0.1{open_door.path}") in {200, 202}
    assert await open_door.asked(HERE, target=f"http://evil.example{open_door.path}") == 400
    assert await open_door.asked("Host: evil.example\r\n", target=f"http://127.0.0.1{open_door.path}") == 400
    assert await open_door.asked("Host: evil.example\r\n", target=f"http://evil.example{open_door.path}") in {401, 403}
    assert await open_door.asked(HERE, target=f"http://127.0.0.1@evil.example{open_door.path}") == 400


@pytest.mark.parametrize("host", ["", HERE])
async def test_what_old_proxies_speak_is_not_from_here(host: str, open_door: Open) -> None:
    assert await open_door.asked(host, version="1.0") in {401, 403}


@pytest.mark.parametrize(
    "path", ["/", "/districts", "/live?district=x", "/static/page.js", "/health/live", "/metrics", "/events", "/nowhere"]
)
async def test_a_preflight_lets_nobody_in(path: str, open_door: Open) -> None:
    asked = f"{HERE}Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n"
    preflight = Open(open_door.port, "OPTIONS", path)
    assert await preflight.asked(asked) == 403


async def test_a_name_that_is_allowed_opens_what_anybody_may_know_and_no_more(open_door: Open, request: pytest.FixtureRequest) -> None:
    """Also behind a proxy."""
    is_named = request.node.callspec.params["open_door"] in {"public page", "page health", "metrics", "ready"}
    for host in NAMED:
        line = f"Host: {host}:8443\r\nX-Forwarded-For: 192.0.2.9\r\n"
        assert await open_door.asked(line) in ({200} if is_named else {401, 403})
        assert await open_door.asked(f"{line}Origin: https://evil.example\r\n") == 403


async def test_a_prober_that_asks_the_address_itself_is_answered() -> None:
    """As Kubernetes and Prometheus do by the address of a pod. A page cannot have such an address for a name."""
    async with opened(health(frozenset()), "127.0.0.1") as port, AsyncExitStack() as stack:
        app = health(frozenset())
        elsewhere = await answer(stack, app, 0, "::1")
        assert await Open(port, "GET", "/health/live").asked(HERE) == 200
        reader, writer = await asyncio.open_connection("::1", elsewhere)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n")
        assert b" 200 " in await reader.readline()
        writer.close()


# -- the live page and the public one ------------------------------------------------------------------------------------
LINK = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"


@pytest.mark.parametrize("made", [page, public])
async def test_other_sites_may_link_to_a_page_and_to_nothing_else_of_it(made: Any) -> None:
    async with opened(made()) as port:
        assert await Open(port, "GET", "/").asked(HERE, LINK) == 200
        assert await Open(port, "GET", "/?district=riverside").asked(HERE, LINK) == 200
        for path in ("/months", "/live?district=x", "/static/page.js", "/health/live"):
            assert await Open(port, "GET", path).asked(HERE, LINK) == 403


async def head_of(port: int, request: str) -> tuple[int, dict[str, list[str]]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{request}Connection: close\r\n\r\n".encode())
        async with asyncio.timeout(30):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    finally:
        writer.close()
    headers: dict[str, list[str]] = {}
    for line in lines[1:-1]:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return int(lines[0].split()[1]), headers


@pytest.mark.parametrize("made", [page, public])
async def test_a_token_is_kept_in_a_cookie_that_ends_and_stays_on_tls(made: Any) -> None:
    async with opened(made("open-sesame")) as port:
        asked = "GET /?token=open-sesame&district=x HTTP/1.1\r\nHost: frontdesk.example\r\n"
        status, plain = await head_of(port, asked)
        [cookie] = plain["set-cookie"]
        assert (status, plain["location"], plain["cache-control"]) == (303, ["/?district=x"], ["no-store"])
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Max-Age=2592000" in cookie
        assert "Secure" not in cookie
        _, over_tls = await head_of(port, f"{asked}X-Forwarded-Proto: https\r\n")
        assert "Secure" in over_tls["set-cookie"][0].split("; ")
        kept = f"Cookie: {cookie.partition(';')[0]}\r\n"
        status, shown = await head_of(port, f"GET / HTTP/1.1\r\nHost: frontdesk.example\r\n{kept}")
        assert (status, shown["cache-control"]) == (200, ["no-store"])


async def test_a_token_leads_to_no_other_site() -> None:
    async with opened(page("open-sesame")) as port:
        status, _ = await head_of(port, "GET //evil.example/?token=open-sesame HTTP/1.1\r\nHost: x\r\n")
        assert status == 401


async def test_a_foreign_page_is_refused_whatever_cookie_goes_with_it() -> None:
    """A browser sends the cookie also where the page at another port of the same machine asks."""
    async with opened(page("open-sesame")) as port:
        asked = "GET /districts HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: frontdesk=open-sesame\r\n"
        assert (await head_of(port, f"{asked}Sec-Fetch-Site: same-site\r\n"))[0] == 403
        assert (await head_of(port, f"{asked}Origin: http://127.0.0.1:3000\r\n"))[0] == 403


@pytest.mark.parametrize("made", [health, page, public])
async def test_no_answer_is_kept_or_read_by_other_pages(made: Any) -> None:
    async with opened(made()) as port:
        for path, host in (("/health/live", "127.0.0.1"), ("/nowhere", "127.0.0.1"), ("/health/live", "evil.example")):
            _, headers = await head_of(port, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n")
            assert headers["cache-control"] == ["no-store"]
            assert headers["cross-origin-resource-policy"] == ["same-origin"]
            assert headers["x-content-type-options"] == ["nosniff"]
            assert "access-control-allow-origin" not in headers


# -- how often one may be wrong ------------------------------------------------------------------------------------------
async def test_guesses_at_the_token_of_a_page_are_limited_and_others_are_not_shut_out() -> None:
    async with opened(page("open-sesame")) as port:
        asked = "GET / HTTP/1.1\r\nHost: frontdesk.example\r\n"
        guesses = [(await head_of(port, f"{asked}Authorization: Bearer guess-{n}\r\n"))[0] for n in range(12)]
        assert guesses == [401] * 10 + [429] * 2
        status, headers = await head_of(port, f"{asked}Authorization: Bearer open-sesame\r\n")
        assert (status, 1 <= int(headers["retry-after"][0]) <= 6) == (429, True)
        behind_the_same_proxy = f"{asked}X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-For: 192.0.2.8\r\nAuthorization: Bearer open-sesame\r\n"
        assert (await head_of(port, behind_the_same_proxy))[0] == 200


async def test_an_old_token_may_be_sent_again_and_again() -> None:
    async with opened(page("open-sesame")) as port:
        asked = "GET / HTTP/1.1\r\nHost: frontdesk.example\r\nCookie: frontdesk="
        assert {(await head_of(port, f"{asked}of-yesterday\r\n"))[0] for _ in range(15)} == {401}
        assert (await head_of(port, f"{asked}open-sesame\r\n"))[0] == 200


# -- hosts ---------------------------------------------------------------------------------------------------------------
@given(st.text(max_size=30) | st.from_regex(r"(?i)(\[[0-9a-f:.]{1,20}\]|[a-z0-9.-]{1,20})(:[0-9]{0,5})?", fullmatch=True))
def test_whatever_stands_for_a_host_is_read_or_not(text: str) -> None:
    read = authority(text)
    if read is not None:
        again = f"[{read.host}]" if ":" in read.host else read.host
        assert authority(again) == Authority(read.host)
        assert is_loopback(read.host) == is_loopback(again.strip("[]").upper())


def test_names_that_are_allowed_are_names() -> None:
    assert Settings(http_hosts="Numbers.Example.org, 192.0.2.7,[2001:DB8::7]").allowed_hosts == NAMED | {"2001:db8::7"}
    for wrong in ("https://numbers.example.org", "numbers.example.org:443", "*", "a b"):
        with pytest.raises(ValidationError):
            Settings(http_hosts=wrong)
