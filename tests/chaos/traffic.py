"""What publishers send while things go wrong: a stream of records from a seed, made to hit everything that is hard to count.

Seven invented districts share the partitions. Conversations go on over weeks of event time: replies, resolutions, ratings,
re-openings, second episodes; earlier contacts that arrive late and move an episode to another school; one case with the
longest names that there can be, which is full soon; the same record again; one id with two contents; records in the wrong
partition; records that break the contract. The same seed gives the same stream, relative to the instant at which it begins.
"""

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from events.partition import partition_of
from events.vocabulary import NAME_LENGTH
from streams.kafka.publisher import STRUCTURED, Headers

DISTRICTS: Final = tuple(f"invented-{name}" for name in ("ash", "birch", "cedar", "elm", "fir", "hazel", "oak"))
SCHOOLS: Final = ("", "north", "south", "harbor")
DEPARTMENTS: Final = ("", "office", "transport", "meals")
MINUTE: Final = 60_000
DAY: Final = 24 * 60 * MINUTE
OLDEST: Final = 26 * DAY
REMEMBERED_RECORDS: Final = 400
OPEN_CASES: Final = 300
CROWDED: Final = "crowded"
"""Subject of a case of which more is sent than it may hold."""
WIDE: Final = "\N{MAHJONG TILE GREEN DRAGON}"
"""Four bytes."""

Key = tuple[str, str, str, str]
"""District, subject, source, id: what makes an event one and the same."""


@dataclass(frozen=True)
class Sent:
    """A record and where it goes. `key` is None for one that breaks the contract."""

    partition: int
    record_key: bytes
    value: bytes
    key: Key | None
    kind: str
    headers: Headers = field(default_factory=lambda: STRUCTURED)


@dataclass
class Case:
    """A conversation, as its publisher knows it."""

    district: str
    subject: str
    first: int
    last: int


