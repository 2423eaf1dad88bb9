"""Rows of an export into events: times, ids, words, pseudonyms, and what is said where a row or a mapping is wrong."""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from events.codec import Decoder
from events.rejection import Rejection
from streams.cli import run
from streams.cli.outcome import ExitCode
from streams.cli.rows import rows_of
from streams.mapping.expression import MappingError, key_of, pseudonym, slug
from streams.mapping.mapping import Mapping, Table, read_mapping
from streams.mapping.translation import Translation

MAPPINGS = Path(__file__).parents[2] / "docs" / "mappings"
KEY = b"an invented key, 32 bytes long.."
NOW = 1_795_442_602_120
ROW = {"case": "4711", "at": "2026-11-20T14:03:22Z", "who": "ada@example.org", "text": "private words", "kind": "new"}


def mapping(**changes: Any) -> Mapping:
    told: dict[str, Any] = {
        "source": "/riverside/export",
        "case": "row.case",
        "time": {"value": "row.at"},
        "set": {"district": "riverside"},
        "events": [{"kind": "contact"}],
    }
    return Mapping.model_validate(told | changes)


def events_of(rows: list[dict[str, Any]], shift: timedelta = timedelta(), **changes: Any) -> list[dict[str, Any]]:
    translation = Translation(mapping(**changes), KEY)
    return [event for line, row in enumerate(rows, 2) for event in translation.events(row, line, shift)]


def time_of(value: Any, form: str, zone: str = "UTC") -> str:
    [event] = events_of([ROW | {"at": value}], time={"value": "row.at", "format": form, "zone": zone})
    time: str = event["time"]
    return time


# -- times -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "form", "zone", "time"),
    [
        ("2026-11-20T14:03:22.5Z", "rfc3339", "UTC", "2026-11-20T14:03:22.500Z"),
        ("2026-11-20T14:03:22-06:00", "rfc3339", "UTC", "2026-11-20T20:03:22.000Z"),
        ("2026-11-20 14:03:22", "rfc3339", "America/Chicago", "2026-11-20T20:03:22.000Z"),
        ("07/04/2026 02:05:00 PM", "%m/%d/%Y %I:%M:%S %p", "America/New_York", "2026-07-04T18:05:00.000Z"),
        (1_795_442_602, "epoch_s", "UTC", "2026-11-23T14:03:22.000Z"),
        ("1795442602120", "epoch_ms", "UTC", "2026-11-23T14:03:22.120Z"),
        ("2026-11-01 01:30:00", "rfc3339", "America/Chicago", "2026-11-01T06:30:00.000Z"),  # there were two: the first
    ],
)
def test_a_time_is_read_with_its_format_and_zone(value: Any, form: str, zone: str, time: str) -> None:
    assert time_of(value, form, zone) == time


def test_an_hour_that_there_never_was_is_a_problem() -> None:
    with pytest.raises(MappingError, match="there was no such time in America/Chicago"):
        time_of("2026-03-08 02:30:00", "rfc3339", "America/Chicago")


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", [], {}])
def test_what_is_no_time_is_a_problem_that_quotes_nothing(value: Any) -> None:
    with pytest.raises(MappingError, match="the time is not of the format rfc3339"):
        time_of(value, "rfc3339")


@pytest.mark.parametrize("value", [None, "", "  "])
def test_no_time_is_no_event(value: Any) -> None:
    assert events_of([ROW | {"at": value}]) == []


# -- ids ---------------------------------------------------------------------------------------------------------------
def test_the_same_rows_give_the_same_ids_in_any_order_and_equal_rows_differ() -> None:
    rows = [ROW, ROW | {"case": "4712"}, ROW, ROW]
    ids = [event["id"] for event in events_of(rows)]
    assert len(set(ids)) == 4
    assert sorted(event["id"] for event in events_of(rows[::-1])) == sorted(ids)


def test_what_the_mapping_leaves_out_does_not_make_another_event() -> None:
    assert events_of([ROW]) == events_of([ROW | {"text": "other words"}])


def test_an_id_can_be_named() -> None:
    [event] = events_of([ROW], events=[{"kind": "contact", "id": "join('-', [row.case, row.kind])"}])
    assert event["id"] == "4711-new"


