"""How often somebody may be wrong about a secret: each client, and all together. Beyond that nothing is compared for a while.

The same wrong secret again is no other guess and is not counted, so that a program with an old one shuts out nobody. A client is
an address, and behind a proxy what the proxy says last of where it was asked from. All together are bounded because clients can be
many, or say that they are; whoever was right within a day is spared that bound, so that guessers shut out nobody who knows.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_network
from typing import Final, TypeVar

from aiohttp.web import BaseRequest

from streams.host import plain

KNOWN_S: Final = 86_400.0
MOST_CLIENTS: Final = 10_000
IPV6_PREFIX: Final = 64
"""Of what one customer of a network has."""
LONGEST_HOP: Final = 64
MOST_GUESSES: Final = 32
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Limit:
    """So many mistakes at once, and one more each `every_s` seconds."""

    at_once: int
    every_s: float


EACH: Final = Limit(10, 6.0)
ALL: Final = Limit(300, 0.2)


@dataclass
class _Debt:
    """Mistakes as a time at which all are forgiven (the generic cell rate algorithm of ITU-T I.371), and the latest. Mutable."""

    paid_at: float = 0.0
    guesses: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_GUESSES))

    def grow(self, limit: Limit, now: float) -> None:
        self.paid_at = max(self.paid_at, now) + limit.every_s

    def wait_s(self, limit: Limit, now: float) -> float:
        """How long until one more mistake fits."""
        return max(0.0, self.paid_at - now - (limit.at_once - 1) * limit.every_s)


@dataclass
class Tries:
    """The mistakes of all clients. Mutable; of one event loop. `clock` gives seconds that never go back."""

    clock: Callable[[], float]
    _debts: OrderedDict[str, _Debt] = field(default_factory=OrderedDict)
    _known: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _all: _Debt = field(default_factory=_Debt)

    def wait_s(self, client: str) -> int:
        """After how many seconds this one may try; 0 for now."""
        now = self.clock()
        own = self._debts[client].wait_s(EACH, now) if client in self._debts else 0.0
        is_known = now < self._known.get(client, 0.0)
        return math.ceil(own if is_known else max(own, self._all.wait_s(ALL, now)))

    def failed(self, client: str, guess: str) -> None:
        debt = self._debts.get(client) or _Debt()
        _latest(self._debts, client, debt)
        if hash(guess) not in debt.guesses:
            debt.guesses.append(hash(guess))
            for each, limit in ((debt, EACH), (self._all, ALL)):
                each.grow(limit, self.clock())

    def succeeded(self, client: str) -> None:
        _latest(self._known, client, self.clock() + KNOWN_S)


def client_of(request: BaseRequest) -> str:
    """Who is counted as one."""
    hop = ",".join(request.headers.getall("X-Forwarded-For", ())).rpartition(",")[2].strip()
    return f"{_network(request.remote or '')} {hop[:LONGEST_HOP]}"


def _network(address: str) -> str:
    known = plain(address)
    try:
        return str(ip_network((IPv6Address(known), IPV6_PREFIX), strict=False))
    except ValueError:
        return known


def _latest(of: OrderedDict[str, Kept], client: str, value: Kept) -> None:
    """Remember as the newest; the oldest one is forgotten where there are too many."""
    of[client] = value
    of.move_to_end(client)
    if len(of) > MOST_CLIENTS:
        of.popitem(last=False)
