import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from events import Contact, ContactData, Rating, RatingData, Reply, ReplyData, Resolution, ResolutionData
from events.cloudevents import binary, structured
from events.codec import NAMES_COUNTED, OTHER, Decoder
from events.event import Contacted, Rated, Replied, Resolved
from events.instant import moment
from events.rejection import Reason, Rejection

NOW = 1_795_442_602_120
MINUTE = 60_000
EVENT = {
    "specversion": "1.0",
    "id": "01JD9Q",
    "source": "/riverside/helpdesk",
    "type": "org.frontdesk.contact.v1",
    "subject": "case-4711",
    "time": "2026-11-23T14:03:22.120Z",
    "datacontenttype": "application/json",
    "partitionkey": "riverside",
    "data": {
        "district": "riverside",
        "school": "lincoln-high",
        "department": "transportation",
        "stakeholder": "s-91c2",
        "audience": "family",
        "channel": "web",
        "language": "es",
        "topic": "bus-late",
        "priority": "critical",
        "needs_reply": True,
    },
}
REPLY, RESOLUTION, RATING = (f"org.frontdesk.{kind}.v1" for kind in ("reply", "resolution", "rating"))


def with_data(kind: str = "org.frontdesk.contact.v1", **data: object) -> dict[str, object]:
    return EVENT | {"type": kind, "data": {"district": "riverside"} | data}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in EVENT.items() if key != name}


def decode(event: object, timestamp: int = NOW) -> tuple[str, str, object] | Rejection:
    return Decoder().decode(json.dumps(event).encode(), [], timestamp)


def event_of(event: object) -> object:
    decoded = decode(event)
    assert not isinstance(decoded, Rejection), decoded
    return decoded[2]


def refused(event: object) -> tuple[Reason, str]:
    rejection = decode(event)
    assert isinstance(rejection, Rejection), rejection
    assert rejection.message
    return rejection.reason, rejection.path


def test_the_event_of_the_contract_is_read() -> None:
    assert decode(EVENT) == (
        "riverside",
        "case-4711",
        Contacted(
            NOW,
            "/riverside/helpdesk",
            "01JD9Q",
            "lincoln-high",
            "transportation",
            "s-91c2",
            "family",
            "web",
            "es",
            "bus-late",
            "critical",
            needs_reply=True,
        ),
    )


def test_each_kind_has_its_record() -> None:
    place = {"school": "lincoln-high", "department": "transportation"}
    head = (NOW, "/riverside/helpdesk", "01JD9Q", "lincoln-high", "transportation")
    reply = with_data(REPLY, **place, author="a-07", author_kind="automatic", visibility="internal")
    assert event_of(reply) == Replied(*head, "a-07", human=False, public=False)
    assert event_of(with_data(RESOLUTION, **place, outcome="spam")) == Resolved(*head, "spam")
    assert event_of(with_data(RATING, **place, score=7.5, worst=0, best=10)) == Rated(*head, 7.5, 0.0, 10.0)


@pytest.mark.parametrize("absent", [{}, None])
def test_defaults_stand_for_what_is_absent_or_null(absent: dict[str, object] | None) -> None:
    def bare(kind: str, *names: str, **data: object) -> object:
        return event_of(with_data(kind, **(dict.fromkeys(names) if absent is None else {}), **data))

    head = (NOW, "/riverside/helpdesk", "01JD9Q")
    optional = ("school", "department", "stakeholder", "audience", "channel", "language", "topic", "priority", "needs_reply")
    assert bare("org.frontdesk.contact.v1", *optional) == Contacted(*head, priority="routine", needs_reply=True)
    assert bare(REPLY, "school", "author", "author_kind", "visibility") == Replied(*head, human=True, public=True)
    assert bare(RESOLUTION, "school", "outcome") == Resolved(*head, outcome="resolved")
    assert bare(RATING, "worst", "best", score=2) == Rated(*head, score=2.0, worst=1.0, best=5.0)


