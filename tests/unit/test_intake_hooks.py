"""Webhooks of Zendesk and Chatwoot through their mappings: the right events, nothing private, and only from whom it may be."""

import copy
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from streams.intake.grant import EVERYONE_HERE, Grant
from streams.intake.hook import Hook, HookFile, hooks_of
from streams.intake.judgement import Judge, Judgement
from streams.intake.problem import Problem
from streams.intake.token_file import Register, new_token
from streams.mapping.expression import MappingError, pseudonym
from streams.mapping.mapping import read_as
from streams.settings import Settings
from tests.intakes import Door, door, wire
from tests.webhooks import CHATWOOT, OF_CHATWOOT, OF_ZENDESK, PRIVATE, SECRET, ZENDESK, signed_by_chatwoot, signed_by_zendesk

FOLDER = Path(__file__).parents[2] / "docs" / "mappings" / "webhooks"
KEY = b"an invented key, 32 bytes long.."
JSON = {"content-type": "application/json"}
TOKEN_ID, TOKEN, SHA256 = new_token()
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Sign = Callable[[bytes, str], dict[str, str]]


@pytest.fixture
async def open_door(tmp_path: Path) -> AsyncIterator[Door]:
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
    sent = b"".join(record.value + repr(record.headers).encode() for record in open_door.link.records)
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
    assert (await posted(client, url, body, good))[0] == 409
    assert len(open_door.link.records) == 1
    assert open_door.refusals() == {"bad_signature": 4, "replayed": 1}


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


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([("zendesk", each) for each in ZENDESK] + [("chatwoot", each) for each in CHATWOOT]), st.data())
def test_a_delivery_with_anything_in_it_is_read_or_refused(delivery: tuple[str, dict[str, Any]], draw: st.DataObject) -> None:
    """Whatever stands in place of any member."""
    name, told = delivery
    hook = Hook(read_as(HookFile, FOLDER / f"{name}.yaml"), KEY)
    changed = at = copy.deepcopy(told)
    while isinstance(at[member := draw.draw(st.sampled_from(sorted(at)))], dict) and at[member] and draw.draw(st.booleans()):
        at = at[member]
    at[member] = draw.draw(ANY_JSON)
    with suppress(Problem):
        judged = Judgement()
        Judge(4).judged(hook.posted(wire(changed)), EVERYONE_HERE, 1_795_442_602_120, judged)


def test_a_hook_with_a_mistake_is_told_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("source: /x\nsignature: magic\ncase: row.id\nevents: [{kind: contact}]\n")
    with pytest.raises(MappingError, match=r"bad\.yaml: .*signature"):
        hooks_of(Settings(intake_hooks=tmp_path))
    (tmp_path / "bad.yaml").write_text("source: /x\ncase: row.id\nevents: [{kind: contact}]\n")
    with pytest.raises(MappingError, match=r"bad\.yaml: the rule for a contact has no time"):
        hooks_of(Settings(intake_hooks=tmp_path))
