"""Hostile records with the reason for which each must be refused, known from how it was made and not from asking the codec."""

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from events.rejection import Reason
from events.vocabulary import NAME_LENGTH
from streams.kafka.publisher import STRUCTURED, Headers

Hostile = tuple[bytes, Headers, Reason]
Make = Callable[[random.Random], tuple[bytes, Reason]]

DATA: dict[str, dict[str, Any]] = {
    "contact": {"school": "north", "department": "office", "stakeholder": "s-1", "needs_reply": True, "language": "es"},
    "reply": {"author": "a-1", "author_kind": "human", "visibility": "public"},
    "resolution": {"outcome": "resolved"},
    "rating": {"score": 4, "worst": 1, "best": 5},
}


def event(draw: random.Random, kind: str | None = None) -> dict[str, Any]:
    """A good one, a few minutes old at most an hour."""
    kind = kind or draw.choice(list(DATA))
    return {
        "specversion": "1.0",
        "id": f"hostile-{draw.getrandbits(60):x}",
        "source": "/invented",
        "type": f"org.frontdesk.{kind}.v1",
        "subject": f"case-{draw.randrange(500)}",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - draw.randrange(60, 3_600))),
        "data": {"district": "riverside", **DATA[kind]},
    }


def wire(content: object) -> bytes:
    return json.dumps(content).encode()


def with_member(content: dict[str, Any], raw: str) -> bytes:
    """One member more, spelled out."""
    return wire(content)[:-1] + b", " + raw.encode() + b"}"


def cut(draw: random.Random) -> tuple[bytes, Reason]:
    value = wire(event(draw))
    return value[: draw.randrange(1, len(value))], Reason.NOT_JSON


def wrong_type(draw: random.Random) -> tuple[bytes, Reason]:
    content = event(draw, "contact")
    name, wrong = draw.choice([("needs_reply", "perhaps"), ("stakeholder", 5), ("school", ["north"]), ("district", {}), ("language", True)])
    content["data"][name] = wrong
    return wire(content), Reason.INVALID


def wrong_data(draw: random.Random) -> tuple[bytes, Reason]:
    return wire(event(draw) | {"data": draw.choice([None, [], "text", 17, {}])}), Reason.INVALID


def huge_number(draw: random.Random) -> tuple[bytes, Reason]:
    content = event(draw, "rating")
    content["data"]["score"] = draw.choice([1e308, -1e308, 10**18, -(10**18)])
    return wire(content), Reason.INVALID


def huge_string(draw: random.Random) -> tuple[bytes, Reason]:
    content = event(draw)
    content["subject"] = "x" * draw.choice([129, 5_000])
    return wire(content), Reason.INVALID


def huge_record(draw: random.Random) -> tuple[bytes, Reason]:
    return wire(event(draw) | {"padding": "x" * (257 * 1024)}), Reason.TOO_LARGE


def deep(draw: random.Random) -> tuple[bytes, Reason]:
    depth = draw.choice([2_000, 20_000])
    return with_member(event(draw), f'"deep": {"[" * depth}{"]" * depth}'), Reason.NOT_JSON


def not_a_number(draw: random.Random) -> tuple[bytes, Reason]:
    value = wire(event(draw, "rating")).replace(
        b'"score": 4', b'"score": ' + draw.choice([b"NaN", b"Infinity", b"-Infinity", b"+4", b"04"])
    )
    return value, Reason.NOT_JSON


def bad_utf8(draw: random.Random) -> tuple[bytes, Reason]:
    value = wire(event(draw))
    at = draw.randrange(len(value))
    return value[:at] + draw.choice([b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8"]) + value[at:], Reason.NOT_JSON


def null(draw: random.Random) -> tuple[bytes, Reason]:
    name = draw.choice(["id", "source", "type", "specversion", "subject", "time"])
    return wire(event(draw) | {name: None}), Reason.INVALID if name in ("subject", "time") else Reason.NOT_CLOUDEVENT


def empty(_: random.Random) -> tuple[bytes, Reason]:
    return b"", Reason.NOT_JSON


def wrong_zone(draw: random.Random) -> tuple[bytes, Reason]:
    times = [
        "2026-11-20T14:03:22",
        "2026-11-20T14:03:22+25:00",
        "2026-11-20T14:03:22 Europe/Rome",
        "2026-11-20",
        "yesterday",
        "2026-02-30T10:00:00Z",
    ]
    return wire(event(draw) | {"time": draw.choice(times)}), Reason.INVALID


def tomorrow(draw: random.Random) -> tuple[bytes, Reason]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + draw.randrange(3_600, 90 * 86_400)))
    return wire(event(draw) | {"time": at}), Reason.FROM_THE_FUTURE