@pytest.mark.parametrize(
    ("time", "ms"),
    [
        ("2026-11-23T14:03:22.120Z", NOW),
        ("2026-11-23t14:03:22.12z", NOW),
        ("2026-11-23 14:03:22.120999Z", NOW),
        ("2026-11-23T08:03:22.120-06:00", NOW),
        ("2026-11-23T19:48:22.120+05:45", NOW),
        ("2026-11-23T08:03:22.120-0600", NOW),
        ("2026-11-23T14:03:22Z", NOW - 120),
        ("2026-11-23T14:03:22.119999999Z", NOW),  # rounded to the microsecond, then cut
        ("1980-01-01T00:00:00Z", 315_532_800_000),
    ],
)
def test_times_become_milliseconds(time: str, ms: int) -> None:
    assert event_of(EVENT | {"time": time}).time == ms


@pytest.mark.parametrize(
    "time",
    [
        *("2026-11-23T14:03:22", "2026-11-23T14:03Z", "2026-11-23", "2026-11-23T14:03:60Z", "2026-11-23T24:00:00Z", "2026-02-29T00:00:00Z"),
        *("1979-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "", "yesterday", 1_795_442_602, None, True, ["2026-11-23T14:03:22Z"]),
    ],
)
def test_times_that_are_none_are_invalid(time: object) -> None:
    assert refused(EVENT | {"time": time}) == (Reason.INVALID, "$.time")


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (without("subject"), "$.subject"),
        (without("time"), "$.time"),
        (without("data"), "$.data"),
        (EVENT | {"data": None}, "$.data"),
        (EVENT | {"data": "text"}, "$.data"),
        (EVENT | {"data": {}}, "$.data.district"),
        (EVENT | {"data": {"district": None}}, "$.data.district"),
        (EVENT | {"id": "two words"}, "$.id"),
        (EVENT | {"source": "x" * 129}, "$.source"),
        (EVENT | {"subject": ""}, "$.subject"),
        (EVENT | {"datacontenttype": "text/plain"}, "$.datacontenttype"),
        (EVENT | {"partitionkey": ""}, "$.partitionkey"),
        (with_data(district=""), "$.data.district"),
        (with_data(school=7), "$.data.school"),
        (with_data(topic="bus\u00a0late"), "$.data.topic"),
        (with_data(language="español"), "$.data.language"),
        (with_data(language="en_US"), "$.data.language"),
        (with_data(audience="Family"), "$.data.audience"),
        (with_data(channel="fax"), "$.data.channel"),
        (with_data(priority="high"), "$.data.priority"),
        (with_data(needs_reply=1), "$.data.needs_reply"),
        (with_data(needs_reply="true"), "$.data.needs_reply"),
        (with_data(REPLY, author_kind="robot"), "$.data.author_kind"),
        (with_data(REPLY, visibility=""), "$.data.visibility"),
        (with_data(RESOLUTION, outcome="done"), "$.data.outcome"),
        (with_data(RATING), "$.data.score"),
        (with_data(RATING, score=None), "$.data.score"),
        (with_data(RATING, score=True), "$.data.score"),
        (with_data(RATING, score="4"), "$.data.score"),
        (with_data(RATING, score=0), "$.data.score"),
        (with_data(RATING, score=5.01), "$.data.score"),
        (with_data(RATING, score=3, worst=5), "$.data.best"),
        (with_data(RATING, score=3, worst=3, best=3), "$.data.best"),
        (with_data(RATING, score=10**400), "$.data.score"),
        (with_data(RATING, score=3, best=1e300), "$.data.best"),
    ],
)
def test_what_breaks_the_contract_is_invalid_where_it_does(event: object, path: str) -> None:
    assert refused(event) == (Reason.INVALID, path)


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ([EVENT], "$"),
        ("text", "$"),
        (None, "$"),
        ({}, "$.specversion"),
        (without("specversion"), "$.specversion"),
        (EVENT | {"specversion": "0.3"}, "$.specversion"),
        (EVENT | {"specversion": 1.0}, "$.specversion"),
        (without("id"), "$.id"),
        (EVENT | {"id": 7}, "$.id"),
        (EVENT | {"source": ""}, "$.source"),
        (without("type"), "$.type"),
        (EVENT | {"type": None}, "$.type"),
    ],
)
def test_json_without_what_cloudevents_requires_is_no_cloudevent(event: object, path: str) -> None:
    assert refused(event) == (Reason.NOT_CLOUDEVENT, path)


