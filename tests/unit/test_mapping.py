"""Rows of an export into events: times, ids, words, pseudonyms, and what is said where a row or a mapping is wrong."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from events.codec import Decoder
from events.rejection import Rejection
from events.vocabulary import NAME_LENGTH, are_names
from streams.mapping.expression import MappingError, key_of, pseudonym, slug
from streams.mapping.mapping import Mapping
from streams.mapping.translation import Translation

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
    events = []
    for line, row in enumerate(rows, 2):
        translated = translation.events(row, line, shift)
        translation.remember(translated)
        events += [each.event for each in translated.emitted]
    return events


def time_of(value: Any, form: str | list[str], zone: str = "UTC") -> str:
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


@pytest.mark.parametrize(
    "value",
    ["9999-12-31T23:59:59-05:00", "9999-12-31", "0001-01-01T00:00:00+05:00", "0001-01-01", "1979-12-31T23:59:59Z", "3016-11-20T10:00:00Z"],
)
def test_a_time_that_no_system_means_is_a_problem(value: str) -> None:
    with pytest.raises(MappingError, match=r"`row\.at`: the time is not between the years 1980 and 2099"):
        time_of(value, "rfc3339", "America/Chicago")


@pytest.mark.parametrize("value", [datetime.fromisoformat("2026-11-20T09:00:00"), datetime(2026, 11, 20, 15, tzinfo=UTC)])
def test_a_file_that_knows_times_needs_no_format(value: datetime) -> None:
    assert time_of(value, "%d.%m.%Y", "America/Chicago") == "2026-11-20T15:00:00.000Z"


def test_a_day_alone_begins_in_its_zone() -> None:
    assert time_of(date(2026, 11, 20), "%d.%m.%Y", "America/Chicago") == "2026-11-20T06:00:00.000Z"


@pytest.mark.parametrize("value", ["2026-11-20 14:03", "11/20/2026 2:03 PM", "20.11.2026 14:03"])
def test_a_column_may_have_several_formats(value: str) -> None:
    assert time_of(value, ["%Y-%m-%d %H:%M", "%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M"]) == "2026-11-20T14:03:00.000Z"


def test_a_time_of_none_of_several_formats_is_a_problem() -> None:
    with pytest.raises(MappingError, match="is not of the format %Y or epoch_s"):
        time_of("soon", ["%Y", "epoch_s"])


@pytest.mark.parametrize("value", [None, "", "  ", "NULL", float("nan")])
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


def test_an_id_may_say_when_it_happened() -> None:
    rules = [{"kind": "contact", "id": "join('-', [row.case, 'created'])"}, {"kind": "resolution", "id": "join('-', [row.case, time])"}]
    assert [event["id"] for event in events_of([ROW], events=rules)] == ["4711-created", "4711-2026-11-20T14:03:22.000Z"]


# -- what is absent ----------------------------------------------------------------------------------------------------
ABSENT = [None, float("nan"), float("inf"), "null", "NULL", "None", "NaN", " nan ", ""]
WORDS = {
    "topic": "slug(row.x)",
    "stakeholder": "pseudonym(row.x)",
    "channel": "lookup('words', row.x)",
    "department": "to_string(row.x)",
    "school": "join('-', ['school', row.x])",
    "language": "row.x",
}
TABLES = {"words": {"None": "web", "null": "web", "nan": "web", "NaN": "web", "NULL": "web"}}


@pytest.mark.parametrize("absent", [*ABSENT[:-1], "none of these columns"])
def test_what_is_absent_is_never_a_word(absent: Any) -> None:
    row = ROW if absent == "none of these columns" else ROW | {"x": absent}
    [event] = events_of([row], data=WORDS, tables=TABLES)
    assert event["data"] == {"district": "riverside"}


@pytest.mark.parametrize("absent", ABSENT)
def test_a_case_that_is_absent_is_a_problem_and_an_id_that_is_absent_is_a_hash(absent: Any) -> None:
    for case in ("row.x", "to_string(row.x)", "slug(row.x)", "join('-', ['ticket', row.x])"):
        with pytest.raises(MappingError, match="names no case"):
            events_of([ROW | {"x": absent}], case=case)
    [event] = events_of([ROW | {"x": absent}], events=[{"kind": "contact", "id": "to_string(row.x)"}])
    assert len(event["id"]) == 32


@pytest.mark.parametrize("number", [98738, 98738.0, "98738"])
def test_a_number_is_the_same_word_however_the_file_has_it(number: Any) -> None:
    [event] = events_of([ROW | {"x": number}], case="join('-', ['ticket', row.x])", data=WORDS, tables=TABLES)
    assert (event["subject"], event["data"]["topic"], event["data"]["department"]) == ("ticket-98738", "98738", "98738")
    assert event["data"]["stakeholder"] == pseudonym("98738", KEY)


def test_a_mapping_names_the_words_of_its_export_that_say_nothing() -> None:
    empty = [None, "0000-00-00", "No Group", 0]
    for told in ("NULL", "0000-00-00", "No Group", " No Group", 0, "0"):
        [event] = events_of([ROW | {"x": told, "nested": {"x": [told]}}], empty=empty, data={"topic": "slug(row.x || row.nested.x[0])"})
        assert "topic" not in event["data"]
        assert events_of([ROW | {"at": told}], empty=empty) == []
    [event] = events_of([ROW | {"x": "no group"}], empty=empty, data={"topic": "slug(row.x)"})
    assert event["data"]["topic"] == "no-group"


# -- events of one row -------------------------------------------------------------------------------------------------
OPENED_AND_CLOSED = [{"kind": "contact", "time": {"value": "row.at"}}, {"kind": "resolution", "time": {"value": "row.closed"}}]


def test_what_is_closed_before_it_was_opened_is_closed_at_once_and_told() -> None:
    translated = Translation(mapping(events=OPENED_AND_CLOSED), KEY).events(ROW | {"closed": "2026-11-20T14:03:21Z"}, 2)
    at = "2026-11-20T14:03:22.000Z"
    assert [(each.event["time"], each.moved) for each in translated.emitted] == [(at, False), (at, True)]


def test_a_row_that_is_not_taken_is_as_if_it_had_never_stood_there() -> None:
    rows = [ROW | {"kind": "a"}, ROW | {"kind": "b"}, ROW | {"kind": "b"}]
    whole = Translation(mapping(data={"topic": "slug(first.kind)"}), KEY)
    whole.events(rows[0], 2)
    told = []
    for line, row in enumerate(rows[1:], 3):
        translated = whole.events(row, line)
        whole.remember(translated)
        told += [each.event for each in translated.emitted]
    assert told == events_of(rows[1:], data={"topic": "slug(first.kind)"})


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


@pytest.mark.parametrize("text", ["Cafe\u0301", "Mu\u0308ller", "L\u00ea Qu\u00fd \u0110\u00f4n", "\uac00\ub098", "\u0e2b\u0e19\u0e39"])
def test_the_two_ways_to_write_an_accent_give_one_slug(text: str) -> None:
    assert slug(normalize("NFD", text)) == slug(normalize("NFC", text))


ALIKE = [
    ("C++", "C#", "C"),
    ("\u0e2b\u0e19\u0e39", "\u0e2b\u0e19\u0e48", "\u0e2b\u0e19"),  # Thai: a vowel and a tone that combine
    ("\u0915\u092e\u0932", "\u0915\u092e\u0932\u093e"),  # Devanagari
    ("\u0645\u062f\u0631\u0633\u0629", "\u0645\u064e\u062f\u0631\u0633\u0629"),  # Arabic, with a vowel
    ("\U0001f392", "\U0001f3eb", "\U0001f68c"),
    ("St. Mary's", "St Marys"),
    ("x" * NAME_LENGTH, "x" * NAME_LENGTH + "y", "x" * NAME_LENGTH + "z"),
]


@pytest.mark.parametrize("names", ALIKE)
def test_names_that_differ_stay_different(names: tuple[str, ...]) -> None:
    slugs = [slug(name) for name in names]
    assert None not in slugs
    assert len(set(slugs)) == len(names)


@given(st.text())
def test_a_slug_is_a_name_of_the_contract_and_its_own_slug(text: str) -> None:
    made = slug(text)
    if made is not None:
        assert len(made) <= NAME_LENGTH
        assert are_names(made)
        assert slug(made) == made


@pytest.mark.parametrize("whole", [["a"], {"a": "b"}])
def test_a_list_or_an_object_is_no_word_and_is_not_told_on(whole: Any) -> None:
    for told in ({"case": "row.x"}, {"data": {"topic": "row.x"}}, {"data": {"topic": "to_string(row.x)"}}):
        with pytest.raises(MappingError, match=r"row\.x"):
            events_of([ROW | {"x": whole}], **told)


@pytest.mark.parametrize("told", ["row.x", *WORDS.values()])
def test_half_a_character_is_a_problem_where_it_is_told_on(told: str) -> None:
    half = "9\ud83d"
    assert events_of([ROW | {"unused": half}]) == events_of([ROW])
    with pytest.raises(MappingError, match="`: the text holds half a character"):
        events_of([ROW | {"x": half}], data={"topic": told}, tables=TABLES)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(("2026-11-20T14:03:22Z", "2026-11-20T14:03:23.500000001Z"), 1.5), ((None, "2026-11-20T14:03:22Z"), None)],
)
def test_seconds_lie_between_two_times(written: tuple[Any, Any], seconds: float | None) -> None:
    rule = {"kind": "rating", "set": {"worst": 0}, "data": {"score": "seconds_between(row.a, row.b)"}}
    [event] = events_of([ROW | {"a": written[0], "b": written[1]}], events=[rule])
    assert event["data"].get("score") == seconds


def test_seconds_lie_between_times_only() -> None:
    with pytest.raises(MappingError, match="two times of RFC 3339"):
        events_of([ROW | {"a": "soon"}], data={"topic": "seconds_between(row.a, row.at)"})


@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ({"encoding": "klingon"}, "encoding of text"),
        ({"encoding": "rot13"}, "encoding of text"),
        ({"delimiter": '"'}, "neither ends a line"),
    ],
)
def test_a_table_that_nobody_can_read_is_a_mistake_of_the_mapping(table: dict[str, str], hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        mapping(csv=table)


def test_slugs_and_pseudonyms() -> None:
    assert [slug(text) for text in ("Value 3", "  Bus / Late! ", "Über", "", " - ")] == ["value-3", "bus-late", "über", None, None]
    assert pseudonym(" Ada@Example.org", KEY) == pseudonym("ada@example.org", KEY)
    assert pseudonym("ada", KEY) != pseudonym("ada", KEY[::-1])
    assert pseudonym("", KEY) is None
    with pytest.raises(MappingError, match="FRONTDESK_PSEUDONYM_KEY"):
        Translation(mapping(data={"topic": "pseudonym(row.who)"}), None).events(ROW, 1)


def test_a_key_that_can_be_tried_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text("short")
    with pytest.raises(MappingError, match="at least 16 bytes"):
        key_of(tmp_path / "key")
