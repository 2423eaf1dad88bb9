"""Rows: every value under its column, versions in the order of the log."""

from __future__ import annotations

from msgspec.structs import astuple

from events.event import Contacted, Event, Rated, Replied, Resolved
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, KEPT_CASE_COLUMNS, columns, event_row, gone, row_version, window_version
from tests.support.stories import H, contact, facts_of, reply

DELIVERY = (3, 17, 1_000, 1, 99)


def row(event: Event) -> dict[str, object]:
    """The row of an event, without what is empty."""
    full = dict(zip(EVENT_COLUMNS, event_row("riverside", "case-1", event, DELIVERY), strict=True))
    return {name: value for name, value in full.items() if value not in ("", 0)}


COMMON = {
    "district": "riverside",
    "subject": "case-1",
    "source": "/s",
    "id": "i",
    "time": 5,
    "school": "north",
    "department": "office",
    "partition": 3,
    "offset": 17,
    "produced_at": 1_000,
    "backfill": 1,
    "version": 99,
}


def test_the_row_of_a_contact() -> None:
    event = Contacted(5, "/s", "i", "north", "office", "s-1", "family", "web", "es", "bus-late", "urgent", needs_reply=True)
    assert row(event) == COMMON | {
        "kind": "contact",
        "stakeholder": "s-1",
        "audience": "family",
        "channel": "web",
        "language": "es",
        "topic": "bus-late",
        "priority": "urgent",
        "needs_reply": 1,
    }


def test_the_row_of_a_reply() -> None:
    assert row(Replied(5, "/s", "i", "north", "office", "a-1", human=False, public=False)) == COMMON | {
        "kind": "reply",
        "author": "a-1",
        "author_kind": "automatic",
        "visibility": "internal",
    }
    assert row(Replied(5, "/s", "i", "north", "office")) == COMMON | {"kind": "reply", "author_kind": "human", "visibility": "public"}


def test_the_row_of_a_resolution() -> None:
    assert row(Resolved(5, "/s", "i", "north", "office", "spam")) == COMMON | {"kind": "resolution", "outcome": "spam"}


def test_the_row_of_a_rating() -> None:
    assert row(Rated(5, "/s", "i", "north", "office", 4.0, 1.0, 5.0)) == COMMON | {
        "kind": "rating",
        "score": 4.0,
        "worst": 1.0,
        "best": 5.0,
    }


def test_the_row_of_a_case_has_every_fact_under_its_name() -> None:
    facts = facts_of(contact(0), reply(1 * H))
    kept = [*astuple(facts), "riverside", "case-1", 3, 17, 2, 0, 99]
    full = dict(zip(CASE_COLUMNS, (column[0] for column in columns(kept, CASE_COLUMNS, KEPT_CASE_COLUMNS)), strict=True))
    for name in CASE_COLUMNS[3:44]:
        assert full[name] == getattr(facts, name), name
    assert (full["district"], full["opened_at"], full["subject"]) == ("riverside", facts.opened_at, "case-1")
    assert [full[name] for name in CASE_COLUMNS[-5:]] == [3, 17, 2, 0, 99]


def test_what_is_gone_keeps_its_key() -> None:
    facts = gone((5, "/s i"))
    assert (facts.opened_at, facts.episode, facts.status, facts.received_at) == (5, "/s i", "open", None)


def test_a_later_offset_beats_a_later_directory_and_a_later_epoch_beats_both() -> None:
    assert row_version(1, 0, 5) > row_version(1, -1, 9) > 0
    assert row_version(2, 0, 0) > row_version(1, 2**63 - 1, 2**48 - 1)
    assert row_version(2**16 - 1, 2**63 - 1, 2**48 - 1) < 2**128


def test_a_later_minute_beats_a_later_offset() -> None:
    assert window_version(10, 0, 0) > window_version(9, 2**63, 2**32 - 1)
    assert window_version(10, 4, 2**32 + 7) == 10 << 96 | 4 << 32 | 7
    assert window_version(2**32 - 1, 2**63, 2**32 - 1) < 2**128


def test_rows_become_columns() -> None:
    assert columns([1, "a", 2, "b"], ("name", "n"), ("n", "name")) == [["a", "b"], [1, 2]]
    assert columns([], ("n",), ("n",)) == []