@pytest.mark.parametrize("kind", ["org.frontdesk.contact.v2", "com.example.contact", "contact"])
def test_another_type_is_unknown(kind: str) -> None:
    assert refused(EVENT | {"type": kind}) == (Reason.UNKNOWN_TYPE, "$.type")


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            b"",
            b" ",
            b"{",
            b"text",
            b"\xff",
            b'{"specversion": "1.0"',
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"NaN",
            b'{"x": NaN}',
            b"{'a': 1}",
        ),
        json.dumps(EVENT).encode() + b"x",
        json.dumps(EVENT).encode("utf-16"),
        json.dumps(EVENT).replace("01JD9Q", "caf\u00e9").encode("latin-1"),
        json.dumps(EVENT | {"note": 1}).encode().replace(b'"note": 1', b'"note": "\xff"'),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_cannot_be_read_is_not_json(value: bytes | None) -> None:
    rejection = Decoder().decode(value, [], NOW)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.path) == (Reason.NOT_JSON, "$")


def test_a_value_may_have_256_kib() -> None:
    room = 256 * 1024 - len(json.dumps(EVENT | {"note": ""}))
    assert event_of(EVENT | {"note": "x" * room}) == event_of(EVENT)
    assert refused(EVENT | {"note": "x" * (room + 1)}) == (Reason.TOO_LARGE, "$")


def test_the_checks_come_in_the_documented_order() -> None:
    wrong = {"specversion": "0.3", "subject": "jane.doe@example.org", "type": "other", "data": {"district": 1}}
    event = EVENT | wrong | {"time": "2099-01-01T00:00:00Z"}
    found = [Decoder().decode(b"{" * 300_000, [], NOW).reason, Decoder().decode(b"{" * 1_000, [], NOW).reason]
    for name, right in [("specversion", "1.0"), ("subject", "case-1"), ("type", EVENT["type"]), ("data", EVENT["data"])]:
        found.append(refused(event)[0])
        event |= {name: right}
    found.append(refused(event)[0])
    assert found == list(Reason)[:7]


def test_an_event_may_be_five_minutes_ahead_of_its_record() -> None:
    assert not isinstance(decode(EVENT, NOW - 5 * MINUTE), Rejection)
    rejection = decode(EVENT, NOW - 5 * MINUTE - 1)
    assert (rejection.reason, rejection.path) == (Reason.FROM_THE_FUTURE, "$.time")


def test_of_two_members_with_one_name_the_last_counts() -> None:
    value = json.dumps(EVENT).replace('"topic": "bus-late"', '"topic": "x y", "topic": "bus-late"').encode()
    assert Decoder().decode(value, [], NOW) == decode(EVENT)


def test_names_may_be_of_any_script_but_hold_nothing_unseen() -> None:
    assert event_of(with_data(topic="autobús", school="学校")).topic == "autobús"
    assert refused(with_data(topic="bus\u200blate")) == (Reason.INVALID, "$.data.topic")


def test_messages_never_quote_the_record() -> None:
    private = "told-in-confidence"
    for event in [EVENT | {"specversion": private}, EVENT | {"type": private}, EVENT | {"time": private}, with_data(channel=private)]:
        assert private not in decode(event).message


