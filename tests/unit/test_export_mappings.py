"""What each form of a ticket in the exports of Freshdesk, Zendesk and NYC 311 counts as, by the mappings of the documents."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from events.codec import Decoder
from events.rejection import Rejection
from streams.mapping.expression import MappingError, pseudonym
from streams.mapping.mapping import read_mapping
from streams.mapping.translation import Translation
from tests.support.stories import facts_of

MAPPINGS = Path(__file__).parents[2] / "docs" / "mappings"
KEY = b"an invented key, 32 bytes long.."
NOW = 1_795_500_000_000
Row = dict[str, Any]


def events_of(name: str, row: Row) -> list[dict[str, Any]]:
    """Of one row by itself; each keeps the contract and says nothing that it does not know."""
    events = [told.event for told in Translation(read_mapping(MAPPINGS / f"{name}.yaml"), KEY).events(row, 2).emitted]
    decoder = Decoder()
    assert [found for event in events if isinstance(found := decoder.decode(json.dumps(event).encode(), [], NOW), Rejection)] == []
    assert not decoder.unknown_members
    return events


def told(name: str, row: Row) -> list[str]:
    return [f"{event['type'].split('.')[2]} {event['time'].removesuffix('.000Z')}" for event in events_of(name, row)]


def data_of(name: str, row: Row) -> dict[str, Any]:
    """Of the contact, without the district."""
    data: dict[str, Any] = events_of(name, row)[0]["data"]
    return {member: value for member, value in data.items() if member != "district"}


# -- Freshdesk ---------------------------------------------------------------------------------------------------------
FRESHDESK: Row = {
    "Ticket ID": "812",
    "Subject": "Ada Invented, ada.invented@example.org",
    "Status": "Open",
    "Priority": "Urgent",
    "Source": "Email",
    "Type": "Late bus",
    "Agent": "Ada Invented",
    "Group": "Bus Office",
    "Created time": "2026-10-01 08:00:00",
    "Due by Time": "2026-10-02 08:00:00",
    "Resolved time": "",
    "Closed time": "",
    "Last update time": "2026-10-01 08:00:00",
    "Initial response time": "",
    "Time tracked": "00:00:00",
    "First response time (in hrs)": "",
    "Resolution time (in hrs)": "",
    "Agent interactions": "0",
    "Customer interactions": "1",
    "Resolution status": "",
    "First response status": "",
    "Tags": "",
    "Survey results": "",
    "Full name": "Ada Invented",
    "Email": "ada.invented@example.org",
    "Contact ID": "990",
}
ANSWERED = {"Initial response time": "2026-10-01 09:00:00"}
RESOLVED = ANSWERED | {"Resolved time": "2026-10-01 10:00:00", "Status": "Resolved"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["contact 2026-10-01T13:00:00"]),
        (ANSWERED, ["contact 2026-10-01T13:00:00", "reply 2026-10-01T14:00:00"]),
        (RESOLVED, ["contact 2026-10-01T13:00:00", "reply 2026-10-01T14:00:00", "resolution 2026-10-01T15:00:00"]),
        (RESOLVED | {"Initial response time": "NULL"}, ["contact 2026-10-01T13:00:00", "resolution 2026-10-01T15:00:00"]),
        (RESOLVED | {"Source": "Outbound Email"}, []),
        ({"Source": "Outbound Email", "Agent": "No Agent", "Group": "No Group", "Contact ID": ""}, []),
        ({"Resolved time": "2026-10-01 07:59:00"}, ["contact 2026-10-01T13:00:00", "resolution 2026-10-01T13:00:00"]),
    ],
)
def test_tickets_of_freshdesk(more: Row, expected: list[str]) -> None:
    assert told("freshdesk-tickets", FRESHDESK | more) == expected


@pytest.mark.parametrize(
    ("more", "data"),
    [
        ({}, {"department": "bus-office", "channel": "email", "priority": "critical", "topic": "late-bus"}),
        ({"Group": "No Group", "Type": ""}, {"channel": "email", "priority": "critical"}),
        ({"Group": "", "Type": "None", "Priority": "Low"}, {"channel": "email", "priority": "routine"}),
        (
            {"Source": "Feedback Widget", "Priority": "High"},
            {"department": "bus-office", "channel": "web", "priority": "urgent", "topic": "late-bus"},
        ),
        (
            {"Source": "WhatsApp", "Priority": "Medium"},
            {"department": "bus-office", "channel": "text", "priority": "routine", "topic": "late-bus"},
        ),
        ({"Source": "a new one"}, {"department": "bus-office", "priority": "critical", "topic": "late-bus"}),
    ],
)
def test_what_freshdesk_says_of_a_contact(more: Row, data: dict[str, Any]) -> None:
    assert data_of("freshdesk-tickets", FRESHDESK | more) == data | {"stakeholder": pseudonym("990", KEY)}


def test_nobody_is_no_agent() -> None:
    _, reply = events_of("freshdesk-tickets", FRESHDESK | ANSWERED | {"Agent": "No Agent"})
    assert reply["data"] == {"district": "riverside", "department": "bus-office"}


# -- Zendesk -----------------------------------------------------------------------------------------------------------
ZENDESK: Row = {
    "id": 35436,
    "url": "https://example.org/api/v2/tickets/35436.json",
    "external_id": None,
    "created_at": "2026-10-01T08:00:00Z",
    "updated_at": "2026-10-02T08:00:00Z",
    "via": {"channel": "voice", "source": {"from": {"phone": "+1 555 0100"}, "to": {}, "rel": None}},
    "subject": "Ada Invented",
    "description": "My child was not picked up",
    "priority": None,
    "status": "open",
    "recipient": "ada.invented@example.org",
    "type": None,
    "group_id": None,
    "requester_id": 20978392,
    "submitter_id": 76872,
    "assignee_id": None,
    "satisfaction_rating": None,
    "metric_set": None,
}
SOLVED = {"status": "solved", "metric_set": {"solved_at": "2026-10-01T12:00:00Z", "reopens": 0}}
GOOD = {"satisfaction_rating": {"id": 1234, "score": "good", "comment": "Ada Invented was kind"}}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["contact 2026-10-01T08:00:00"]),
        ({"metric_set": {"solved_at": None}}, ["contact 2026-10-01T08:00:00"]),
        ({"metric_set": {"solved_at": float("nan")}}, ["contact 2026-10-01T08:00:00"]),
        (SOLVED, ["contact 2026-10-01T08:00:00", "resolution 2026-10-01T12:00:00"]),
        (SOLVED | {"status": "closed"}, ["contact 2026-10-01T08:00:00", "resolution 2026-10-01T12:00:00"]),
        (SOLVED | GOOD, ["contact 2026-10-01T08:00:00", "resolution 2026-10-01T12:00:00", "rating 2026-10-02T08:00:00"]),
        ({"satisfaction_rating": {"score": "unoffered"}}, ["contact 2026-10-01T08:00:00"]),
        ({"satisfaction_rating": {"score": "offered"}}, ["contact 2026-10-01T08:00:00"]),
        (
            {"satisfaction_rating": {"score": "bad", "updated_at": "2026-10-01T20:00:00Z"}},
            ["contact 2026-10-01T08:00:00", "rating 2026-10-01T20:00:00"],
        ),
        ({"status": "deleted"}, ["contact 2026-10-01T08:00:00", "resolution 2026-10-02T08:00:00"]),
    ],
)
def test_tickets_of_zendesk(more: Row, expected: list[str]) -> None:
    assert told("zendesk-tickets", ZENDESK | more) == expected


@pytest.mark.parametrize("deleted", [{"status": "deleted"}, SOLVED | {"status": "deleted"}])
def test_a_deleted_ticket_is_in_no_measure(deleted: Row) -> None:
    assert events_of("zendesk-tickets", ZENDESK | deleted)[-1]["data"]["outcome"] == "spam"


@pytest.mark.parametrize(
    ("more", "data"),
    [
        ({}, {"channel": "phone"}),
        ({"group_id": 98738}, {"channel": "phone", "department": "98738"}),
        ({"group_id": 98738.0}, {"channel": "phone", "department": "98738"}),
        ({"group_id": "null", "type": "None", "via": None}, {}),
        (
            {"group_id": float("nan"), "priority": "urgent", "type": "question"},
            {"channel": "phone", "priority": "critical", "topic": "question"},
        ),
    ],
)
def test_what_zendesk_says_of_a_contact(more: Row, data: dict[str, Any]) -> None:
    assert data_of("zendesk-tickets", ZENDESK | more) == data | {"stakeholder": pseudonym("20978392", KEY)}


# -- NYC 311 -----------------------------------------------------------------------------------------------------------
NYC: Row = {
    "Unique Key": "59893776",
    "Created Date": "12/31/2025 11:59:45 PM",
    "Closed Date": "01/01/2026 12:28:01 AM",
    "Agency": "NYPD",
    "Complaint Type": "Noise - Residential",
    "Open Data Channel Type": "PHONE",
}


def test_requests_of_nyc() -> None:
    assert told("nyc-311", NYC) == ["contact 2026-01-01T04:59:45", "resolution 2026-01-01T05:28:01"]
    assert told("nyc-311", NYC | {"Closed Date": ""}) == ["contact 2026-01-01T04:59:45"]
    assert data_of("nyc-311", NYC) == {"department": "nypd", "channel": "phone", "topic": "noise-residential"}


# -- all ---------------------------------------------------------------------------------------------------------------
KINDS: dict[str, tuple[Row, str, Callable[[str], Row]]] = {
    "freshdesk-tickets": (FRESHDESK, "Ticket ID", lambda at: {"Resolved time": f"{at} 10:00:00"}),
    "zendesk-tickets": (ZENDESK, "id", lambda at: {"metric_set": {"solved_at": f"{at}T10:00:00Z"}}),
    "nyc-311": (NYC, "Unique Key", lambda at: {"Closed Date": f"{at[5:7]}/{at[8:]}/{at[:4]} 10:00:00 AM"}),
}


def test_every_mapping_is_tried() -> None:
    assert {file.stem for file in MAPPINGS.glob("*.yaml")} == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("absent", [None, "", float("nan"), "NULL", "None", "no such column"])
def test_a_row_without_a_ticket_is_a_problem_and_no_case(name: str, absent: Any) -> None:
    row, ticket, _ = KINDS[name]
    with pytest.raises(MappingError, match="names no case"):
        events_of(
            name,
            {column: value for column, value in row.items() if column != ticket} if absent == "no such column" else row | {ticket: absent},
        )


@pytest.mark.parametrize("name", KINDS)
def test_a_later_resolution_is_a_later_fact_and_all_else_stays_the_same_event(name: str) -> None:
    row, _, resolved = KINDS[name]
    first, again, later = (events_of(name, row | resolved(at)) for at in ("2026-11-16", "2026-11-16", "2026-11-23"))
    assert first == again
    assert [one["id"] == other["id"] for one, other in zip(first, later, strict=True)] == [True, False]
    assert "2026-11-23T" in later[1]["id"]


@pytest.mark.parametrize("name", KINDS)
def test_the_later_resolution_is_the_one_that_holds(name: str) -> None:
    row, _, resolved = KINDS[name]
    told = [event for at in ("2026-11-16", "2026-11-23") for event in events_of(name, row | resolved(at))]
    decoded = {event["id"]: Decoder().decode(json.dumps(event).encode(), [], NOW) for event in told}
    facts = facts_of(*(each[2] for each in decoded.values() if not isinstance(each, Rejection)))
    assert (facts.contacts, facts.resolutions, facts.status) == (1, 2, "resolved")
    assert facts.resolved_at == max(each[2].time for each in decoded.values() if not isinstance(each, Rejection))


@pytest.mark.parametrize("name", KINDS)
def test_nothing_that_names_a_person_goes_on(name: str) -> None:
    row, _, resolved = KINDS[name]
    sent = json.dumps(events_of(name, row | resolved("2026-11-16") | (ANSWERED if row is FRESHDESK else GOOD)))
    assert [word for word in ("Ada", "Invented", "@", "555 0100", "My child", "20978392", "76872", "990") if word in sent] == []