def year_9999(draw: random.Random) -> tuple[bytes, Reason]:
    return wire(event(draw) | {"time": "9999-12-31T23:59:59Z"}), Reason.INVALID


def said_twice(draw: random.Random) -> tuple[bytes, Reason]:
    raw, reason = draw.choice(
        [('"specversion": "0.3"', Reason.NOT_CLOUDEVENT), ('"type": "org.other.v1"', Reason.UNKNOWN_TYPE), ('"data": {}', Reason.INVALID)]
    )
    return with_member(event(draw), raw), reason


def other_version(draw: random.Random) -> tuple[bytes, Reason]:
    return wire(event(draw) | {"specversion": draw.choice(["0.3", "1.1", "2.0", "1", ""])}), Reason.NOT_CLOUDEVENT


def random_bytes(draw: random.Random) -> tuple[bytes, Reason]:
    return b"\x00" + draw.randbytes(draw.randrange(8, 400)), Reason.NOT_JSON


def no_object(draw: random.Random) -> tuple[bytes, Reason]:
    return draw.choice([b"17", b'"text"', b"[]", b"null", b"true", b"[[]]"]), Reason.NOT_CLOUDEVENT


def other_type(draw: random.Random) -> tuple[bytes, Reason]:
    return wire(event(draw) | {"type": draw.choice(["org.frontdesk.contact.v2", "com.example.order", "contact"])}), Reason.UNKNOWN_TYPE


KINDS: tuple[Make, ...] = (
    cut, wrong_type, wrong_data, huge_number, huge_string, deep, not_a_number, bad_utf8, null, empty, wrong_zone, tomorrow, year_9999,
    said_twice, other_version, random_bytes, no_object, other_type,
)  # fmt: skip
BINARY: Headers = [("ce_specversion", b"1.0"), ("ce_id", b"\xff"), ("content-type", b"application/json")]


def hostile(count: int, seed: int) -> Iterator[Hostile]:
    """`count` of them, of all kinds in turn; few are large."""
    draw = random.Random(seed)
    for number in range(count):
        if number % 1_000 == 999:
            value, reason = huge_record(draw)
        elif number % 100 == 99:
            yield wire({"district": "riverside"}), BINARY, Reason.NOT_CLOUDEVENT
            continue
        else:
            value, reason = KINDS[number % len(KINDS)](draw)
        yield value, STRUCTURED, reason


# -- large, and small on the wire ----------------------------------------------------------------------------------------
LARGEST_VALUE = 20 << 20
"""Bytes of a value that a publisher's compression makes small enough for a broker."""
LONGEST_NAME = "\N{MAHJONG TILE GREEN DRAGON}" * NAME_LENGTH
"""Four bytes a character."""

Large = tuple[bytes | None, bytes | None, Headers, Reason]
"""Key, value, headers and reason."""


def large(draw: random.Random) -> Iterator[Large]:
    """Records that a broker takes where they are compressed, of every way to be large; and what has no bytes at all."""
    key = b"riverside"
    for size in (65_537, 256 * 1024 + 1, 1_000_000, 4 << 20, 5 << 20, LARGEST_VALUE):
        reason = Reason.NOT_JSON if size <= 256 * 1024 else Reason.TOO_LARGE
        yield key, b" " * size, STRUCTURED, reason
        yield None, wire(event(draw)) + b" " * size + b"}", STRUCTURED, reason
    yield key, b"{", [*STRUCTURED, ("blanks", b" " * LARGEST_VALUE)], Reason.NOT_JSON
    yield key, b"{", [*STRUCTURED, *(("x", b"") for _ in range(100_000))], Reason.NOT_JSON
    yield key, b"{", [("n" * 1_000_000, b""), *STRUCTURED], Reason.NOT_JSON
    yield b" " * LARGEST_VALUE, b"{", STRUCTURED, Reason.NOT_JSON
    yield None, None, [], Reason.NOT_JSON
    yield key, None, [], Reason.NOT_JSON
    yield key, b"{}", [("ce_specversion", b"1.0"), ("ce_" + "n" * 1_000_000, b"\xff")], Reason.NOT_CLOUDEVENT


def crowded(count: int, subject: str, district: str) -> Iterator[bytes]:
    """So many contacts of one case, all legal, with the longest names that there can be."""
    draw = random.Random(3)
    for number in range(count):
        content = event(draw, "contact") | {"id": f"{number:08}" + LONGEST_NAME[8:], "source": LONGEST_NAME, "subject": subject}
        names = dict.fromkeys(("school", "department", "stakeholder", "topic"), LONGEST_NAME)
        yield json.dumps(content | {"data": content["data"] | names | {"district": district}}, ensure_ascii=False).encode()