def test_unknown_members_of_data_are_dropped_and_counted_and_unknown_attributes_ignored() -> None:
    decoder = Decoder()
    for data in [{"body": "text"}, {"body": [1], "cc": None}, {}, {"topic": "autobús", "body": 1}]:
        event = with_data(**data) | {"traceparent": "00-1"}
        assert not isinstance(decoder.decode(json.dumps(event, ensure_ascii=False).encode(), [], NOW), Rejection)
    assert decoder.unknown_members == {"body": 3, "cc": 1}


def test_a_rejected_record_counts_no_members() -> None:
    decoder = Decoder()
    decoder.decode(json.dumps(with_data(body=1, channel="fax")).encode(), [], NOW)
    assert not decoder.unknown_members


@pytest.mark.parametrize("name", ["Ada Invented", "ada@example.org", "+1 555 0100", "20978392", "", "né"])
def test_what_is_no_name_of_a_member_is_counted_but_not_told(name: str) -> None:
    decoder = Decoder()
    decoder.decode(json.dumps(with_data(**{name: 1})).encode(), [], NOW)
    assert decoder.unknown_members == {OTHER: 1}


def test_the_names_that_are_counted_are_bounded_in_number_and_length() -> None:
    decoder = Decoder()
    many = {f"member-{number}": 1 for number in range(NAMES_COUNTED + 20)}
    for data in [{"x" * 500: 1}, many]:
        decoder.decode(json.dumps(with_data(**data)).encode(), [], NOW)
    assert len(decoder.unknown_members) == NAMES_COUNTED + 1
    assert decoder.unknown_members["x" * 64] == 1
    assert decoder.unknown_members[OTHER] == 21


HEADERS = [(f"ce_{name}", str(value).encode()) for name, value in EVENT.items() if name not in ("data", "datacontenttype")]
BODY = json.dumps(EVENT["data"]).encode()
JSON_TYPE = ("content-type", b"application/json")


def test_a_binary_record_is_read_like_a_structured_one() -> None:
    assert Decoder().decode(BODY, [JSON_TYPE, *HEADERS, ("frontdesk-backfill", b"1")], NOW) == decode(EVENT)
    assert Decoder().decode(BODY, HEADERS, NOW) == decode(EVENT)


def test_the_content_type_decides_the_mode_and_is_believed_over_the_headers() -> None:
    content_type = ("content-type", b"Application/CloudEvents+JSON; charset=UTF-8")
    assert Decoder().decode(json.dumps(EVENT).encode(), [content_type, *HEADERS], NOW) == decode(EVENT)
    assert Decoder().decode(json.dumps(EVENT).encode(), [JSON_TYPE], NOW) == decode(EVENT)


@pytest.mark.parametrize(
    ("body", "headers", "reason", "path"),
    [
        (None, HEADERS, Reason.NOT_JSON, "$"),
        (b"", HEADERS, Reason.NOT_JSON, "$"),
        (b"{", HEADERS, Reason.NOT_JSON, "$"),
        (b'{"district": "a"}, "id": "b"', HEADERS, Reason.NOT_JSON, "$"),
        (b'{"district": "\xff"}', HEADERS, Reason.NOT_JSON, "$"),
        (b"[1]", HEADERS, Reason.INVALID, "$.data"),
        (b'{"district": ""}', HEADERS, Reason.INVALID, "$.data.district"),
        (BODY, [*HEADERS, ("content-type", b"text/plain")], Reason.INVALID, "$.datacontenttype"),
        (BODY, [*HEADERS, ("ce_specversion", b"0.3")], Reason.NOT_CLOUDEVENT, "$.specversion"),
        (BODY, [*HEADERS, ("ce_id", b"\xff")], Reason.NOT_CLOUDEVENT, "$.id"),
        (BODY, [header for header in HEADERS if header[0] != "ce_id"], Reason.NOT_CLOUDEVENT, "$.id"),
        (BODY, [*HEADERS, ("ce_type", b"other")], Reason.UNKNOWN_TYPE, "$.type"),
        (BODY, [*HEADERS, ("ce_time", b"now")], Reason.INVALID, "$.time"),
        (b" " * (256 * 1024 + 1), HEADERS, Reason.TOO_LARGE, "$"),
    ],
)
def test_a_binary_record_is_refused_like_a_structured_one(
    body: bytes | None, headers: list[tuple[str, bytes]], reason: Reason, path: str
) -> None:
    rejection = Decoder().decode(body, headers, NOW)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.path) == (reason, path)