class Traffic:
    """An endless iterator. `now` says, in ms since the epoch, when a record is made."""

    def __init__(self, seed: int, partitions: int) -> None:
        self._draw = random.Random(seed)
        self._partitions = partitions
        self._cases: list[Case] = []
        self._sent: list[Sent] = []
        self._number = 0

    def records(self, count: int, now: int) -> list[Sent]:
        return [self._next(now) for _ in range(count)]

    def _next(self, now: int) -> Sent:
        make = self._draw.choices(MAKES, WEIGHTS)[0] if len(self._cases) > 5 else Traffic._opening
        sent = make(self, now)
        if sent.key is not None:
            self._sent = [*self._sent[-REMEMBERED_RECORDS:], sent]
        return sent

    # -- conversations ------------------------------------------------------------------------------------------------
    def _opening(self, now: int) -> Sent:
        at = now - (self._draw.randrange(OLDEST) if self._draw.random() < 0.4 else self._draw.randrange(30 * MINUTE))
        case = Case(self._draw.choice(DISTRICTS), f"case-{self._numbered()}", at, at)
        self._cases = [*self._cases[-OPEN_CASES:], case]
        return self._event(case, "contact", at, "opening")

    def _continuation(self, now: int) -> Sent:
        case = self._draw.choice(self._cases)
        kind = self._draw.choices(("reply", "resolution", "rating", "contact"), (45, 30, 10, 15))[0]
        case.last = min(now, case.last + self._draw.randrange(1_000, 9 * 60 * MINUTE))
        return self._event(case, kind, case.last, kind)

    def _second_episode(self, now: int) -> Sent:
        case = self._draw.choice(self._cases)
        case.last = min(now, case.last + 15 * DAY)
        return self._event(case, "contact", case.last, "second episode")

    def _late(self, now: int) -> Sent:
        """Before everything that is known of the case, at a school of its own choice."""
        case = self._draw.choice(self._cases)
        case.first = max(now - 60 * DAY, case.first - self._draw.randrange(1_000, 3 * DAY))
        return self._event(case, "contact", case.first, "late contact")

    def _crowded(self, now: int) -> Sent:
        """Of one case, with names of the greatest length: some 190 of them are as much as a case may hold."""
        case = Case(DISTRICTS[0], CROWDED, now, now)
        sent = self._event(case, "contact", now - self._draw.randrange(OLDEST), "crowded")
        content = json.loads(sent.value)
        content |= {"id": f"{content['id']:{WIDE}<{NAME_LENGTH}}", "source": WIDE * NAME_LENGTH}
        content["data"] |= dict.fromkeys(("school", "department", "stakeholder", "topic"), WIDE * NAME_LENGTH)
        key = (case.district, case.subject, content["source"], content["id"])
        return Sent(sent.partition, sent.record_key, wire(content), key, sent.kind, sent.headers)

    # -- what should change nothing, or must be set right -------------------------------------------------------------
    def _again(self, now: int) -> Sent:
        before = self._draw.choice(self._sent) if self._sent else self._opening(now)
        return Sent(before.partition, before.record_key, before.value, before.key, "duplicate", before.headers)

    def _conflict(self, now: int) -> Sent:
        """An id that was used, with another content."""
        before = self._draw.choice(self._sent) if self._sent else self._opening(now)
        content = json.loads(before.value)
        content["time"] = told(now - self._draw.randrange(OLDEST))
        return Sent(before.partition, before.record_key, wire(content), before.key, "conflict", before.headers)

    def _astray(self, now: int) -> Sent:
        """In another partition than its district's, under a key that is none."""
        sent = self._continuation(now)
        elsewhere = (sent.partition + self._draw.randrange(1, max(2, self._partitions))) % self._partitions
        return Sent(elsewhere, f"k{self._draw.randrange(99)}".encode(), sent.value, sent.key, "wrong partition", sent.headers)

    def _broken(self, now: int) -> Sent:
        sent = self._continuation(now)
        content = json.loads(sent.value)
        spoil = self._draw.choice(("cut", "type", "future", "kind", "none"))
        if spoil == "type":
            content["data"]["school"] = 7
        elif spoil == "future":
            content["time"] = told(now + DAY)
        elif spoil == "kind":
            content["type"] = "org.frontdesk.rumour.v1"
        value = {"cut": sent.value[:-9], "none": b""}.get(spoil, wire(content))
        return Sent(sent.partition, sent.record_key, value, None, f"broken: {spoil}", sent.headers)

    # -- one event ----------------------------------------------------------------------------------------------------
    def _event(self, case: Case, kind: str, at: int, told_as: str) -> Sent:
        identity, source = f"e-{self._numbered()}", self._draw.choice(("/invented/desk", "/invented/mail"))
        data: dict[str, Any] = {
            "district": case.district,
            "school": self._draw.choice(SCHOOLS),
            "department": self._draw.choice(DEPARTMENTS),
        }
        data = {name: value for name, value in data.items() if value} | self._details(kind)
        content = {
            "specversion": "1.0",
            "id": identity,
            "source": source,
            "type": f"org.frontdesk.{kind}.v1",
            "subject": case.subject,
            "time": told(at),
            "data": data,
        }
        home = partition_of(case.district, self._partitions)
        return Sent(home, case.district.encode(), wire(content), (case.district, case.subject, source, identity), told_as)

    def _details(self, kind: str) -> dict[str, Any]:
        draw = self._draw
        if kind == "contact":
            return {
                "stakeholder": f"s-{draw.randrange(60)}",
                "channel": draw.choice(("web", "email", "phone")),
                "priority": draw.choice(("routine", "routine", "urgent", "critical")),
                "needs_reply": draw.random() < 0.9,
            }
        if kind == "reply":
            return {"author": f"a-{draw.randrange(9)}", "author_kind": draw.choice(("human", "human", "automatic"))}
        if kind == "resolution":
            return {"outcome": draw.choices(("resolved", "no_action", "duplicate", "spam"), (8, 2, 1, 1))[0]}
        return {"score": draw.randrange(1, 6)}

    def _numbered(self) -> int:
        self._number += 1
        return self._number


MAKES: Final = (
    Traffic._opening,
    Traffic._continuation,
    Traffic._second_episode,
    Traffic._late,
    Traffic._crowded,
    Traffic._again,
    Traffic._conflict,
    Traffic._astray,
    Traffic._broken,
)
WEIGHTS: Final = (25, 41, 3, 6, 4, 10, 3, 5, 3)


def wire(content: object) -> bytes:
    return json.dumps(content).encode()


def told(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
