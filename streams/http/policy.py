"""Who may ask at a door of HTTP. One policy for all of them: intake, live page, public page, metrics and health.

1. Nobody but its own page: a browser tells with `Origin` and `Sec-Fetch-Site` whose page sends a request, and another one's is
   refused. No door answers a preflight, so what a form could not send is not sent at all.
2. Where no token is asked for, the request must name this machine, or the very address that it came in at. A page that was
   loaded from elsewhere and whose name means 127.0.0.1 since (DNS rebinding) still says its name. Names can be allowed.
3. Nor may it have come through a proxy, unless under a name that is allowed: whoever is behind a proxy is not from here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aiohttp import HttpVersion11
from aiohttp.web import BaseRequest

from streams.host import Authority, authority, is_loopback, plain

FORWARDED: Final = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "x-original-host", "x-cluster-client-ip"})
FORWARDED_PREFIXES: Final = ("x-forwarded", "x-envoy-", "cf-")
PORTS: Final = {"http": 80, "https": 443}
_ORIGIN = re.compile(r"(https?)://(.+)").fullmatch


class Fault(StrEnum):
    """What is wrong with who asks."""

    UNREADABLE = "unreadable"
    """It names no host, or two."""
    FOREIGN_ORIGIN = "foreign_origin"
    """Another site's page sends it."""
    NOT_LOCAL = "not_local"
    """No token is asked for, and it is for another host, or has come through a proxy."""


@dataclass(frozen=True)
class Objection:
    """Why a request is not answered; `detail` quotes nothing of it."""

    fault: Fault
    detail: str

    @property
    def status(self) -> int:
        return 400 if self.fault is Fault.UNREADABLE else 403


UNREADABLE: Final = Objection(Fault.UNREADABLE, "a request names one host, once")
FOREIGN_ORIGIN: Final = Objection(Fault.FOREIGN_ORIGIN, "this is not for pages of other sites")
NOT_LOCAL: Final = Objection(
    Fault.NOT_LOCAL,
    "without a token only this machine is answered, by the names localhost and 127.0.0.1 and without a proxy",
)


@dataclass(frozen=True)
class Policy:
    """`hosts` may be asked for beside this machine, also through a proxy; `entrances` are paths that other sites may link to."""

    hosts: frozenset[str] = frozenset()
    entrances: frozenset[str] = frozenset()

    def objection(self, request: BaseRequest, *, credential: bool) -> Objection | None:
        """None where nothing is against it. `credential`: the door asks for one before it does what the request wants."""
        named, is_readable = _named(request)
        if not is_readable:
            return UNREADABLE
        if self._is_of_another_page(request, named):
            return FOREIGN_ORIGIN
        return None if credential or self._is_for_us(request, named) else NOT_LOCAL

    def _is_of_another_page(self, request: BaseRequest, named: Authority | None) -> bool:
        if not all(_is_own(origin, named) for origin in request.headers.getall("Origin", ())):
            return True
        sites = set(request.headers.getall("Sec-Fetch-Site", ()))
        return not (sites <= {"same-origin", "none"} or self._is_a_link(request))

    def _is_a_link(self, request: BaseRequest) -> bool:
        """Somebody follows a link, so that the answer is seen by them and not by the page with the link."""
        fetched = request.headers.get("Sec-Fetch-Mode"), request.headers.get("Sec-Fetch-Dest")
        return request.method == "GET" and request.rel_url.raw_path in self.entrances and fetched == ("navigate", "document")

    def _is_for_us(self, request: BaseRequest, named: Authority | None) -> bool:
        if named is None:
            return False
        if named.host in self.hosts:
            return True
        return (is_loopback(named.host) or named.host == _came_in_at(request)) and not _is_forwarded(request)


LOCAL: Final = Policy()
"""This machine only, whatever else may be asked for elsewhere."""


def _named(request: BaseRequest) -> tuple[Authority | None, bool]:
    """The one host that a request names (None where it names none, as HTTP/1.0 may), and whether that can be read."""
    stated = [authority(each) for each in (*request.headers.getall("Host", ()), *_of_target(request.raw_path))]
    if not stated and request.version < HttpVersion11:
        return None, True
    return (stated[0] if stated else None), None not in stated and len(set(stated)) == 1 and len(request.headers.getall("Host", ())) == 1


def _of_target(target: str) -> Iterator[str]:
    """What stands for a host in the request line, where a client writes to us as to a proxy."""
    if target[:1] not in ("/", "*"):
        yield target.partition("://")[2].partition("/")[0].partition("?")[0]


def _is_own(origin: str, named: Authority | None) -> bool:
    """Whether a page of that origin was given by this door, as far as the port tells."""
    found = _ORIGIN(origin)
    of = authority(found[2]) if found else None
    return found is not None and of is not None and named is not None and _place(of, found[1]) == _place(named, found[1])


def _place(of: Authority, scheme: str) -> tuple[str, int]:
    return of.host, PORTS[scheme] if of.port is None else of.port


def _came_in_at(request: BaseRequest) -> str | None:
    """The address of ours that the client has reached, where it is known."""
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return plain(name[0]) if name else None


def _is_forwarded(request: BaseRequest) -> bool:
    """As far as proxies tell. HTTP/1.0 is what nginx speaks by itself, which tells nothing."""
    return request.version < HttpVersion11 or any(
        name.lower() in FORWARDED or name.lower().startswith(FORWARDED_PREFIXES) for name in request.headers
    )