def test_a_header_named_data_and_null_headers_change_nothing() -> None:
    headers = [*HEADERS, ("ce_data", b"{}"), ("ce_partitionkey", None), ("content-type", None)]
    assert Decoder().decode(BODY, headers, NOW) == decode(EVENT)


NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="@"), min_size=1, max_size=128) | st.sampled_from(
    ["学校", "ñ"]
)
"""Without @: `0@0.AA` is an e-mail address, which is refused."""
HEAD = st.fixed_dictionaries(
    {"id": NAMES, "source": NAMES, "subject": NAMES, "time": st.just(moment("2026-11-23T14:03:22.120-06:00"))},
    optional={"partitionkey": NAMES, "datacontenttype": st.just("application/json; charset=utf-8")},
)
PLACE = {"district": NAMES, "school": st.none() | NAMES, "department": st.none() | NAMES}
PUBLISHED = st.one_of(
    st.builds(
        lambda head, place, topic, needs_reply: Contact(**head, data=ContactData(**place, topic=topic, needs_reply=needs_reply)),
        *(HEAD, st.fixed_dictionaries(PLACE), st.none() | NAMES, st.booleans()),
    ),
    st.builds(lambda head, place, author: Reply(**head, data=ReplyData(**place, author=author)), HEAD, st.fixed_dictionaries(PLACE), NAMES),
    st.builds(lambda head, place: Resolution(**head, data=ResolutionData(**place)), HEAD, st.fixed_dictionaries(PLACE)),
    st.builds(
        lambda head, place, score: Rating(**head, data=RatingData(**place, score=score)),
        *(HEAD, st.fixed_dictionaries(PLACE), st.floats(1, 5)),
    ),
)


@given(PUBLISHED)
@settings(deadline=None)
def test_what_is_published_in_either_mode_is_read_back_the_same(model: Contact | Reply | Resolution | Rating) -> None:
    one, two = structured(model), binary(model)
    read = Decoder().decode(one.value, one.headers, 5_000_000_000_000)
    assert not isinstance(read, Rejection)
    assert read == Decoder().decode(two.value, two.headers, 5_000_000_000_000)
    assert read[:2] == (model.data.district, model.subject)
    assert (read[2].id, read[2].source, read[2].time) == (model.id, model.source, NOW + 6 * 60 * MINUTE)
    assert one.key == two.key == model.data.district.encode()
    assert type(model).model_validate_json(one.value) == model


def test_the_wire_forms_of_a_model() -> None:
    time = moment("2026-11-23T08:03:22.12-06:00")
    data = ResolutionData(district="riverside", department="transportation")
    model = Resolution(id="01JD9Q", source="/riverside/helpdesk", subject="case-4711", time=time, data=data)
    attributes = {
        "specversion": "1.0",
        "id": "01JD9Q",
        "source": "/riverside/helpdesk",
        "type": RESOLUTION,
        "subject": "case-4711",
        "time": "2026-11-23T14:03:22.120Z",
    }
    members = {"district": "riverside", "department": "transportation", "outcome": "resolved"}
    assert json.loads(structured(model).value) == attributes | {"data": members}
    assert structured(model).headers == [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    assert json.loads(binary(model).value) == members
    assert dict(binary(model).headers) == {"content-type": b"application/json"} | {
        f"ce_{name}": text.encode() for name, text in attributes.items()
    }


def test_models_are_frozen() -> None:
    data = ResolutionData(district="riverside")
    with pytest.raises(ValidationError, match="frozen"):
        data.outcome = "spam"
