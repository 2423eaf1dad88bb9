"""Webhooks of Zendesk and Chatwoot through their mappings: the right events, nothing private, and only from whom it may be."""

import copy
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yarl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.intake.grant import EVERYONE_HERE, Grant
from streams.intake.hook import Hook, HookFile, hooks_of
from streams.intake.problem import Problem
from streams.intake.register import Register
from streams.intake.token_file import new_token
from streams.intake.validation import Validated, Validator
from streams.mapping.expression import MappingError, pseudonym
from streams.mapping.mapping import read_as
from streams.settings import Settings
from tests.support.intakes import Door, door, wire
from tests.support.webhooks import CHATWOOT, OF_CHATWOOT, OF_ZENDESK, PRIVATE, SECRET, ZENDESK, signed_by_chatwoot, signed_by_zendesk

FOLDER = Path(__file__).parents[2] / "docs" / "mappings" / "webhooks"
KEY = b"an invented key, 32 bytes long.."
JSON = {"content-type": "application/json"}
TOKEN_ID, TOKEN, SHA256 = new_token()
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Sign = Callable[[bytes, str], dict[str, str]]


@pytest.fixture
async def open_door(tmp_path: Path) -> AsyncIterator[Door]:
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_bytes(KEY)
    hooks = hooks_of(Settings(intake_hooks=FOLDER, pseudonym_key=tmp_path / "key"))
    grants = {TOKEN_ID: Grant(TOKEN_ID, digest=bytes.fromhex(SHA256)), "signsign": Grant("signsign", signing_key=SECRET)}
    async with door(Register(grants), hooks=hooks).open() as opened:
        yield opened


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def posted(client: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    async with client.post(url, data=body, headers=JSON | headers) as answer:
        return answer.status, await answer.json(content_type=None)


def kind_of(event: dict[str, Any]) -> str:
    data = event["data"]
    kind: str = event["type"].split(".")[2]
    return f"reply {data.get('visibility', 'public')} {data.get('author_kind', 'human')}" if kind == "reply" else kind


@pytest.mark.parametrize(("name", "deliveries", "expected"), [("zendesk", ZENDESK, OF_ZENDESK), ("chatwoot", CHATWOOT, OF_CHATWOOT)])
async def test_deliveries_become_events_without_anything_private(
    name: str, deliveries: list[dict[str, Any]], expected: list[str | None], client: aiohttp.ClientSession, open_door: Door
) -> None:
    made: list[str | None] = []
    for delivery in deliveries:
        before = len(open_door.link.records)
        assert (await posted(client, f"{open_door.url}/hooks/{name}", wire(delivery), BEARER))[0] == 202
        fresh = [json.loads(record.value) for record in open_door.link.records[before:]]
        made.append(kind_of(fresh[0]) if fresh else None)
    assert made == expected
    events = [json.loads(record.value) for record in open_door.link.records]
    assert len({event["subject"] for event in events}) == 1
    assert len({event["id"] for event in events}) == len(events)
    assert events[0]["data"]["stakeholder"] == pseudonym("20978392", KEY)
    assert events[0]["time"] == "2026-11-20T14:00:00.000Z"
    sent = b"".join(record.key + record.value for record in open_door.link.records)
    assert [word for word in PRIVATE if word.encode() in sent] == []


@pytest.mark.parametrize("name", ["zendesk", "chatwoot"])
async def test_a_delivery_that_comes_again_is_the_same_event(name: str, client: aiohttp.ClientSession, open_door: Door) -> None:
    deliveries = {"zendesk": ZENDESK, "chatwoot": CHATWOOT}[name]
    for delivery in deliveries * 2:
        await posted(client, f"{open_door.url}/hooks/{name}", wire(delivery), BEARER)
    values = [record.value for record in open_door.link.records]
    assert len(values) == 2 * len(set(values))


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


WAYS: dict[str, tuple[Sign, Callable[[float], str]]] = {
    "zendesk": (signed_by_zendesk, rfc3339),
    "chatwoot": (signed_by_chatwoot, lambda seconds: str(int(seconds))),
}


@pytest.mark.parametrize("name", WAYS)
async def test_the_senders_own_signature_is_enough_and_nothing_less(name: str, client: aiohttp.ClientSession, open_door: Door) -> None:
    sign, written = WAYS[name]
    body = wire({"zendesk": ZENDESK, "chatwoot": CHATWOOT}[name][0])
    url, now = f"{open_door.url}/hooks/{name}?signer=signsign", time.time()
    good = sign(body, written(now))
    assert (await posted(client, url, body + b" ", good))[0] == 401
    assert (await posted(client, url, body, {}))[0] == 401
    assert (await posted(client, url, body, sign(body, written(now - 400))))[0] == 401
    assert (await posted(client, url, body, sign(body, "soon")))[0] == 401
    assert open_door.link.records == []
    assert (await posted(client, url, body, good))[0] == 202
    assert await posted(client, url, body, good) == (202, {"accepted": 0, "rejected": 0, "events": []})
    assert len(open_door.link.records) == 1
    assert open_door.refusals() == {"bad_signature": 4}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/hooks/zendesk", wire(ZENDESK[0]), {}, 401),
        ("/hooks/none", wire(ZENDESK[0]), BEARER, 404),
        ("/hooks/../hooks/zendesk", wire(ZENDESK[0]), BEARER, 404),
        ("/hooks/zendesk", b"Ada Invented", BEARER, 400),
        ("/hooks/zendesk", b"[]", BEARER, 400),
        ("/hooks/zendesk", b"{}", BEARER, 422),
        ("/hooks/zendesk", wire(ZENDESK[0] | {"time": "Ada Invented"}), BEARER, 422),
        ("/hooks/zendesk", wire(ZENDESK[0]), BEARER | {"content-type": "text/plain"}, 415),
    ],
)
async def test_what_is_no_delivery_is_refused(  # noqa: PLR0917 - a row of the table
    path: str, body: bytes, headers: dict[str, str], status: int, client: aiohttp.ClientSession, open_door: Door
) -> None:
    url = yarl.URL(open_door.url + path, encoded=True)
    async with client.post(url, data=body, headers=JSON | headers) as answer:
        assert answer.status == status
        assert "Invented" not in await answer.text()
    assert open_door.link.records == []
    assert sum(open_door.refusals().values()) == 1


