"""The message of an announcement: every member in its place, and the same id for the same story."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from events.breach import Breach
from events.schemas import event_schema
from projections.announcement import Announcement, Passed
from streams.worker.announcements import breach_of

T = 1_795_000_000_000


def said(**known: Any) -> Announcement:
    passed = Passed(T, "/helpdesk 1", "response", "warning", T + 80)
    members: dict[str, Any] = {
        "district": "riverside", "subject": "case-1", "passed": passed, "state": "cleared", "school": "north", "department": "nursing",
        "audience": "family", "channel": "web", "topic": "bus-late", "priority": "urgent", "received_at": T, "due_at": T + 100,
        "ended_at": T + 300, "waiting_since": T + 200, "known_at": T + 1,
    }  # fmt: skip
    return Announcement(**(members | known))


def message(announcement: Announcement) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(breach_of(announcement).model_dump_json(exclude_none=True))
    Draft202012Validator(event_schema(Breach)).validate(told)
    return told


def test_everything_that_is_known_is_told() -> None:
    told = message(said())
    name = told["data"].pop("breach")
    assert told == {
        "specversion": "1.0",
        "id": f"{name}-cleared",
        "source": "/frontdesk",
        "type": "org.frontdesk.breach.v1",
        "subject": "case-1",
        "time": "2026-11-18T11:06:40.300Z",
        "datacontenttype": "application/json",
        "partitionkey": "riverside",
        "data": {
            "district": "riverside",
            "school": "north",
            "department": "nursing",
            "state": "cleared",
            "target": "response",
            "stage": "warning",
            "priority": "urgent",
            "audience": "family",
            "channel": "web",
            "topic": "bus-late",
            "received_at": "2026-11-18T11:06:40.000Z",
            "reached_at": "2026-11-18T11:06:40.080Z",
            "due_at": "2026-11-18T11:06:40.100Z",
            "ended_at": "2026-11-18T11:06:40.300Z",
            "waiting_since": "2026-11-18T11:06:40.200Z",
        },
    }


def test_what_is_not_known_is_left_out() -> None:
    empty = dict.fromkeys(("school", "department", "audience", "channel", "topic"), "")
    told = message(said(**empty, state="raised", ended_at=None, waiting_since=None))
    assert set(told["data"]) == {"district", "breach", "state", "target", "stage", "priority", "received_at", "reached_at", "due_at"}
    assert told["time"] == told["data"]["reached_at"]


@pytest.mark.parametrize(
    "other",
    [
        {"district": "hillside"},
        {"subject": "case-2"},
        {"passed": Passed(T, "/helpdesk 2", "response", "warning", T + 80)},
        {"passed": Passed(T, "/helpdesk 1", "resolution", "warning", T + 80)},
        {"passed": Passed(T, "/helpdesk 1", "response", "breach", T + 80)},
        {"passed": Passed(T, "/helpdesk 1", "response", "warning", T + 81)},
    ],
)
def test_another_promise_has_another_name(other: dict[str, Any]) -> None:
    assert breach_of(said(**other)).data.breach != breach_of(said()).data.breach


def test_what_else_is_known_by_then_does_not_change_the_name() -> None:
    one, other = breach_of(said()), breach_of(said(state="withdrawn", school="south", ended_at=None, waiting_since=None))
    assert one.data.breach == other.data.breach
    assert one.id != other.id
