"""The fast way (msgspec) and the contract (pydantic) take the same records, refuse the same ones, and read the same."""

import json
from datetime import datetime
from itertools import product
from typing import get_type_hints

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from events import codec
from events.codec import AHEAD_MS, Decoded, Decoder
from events.contract import MODELS, judge
from events.instant import millis
from events.personal_data import Allows, nobody_allows
from events.rejection import Reason, Rejection

NOW = 1_795_442_602_120  # 2026-11-23T14:03:22.120Z
LATER = 5_000_000_000_000


def by_contract(value: bytes, timestamp: int, allows: Allows = nobody_allows) -> Decoded | Rejection:
    """What pydantic alone makes of a record."""
    model = judge(value, allows)
    if isinstance(model, Rejection):
        return model
    time = millis(model.time)
    if time > timestamp + AHEAD_MS:
        return Rejection(Reason.FROM_THE_FUTURE, "$.time", f"is {time - timestamp} ms ahead of the record's timestamp")
    return model.data.district, model.subject, codec._EVENT[type(model)](model, time)


# A JSON text is drawn as a tree in which an object is a list of pairs (so that a name can stand twice) and a Token is
# written as it is, also when it is no JSON.


class Token(str):
    __slots__ = ()


class Members(list):
    """An object: (name, value) pairs."""


def text_of(node: object, *, ascii_only: bool) -> str:
    if isinstance(node, Token):
        return node
    if isinstance(node, Members):
        members = (f"{json.dumps(name, ensure_ascii=ascii_only)}: {text_of(value, ascii_only=ascii_only)}" for name, value in node)
        return "{" + ", ".join(members) + "}"
    return json.dumps(node, ensure_ascii=ascii_only)


NAMES = st.one_of(
    st.sampled_from(["a", "lincoln-high", "/riverside/helpdesk", "s-91c2", "ñandú", "学校", "x" * 128, "😀"]),
    st.sampled_from(
        ["jane@example.org", "312-555-0147", "tel:5550147", "3125550147", "123-45-6789", "%34711", "1795442602120", "\uff14711"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12),
)
STRANGE_TEXTS = st.one_of(
    st.sampled_from(
        ["", "x" * 129, "é" * 128, "é" * 129, "null", "None", "1.0", "1", "true", "e\u0301", "\ud800", "a\udfff", "a b", "a\n"]
    ),
    st.sampled_from("\x00 \x7f\x85\xa0\xad\u061c\u200b\u2028\u3000\ue000\ufeff\ufffd\U000e0001"),
    st.sampled_from(["+1 (312) 555-0147", "Jane Doe <jane@example.org>", "312 555 0147"]),
    st.text(max_size=6),
)
WRITTEN_TIMES = [
    "2026-11-23T14:03:22.120Z",
    "2026-11-23T14:03:22Z",
    "2026-11-23t14:03:22z",
    "2026-11-23T14:03:22-00:00",
    "2026-11-23T14:03:22+14:00",
    "2026-11-23T14:03:22+0530",
    "2026-11-23T14:03:22+24:00",
    "2026-11-23T14:03:22+05",
    "2026-11-23T14:03:22\u221206:00",
    "2026-11-23T14:03:22",
    "2026-11-23T14:03Z",
    "2026-11-23",
    "2026-11-23T14:03:60Z",
    "2026-12-31T23:59:60Z",
    "2026-11-23T24:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2024-02-29T00:00:00Z",
    "2026-11-23T14:03:22.Z",
    "2026-11-23T14:03:22,5Z",
    "0000-01-01T00:00:00Z",
    "1795442602",
    "2026-11-23T14:03:22.1239999Z",
    "2026-11-23T14:03:22.9999995Z",
    "2026-11-23T14:03:22.99999949Z",
    "2026-11-23T14:03:22.123456789123456Z",
    "1979-12-31T23:59:59.999Z",
    "1980-01-01T00:00:00Z",
    "1979-12-31T23:00:00-01:00",
    "2099-12-31T23:59:59.999Z",
    "2100-01-01T00:00:00Z",
    "2099-12-31T23:59:59.9999999Z",
    "2100-01-01T00:30:00+01:00",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59.9999999-05:00",
    "2026-W48-1T14:03:22Z",
    "20261123T140322Z",
    "\uff12026-11-23T14:03:22Z",
]
TIMES = st.one_of(
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.sampled_from([*WRITTEN_TIMES, "2026-11-23 14:03:22.5-06:00", " 2026-11-23T14:03:22Z", "2026-11-23T14:03:22Z\n"]),
)
USUAL_TIMES = st.datetimes(datetime(1980, 1, 2), datetime(2099, 12, 30), timezones=st.timezones()).map(lambda moment: moment.isoformat())  # noqa: DTZ001 hypothesis adds the zones
LANGUAGES = st.sampled_from(["en\n", *["e", "en_US", "en-", "español", "x", "toolongsubtag"]])
USUAL_LANGUAGES = st.sampled_from(["es", "en-US", "zh-Hant-TW", "x-klingon", "i-navajo"])
NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e9, -1e9, 1e9 + 1, 10**30, 10**400, -0.0, 5e-324, 2**53 + 1, 2**63, 2**64]),
    st.sampled_from(
        ["9" * 4400, *["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "01", "+1", "1.", ".5", "-", "1E2", "0x1", "1_0"]]
    ).map(Token),
)
USUAL_NUMBERS = st.integers(1, 5) | st.floats(1, 5)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    STRANGE_TEXTS,
    NAMES,
    st.sampled_from(["routine", "web", "human", "fax", "Web", "internal", "spam"]),
    st.builds(list),
    st.builds(Members),
    st.builds(lambda: Members([("district", "d")])),  # a new one each time: mistakes are put into it
    st.sampled_from(["tru", "'a'", '"\\x"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\x01"', "[1,]", "{,}", "/**/1"]).map(Token),
    st.sampled_from([50, 149, 150, 151, 190, 195, 199, 200, 201, 400, 900, 3000]).map(lambda depth: Token("[" * depth + "]" * depth)),
    st.sampled_from([50, 149, 190, 199, 201]).map(lambda depth: Token('{"a":' * depth + "1" + "}" * depth)),
)
UNKNOWN = st.sampled_from(["extra", "tags", "Type", "ID", "", "dist\u0000rict", "text", "body"])