HALF_AN_EMOJI = "9\ud83d"
ODD_TIMES = [
    *("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "2026-11-27", "2026-W48-5", "2016-12-31T23:59:60Z", "24:00", HALF_AN_EMOJI),
    *(0, -1, -62_135_596_801, 253_402_300_800, 10**18, 10**400, 1e300, float("nan"), float("inf"), True, {"a": 1}, ["x"], ""),
]
ANY_TEXT = st.text(st.characters(codec=None), max_size=20) | st.just(HALF_AN_EMOJI)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.sampled_from(ODD_TIMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
DELIVERIES = {"zendesk": ZENDESK, "chatwoot": CHATWOOT}
HOOKS = {name: Hook(read_as(HookFile, FOLDER / f"{name}.yaml"), KEY) for name in DELIVERIES}


def test_every_mapping_of_webhooks_that_is_shipped_has_deliveries_here() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == DELIVERIES.keys()


def judged(name: str, body: bytes) -> Validated | None:
    """None where the delivery is refused as a whole, as a client's mistake."""
    made, refused = Validated(), list[int]()
    try:
        Validator(4).judged(HOOKS[name].posted(body), EVERYONE_HERE, 1_795_442_602_120, made)
    except Problem as problem:
        refused.append(problem.status)
    assert all(400 <= status < 500 for status in refused)
    return None if refused else made


@given(st.sampled_from([(name, each) for name, told in DELIVERIES.items() for each in told]), st.data())
@settings(max_examples=300)
def test_a_delivery_with_anything_in_it_is_read_or_refused(delivery: tuple[str, dict[str, Any]], draw: st.DataObject) -> None:
    """Whatever stands in place of any members."""
    name, told = delivery
    changed = copy.deepcopy(told)
    for _ in range(draw.draw(st.integers(1, 3))):
        at = changed
        while isinstance(at[member := draw.draw(st.sampled_from(sorted(at)))], dict) and at[member] and draw.draw(st.booleans()):
            at = at[member]
        at[member] = draw.draw(ANY_JSON)
        if not at:
            break
    judged(name, wire(changed))


@given(st.sampled_from(sorted(DELIVERIES)), ANY_JSON)
def test_any_json_is_read_or_refused(name: str, body: Any) -> None:
    judged(name, wire(body))


def places(of: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in of.items() if isinstance(of, dict) else ():
        yield (*path, name)
        yield from places(value, (*path, name))


@pytest.mark.parametrize("odd", [*ODD_TIMES, HALF_AN_EMOJI], ids=repr)
@pytest.mark.parametrize("name", DELIVERIES)
def test_each_odd_value_at_each_place_is_read_or_refused(name: str, odd: Any) -> None:
    for told in DELIVERIES[name]:
        for *way, member in places(told):
            changed = at = copy.deepcopy(told)
            for step in way:
                at = at[step]
            at[member] = odd
            judged(name, wire(changed))


@pytest.mark.parametrize("depth", [100, *range(800, 1_000, 5), 5_000, 200_000])
@pytest.mark.parametrize("name", DELIVERIES)
def test_a_delivery_however_deep_is_read_or_refused(name: str, depth: int) -> None:
    for place in ("id", "event", "detail", "sender", "conversation", "created_at", "time", "unknown"):
        told = wire(DELIVERIES[name][0] | {place: "HERE"})
        judged(name, told.replace(b'"HERE"', b'{"a":' * depth + b"1" + b"}" * depth))


def test_half_an_emoji_matters_only_where_it_is_read() -> None:
    """Somebody's words are cut anywhere; an id is a whole text, or none that events could be counted by."""
    told = CHATWOOT[0]
    assert judged("chatwoot", wire(told | {"content": HALF_AN_EMOJI})) == judged("chatwoot", wire(told))
    assert judged("chatwoot", wire(told | {"sender": told["sender"] | {"id": HALF_AN_EMOJI}})) is None


def is_absent(told: Any) -> bool:
    """What says nothing makes no event, and is taken."""
    return told == "" or (isinstance(told, float) and not isfinite(told))


async def test_odd_deliveries_are_refused_at_the_door_and_are_no_mistake(client: aiohttp.ClientSession, open_door: Door) -> None:
    for odd in ODD_TIMES:
        changed = CHATWOOT[0] | {"created_at": odd, "sender": {"id": HALF_AN_EMOJI, "type": "contact"}}
        status, _ = await posted(client, f"{open_door.url}/hooks/chatwoot", wire(changed), BEARER)
        assert 400 <= status < 500 or is_absent(odd)
    assert "mistake" not in open_door.refusals()


def test_a_hook_with_a_mistake_is_told_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("source: /x\nsignature: magic\ncase: row.id\nevents: [{kind: contact}]\n")
    with pytest.raises(MappingError, match=r"bad\.yaml: .*signature"):
        hooks_of(Settings(intake_hooks=tmp_path))
    (tmp_path / "bad.yaml").write_text("source: /x\ncase: row.id\nevents: [{kind: contact}]\n")
    with pytest.raises(MappingError, match=r"bad\.yaml: the rule for a contact has no time"):
        hooks_of(Settings(intake_hooks=tmp_path))