def test_moved_events_have_ids_of_their_own() -> None:
    [still], [moved] = events_of([ROW]), events_of([ROW], timedelta(weeks=2))
    assert (moved["time"], moved["id"]) == ("2026-12-04T14:03:22.000Z", f"{still['id']}+14d")


# -- rules -------------------------------------------------------------------------------------------------------------
def test_rules_make_events_where_they_hold() -> None:
    rules = [
        {"kind": "contact", "when": "is_first", "data": {"stakeholder": "pseudonym(row.who)"}},
        {"kind": "reply", "when": "row.kind == 'answer'", "data": {"department": "slug(first.group)"}},
        {"kind": "rating", "when": "present(row.stars)", "set": {"worst": 0}, "data": {"score": "to_number(row.stars)"}},
    ]
    rows = [ROW | {"group": "Bus & Rail"}, ROW | {"kind": "answer"}, ROW | {"kind": "x", "stars": "0"}]
    events = events_of(rows, events=rules)
    assert [event["type"].split(".")[2] for event in events] == ["contact", "reply", "rating"]
    assert events[0]["data"] == {"district": "riverside", "stakeholder": pseudonym("ada@example.org", KEY)}
    assert events[1]["data"] == {"district": "riverside", "department": "bus-rail"}
    assert events[2]["data"] == {"district": "riverside", "worst": 0, "score": 0}
    assert not any(isinstance(Decoder().decode(json.dumps(event).encode(), [], NOW), Rejection) for event in events)
    assert "private" not in json.dumps(events)
    assert "ada@" not in json.dumps(events)


def test_words_are_looked_up() -> None:
    [event] = events_of(
        [ROW], tables={"kinds": {"new": "web"}}, data={"channel": "lookup('kinds', row.kind)", "topic": "lookup('kinds', 'x')"}
    )
    assert event["data"] == {"district": "riverside", "channel": "web"}


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"case": "row."}, "is no JMESPath"),
        ({"time": None}, "has no time"),
        ({"data": {"topic": "to_number(`{}`, row)"}}, "cannot be computed"),
        ({"data": {"topic": "lookup('none', row.kind)"}}, "no table none"),
        ({"case": "row.nothing"}, "names no case"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(changes: dict[str, Any], hint: str) -> None:
    with pytest.raises(MappingError, match=hint):
        events_of([ROW], **changes)


def test_slugs_and_pseudonyms() -> None:
    assert [slug(text) for text in ("Value 3", "  Bus / Late! ", "Über", "", " - ")] == ["value-3", "bus-late", "über", None, None]
    assert pseudonym(" Ada@Example.org", KEY) == pseudonym("ada@example.org", KEY)
    assert pseudonym("ada", KEY) != pseudonym("ada", KEY[::-1])
    assert pseudonym("", KEY) is None
    with pytest.raises(MappingError, match="FRONTDESK_PSEUDONYM_KEY"):
        list(Translation(mapping(data={"topic": "pseudonym(row.who)"}), None).events(ROW, 1))


def test_a_key_that_can_be_tried_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text("short")
    with pytest.raises(MappingError, match="at least 16 bytes"):
        key_of(tmp_path / "key")


# -- files -------------------------------------------------------------------------------------------------------------
def test_rows_of_all_formats_are_the_same(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"text": 'two\nlines, "quoted"'}, ROW | {"case": "4712"}]
    with (tmp_path / "a.csv").open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, ROW)
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "a.ndjson").write_text("\n\n".join(map(json.dumps, rows)))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    read = {suffix: list(rows_of(tmp_path / f"a.{suffix}", Table())) for suffix in ("csv", "ndjson", "parquet")}
    assert [[row for _, row in each] for each in read.values()] == [rows] * 3
    assert [[line for line, _ in each] for each in read.values()] == [[2, 4, 5], [1, 3, 5], [1, 2, 3]]