FIELDS = {
    "org.frontdesk.contact.v1": {
        "stakeholder": NAMES,
        "audience": st.sampled_from(["family", "student", "staff", "community", "other"]),
        "channel": st.sampled_from(["web", "email", "phone", "text", "chat", "walk_in", "social", "other"]),
        "language": USUAL_LANGUAGES | USUAL_LANGUAGES | USUAL_LANGUAGES | LANGUAGES,
        "topic": NAMES,
        "priority": st.sampled_from(["routine", "urgent", "critical"]),
        "needs_reply": st.booleans(),
    },
    "org.frontdesk.reply.v1": {
        "author": NAMES,
        "author_kind": st.sampled_from(["human", "automatic"]),
        "visibility": st.sampled_from(["public", "internal"]),
    },
    "org.frontdesk.resolution.v1": {"outcome": st.sampled_from(["resolved", "no_action", "duplicate", "spam"])},
    "org.frontdesk.rating.v1": {"worst": st.just(1) | st.floats(-1, 2) | NUMBERS, "best": st.just(5) | st.floats(4, 9) | NUMBERS},
}


@st.composite
def well_formed(draw: st.DrawFn) -> Members:
    """An event that is right, or wrong only in its values."""
    kind = draw(st.sampled_from(sorted(FIELDS)))
    optional = {"school": NAMES, "department": NAMES} | FIELDS[kind]
    chosen = draw(st.lists(st.sampled_from(sorted(optional)), unique=True))
    data = Members([("district", draw(NAMES))] + [(name, draw(st.none() | optional[name])) for name in chosen])
    if kind == "org.frontdesk.rating.v1":
        data.append(("score", draw(USUAL_NUMBERS | USUAL_NUMBERS | NUMBERS)))
    envelope = [("specversion", "1.0"), ("id", draw(NAMES)), ("source", draw(NAMES)), ("type", kind), ("subject", draw(NAMES))]
    envelope.append(("time", draw(USUAL_TIMES | USUAL_TIMES | USUAL_TIMES | TIMES)))
    media_types = ["application/json"] * 9 + [
        None,
        "",
        "application/json; charset=utf-8",
        "application/geo+json",
        "text/plain",
        "application/json\n",
    ]
    envelope += draw(
        st.sampled_from([[], [("partitionkey", "riverside")], [("partitionkey", "a b")], [("partitionkey", "")], [("partitionkey", None)]])
    )
    envelope += draw(st.lists(st.sampled_from(media_types).map(lambda media: ("datacontenttype", media)), max_size=1))
    return Members(draw(st.permutations([*envelope, ("data", data)])))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The bytes of an event, after up to three mistakes in its tree and up to one in its bytes."""
    tree = draw(well_formed())
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        data = next((member for name, member in tree if name == "data" and isinstance(member, Members)), tree)
        _break(draw, draw(st.sampled_from([tree, data])))
    value = text_of(tree, ascii_only=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return _spoiled(draw, value) if draw(st.integers(0, 5)) == 0 else value


def _break(draw: st.DrawFn, members: Members) -> None:
    at = draw(st.integers(0, len(members)))
    mistake = draw(st.sampled_from(["replace", "remove", "add", "repeat", "repeat with junk"]))
    name = members[at][0] if at < len(members) else draw(UNKNOWN)
    if mistake == "add" or at == len(members):
        members.insert(at, (draw(UNKNOWN), draw(JUNK)))
    elif mistake == "replace":
        members[at] = (name, draw(JUNK | TIMES))
    elif mistake == "remove":
        del members[at]
    else:
        again = members[at][1] if mistake == "repeat" else draw(JUNK | st.sampled_from(sorted(FIELDS)))
        members.insert(draw(st.integers(0, len(members))), (name, again))


def _spoiled(draw: st.DrawFn, value: bytes) -> bytes:
    at = draw(st.integers(0, len(value)))
    inserts = [b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\x00", b"\n", b"x", b"{}", b",", b'"', b"\\", b"\xe2\x80\x8b", b"\x7f"]
    spoil = draw(st.sampled_from(inserts))
    ways = [value[:at] + spoil + value[at:], spoil + value, value + spoil, value[:at], value[:at] + value[at + 1 :]]
    return draw(st.sampled_from(ways))


BASE = {
    "specversion": "1.0",
    "id": "a",
    "source": "s",
    "type": "org.frontdesk.contact.v1",
    "subject": "c",
    "time": "2026-11-23T14:03:22.120Z",
}


def contact(**data: object) -> bytes:
    return json.dumps(BASE | {"data": {"district": "riverside"} | data}).encode()


def some_allow(district: str, member: str, _: str) -> bool:
    return district == "a" or member == "id"


@given(mutated(), st.sampled_from([LATER, NOW, NOW - AHEAD_MS, NOW - AHEAD_MS - 1]), st.sampled_from([nobody_allows, some_allow]))
@settings(max_examples=500, deadline=None)
@example(contact(extra=1), NOW, nobody_allows)
@example(contact(school="a b"), NOW, nobody_allows)
@example(contact(topic="autobús"), NOW, nobody_allows)
@example(contact().replace(b'"riverside"', b'"riverside", "x": "\xff"'), NOW, nobody_allows)
@example(contact(extra=1).replace(b'"id"', b'"data": null, "id"'), NOW, nobody_allows)
@example(contact(), NOW - AHEAD_MS, nobody_allows)
@example(contact(), NOW - AHEAD_MS - 1, nobody_allows)
@example(contact().replace(b"22.120Z", b"22.119999999Z"), NOW, nobody_allows)
@example(contact().replace(b'"id"', b'"datacontenttype": "text/plain", "id"'), NOW, nobody_allows)
@example(contact(score=3, worst=3, best=3).replace(b"contact", b"rating"), NOW, nobody_allows)
@example(contact().replace(b"1.0", b"1.\\u0030"), NOW, nobody_allows)
def test_both_ways_take_and_refuse_the_same_records_and_read_the_same(value: bytes, timestamp: int, allows: Allows) -> None:
    assert Decoder(allows).decode(value, [], timestamp) == by_contract(value, timestamp, allows)


@given(st.binary(min_size=1, max_size=80) | st.text(min_size=1, max_size=40).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_an_event_or_a_rejection(value: bytes) -> None:
    assert Decoder().decode(value, [], NOW) == by_contract(value, NOW)


@given(well_formed())
@settings(max_examples=200, deadline=None)
def test_what_is_read_the_fast_way_is_what_the_contract_reads(tree: Members) -> None:
    value = text_of(tree, ascii_only=False).encode()
    try:
        record = codec._strict(value)
    except (msgspec.DecodeError, RecursionError):
        return
    taken = codec._taken(record, value, LATER, nobody_allows)
    assert taken is None or taken == by_contract(value, LATER)


def data_of(kind: str) -> type[BaseModel]:
    return get_type_hints(MODELS[kind])["data"]


@pytest.mark.parametrize("kind", MODELS)
def test_an_ordinary_event_takes_the_fast_way(kind: str) -> None:
    members = {name: field.examples[0] for name, field in data_of(kind).model_fields.items() if field.examples}
    value = json.dumps(BASE | {"type": kind, "datacontenttype": "application/json", "data": members}).encode()
    assert codec._taken(codec._strict(value), value, NOW, nobody_allows) == by_contract(value, NOW)


def names_of(kind: str) -> list[tuple[str, str]]:
    """Where the contract of a type has texts with a pattern: ("data", "topic")."""
    patterned = [name for name, field in data_of(kind).model_fields.items() if "pattern" in f"{field.metadata} {field.annotation}"]
    return [("", "id"), ("", "source"), ("", "subject"), *(("data", name) for name in patterned)]


@pytest.mark.parametrize(("kind", "place"), [(kind, place) for kind in MODELS for place in names_of(kind)])
@pytest.mark.parametrize("text", ["two words", "tab\there", "zero\u200bwidth", "\x7f", "x" * 129])
def test_every_name_is_asked_for_its_characters(kind: str, place: tuple[str, str], text: str) -> None:
    where, name = place
    data = {"district": "riverside"} | ({"score": 3} if "rating" in kind else {})
    event = BASE | {"type": kind, "data": data}
    (event["data"] if where else event)[name] = text
    rejection = Decoder().decode(json.dumps(event, ensure_ascii=False).encode(), [], NOW)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.path) == (Reason.INVALID, ".".join(filter(None, ("$", where, name))))


@pytest.mark.parametrize(("depth", "padding"), list(product([150, 195, 201], [0, 300, 5_000])))
def test_deep_nesting_is_judged_alike_whatever_the_length(depth: int, padding: int) -> None:
    value = contact(pad="x" * padding).replace(b'"id"', b'"deep": ' + b"[" * depth + b"]" * depth + b', "id"')
    decoded = Decoder().decode(value, [], NOW)
    assert decoded == by_contract(value, NOW)
    assert isinstance(decoded, Rejection) == (depth > 200)