# -- mappings that are told --------------------------------------------------------------------------------------------
SAMPLES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "freshdesk-tickets": (
        {
            "Ticket ID": "812",
            "Group": "Bus Office",
            "Source": "Email",
            "Priority": "Urgent",
            "Type": "Late bus",
            "Contact ID": "990",
            "Agent": "Invented Agent",
            "Created time": "2026-10-01 08:00:00",
            "Initial response time": "2026-10-01 09:00:00",
            "Resolved time": "",
        },
        ["contact 2026-10-01T13:00:00.000Z", "reply 2026-10-01T14:00:00.000Z"],
    ),
    "zendesk-tickets": (
        {
            "id": 35436,
            "created_at": "2026-10-01T08:00:00Z",
            "updated_at": "2026-10-02T08:00:00Z",
            "via": {"channel": "voice"},
            "priority": None,
            "type": "question",
            "group_id": 98738,
            "requester_id": 20978392,
            "satisfaction_rating": {"score": "good"},
            "metric_set": {"solved_at": "2026-10-01T12:00:00Z"},
        },
        ["contact 2026-10-01T08:00:00.000Z", "resolution 2026-10-01T12:00:00.000Z", "rating 2026-10-02T08:00:00.000Z"],
    ),
    "nyc-311": (
        {
            "Unique Key": "59893776",
            "Created Date": "12/31/2025 11:59:45 PM",
            "Closed Date": "01/01/2026 12:28:01 AM",
            "Agency": "NYPD",
            "Complaint Type": "Noise - Residential",
            "Open Data Channel Type": "PHONE",
        },
        ["contact 2026-01-01T04:59:45.000Z", "resolution 2026-01-01T05:28:01.000Z"],
    ),
}


@pytest.mark.parametrize("name", [file.stem for file in sorted(MAPPINGS.glob("*.yaml"))])
def test_a_mapping_of_the_documents_makes_events(name: str) -> None:
    row, expected = SAMPLES[name]
    events = list(Translation(read_mapping(MAPPINGS / f"{name}.yaml"), KEY).events(row, 2))
    assert [f"{event['type'].split('.')[2]} {event['time']}" for event in events] == expected
    decoder = Decoder()
    assert [found for event in events if isinstance(found := decoder.decode(json.dumps(event).encode(), [], NOW), Rejection)] == []
    assert not decoder.unknown_members
    assert "Invented" not in json.dumps(events)


# -- the command -------------------------------------------------------------------------------------------------------
@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(mapping().model_dump(mode="json", exclude_defaults=True)))
    (tmp_path / "rows.ndjson").write_text("\n".join(json.dumps(ROW | {"case": str(n)}) for n in range(5)) + "\n")
    return str(tmp_path / "rows.ndjson"), str(tmp_path / "map.yaml")


def test_a_dry_run_counts(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", files[0], "--mapping", files[1], "--dry-run"]) == ExitCode.OK
    assert "5 rows: 5 contact, 0 problems" in capsys.readouterr().err


def test_problems_are_told_by_line_and_nothing_is_sent(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with Path(files[0]).open("a") as out:
        out.write('{"case": "secret words in it", "at": "2026-11-20T14:03:22Z"}\nnonsense\n{"case": "1", "at": "soon"}\n')
    assert run(["import", files[0], "--mapping", files[1]]) == ExitCode.REFUSED
    told = capsys.readouterr().err
    assert f"{files[0]}:6: contact: invalid $.subject" in told
    assert f"{files[0]}:7: this is no row" in told
    assert f"{files[0]}:8: the time is not of the format" in told
    assert "8 rows: 5 contact, 3 problems" in told
    assert "secret words" not in told


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"events": []}, "events"),
        ({"time": {"value": "row.at", "zone": "Mars"}}, "IANA zone"),
        ({"data": {"student": "row.who"}}, "not in the contract: student"),
    ],
)
def test_a_wrong_mapping_file(change: dict[str, Any], hint: str, files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    told = yaml.safe_load(Path(files[1]).read_text()) | change
    Path(files[1]).write_text(yaml.safe_dump(told))
    assert run(["import", files[0], "--mapping", files[1]]) == ExitCode.USAGE
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("journal", ["", "[]", '{"rows": 3}', '{"import": "x", "rows": "y"}'])
def test_a_damaged_journal(journal: str, files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(f"{files[0]}.import-progress").write_text(journal)
    assert run(["import", files[0], "--mapping", files[1]]) == ExitCode.USAGE
    assert "import-progress is damaged: remove it" in capsys.readouterr().err


def test_a_file_of_another_kind(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.xlsx").touch()
    assert run(["import", str(tmp_path / "rows.xlsx"), "--mapping", files[1]]) == ExitCode.USAGE
    assert ".parquet" in capsys.readouterr().err
