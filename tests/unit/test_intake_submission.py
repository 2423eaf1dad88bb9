"""What was posted, unpacked and judged: each way to write an event gives the same record, and tricks give none."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from events.codec import Decoded, Decoder
from events.contract import MODELS
from events.event import Event
from events.kinds import rewritten
from events.partition import partition_of
from events.rejection import Rejection
from events.schemas import example
from streams.intake.grant import EVERYONE_HERE, Grant
from streams.intake.problem import Problem, Refusal
from streams.intake.submission import MOST_EVENTS, HttpHeaders, Mode, Posted, mode_of, posted_in, refuse_doubled
from streams.intake.unpacking import unpacked
from streams.intake.validation import OutgoingRecord, Rejected, Validated, Validator
from streams.kafka.publisher import STRUCTURED
from tests.support.histories import EVENTS
from tests.support.intakes import PARTITIONS, event, wire

NOW = 1_795_442_602_120
MIB = 1 << 20


def judged(*posted: Posted, grant: Grant = EVERYONE_HERE) -> Validated:
    validated = Validated()
    Validator(PARTITIONS).judged(posted, grant, NOW, validated)
    return validated


def only(validated: Validated) -> OutgoingRecord:
    [verdict] = validated.verdicts
    assert isinstance(verdict, OutgoingRecord), verdict
    return verdict


def rejected(validated: Validated) -> Rejected:
    [verdict] = validated.verdicts
    assert isinstance(verdict, Rejected), verdict
    return verdict


def as_binary(content: dict[str, object]) -> tuple[HttpHeaders, bytes]:
    attributes = [(f"Ce-{name.title()}", str(value)) for name, value in content.items() if name not in ("data", "datacontenttype")]
    return [("Content-Type", "application/json"), *attributes], wire(content["data"])


def refusal_of(work: Callable[[], object]) -> Refusal:
    with pytest.raises(Problem) as caught:
        work()
    return caught.value.refusal


# -- modes -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.__name__)
def test_all_modes_give_the_same_event_at_the_same_place(model: type) -> None:
    content = example(model)
    headers, data = as_binary(content)
    line = wire(content)
    ways = {
        Mode.BINARY: posted_in(mode_of(headers), headers, data),
        Mode.STRUCTURED: posted_in(Mode.STRUCTURED, [], line),
        Mode.BATCHED: posted_in(Mode.BATCHED, [], b"[" + line + b"]"),
        Mode.NDJSON: posted_in(Mode.NDJSON, [], b"\n" + line + b"\r\n\n"),
    }
    records = [only(judged(*posted)) for posted in ways.values()]
    assert len(set(records)) == 1
    [record, *_] = records
    assert record.value == rewritten(*read(Posted(line)))
    assert (record.partition, record.key, record.timestamp) == (partition_of("riverside", PARTITIONS), b"riverside", NOW)


def read(posted: Posted) -> Decoded:
    decoded = posted.spoilt or Decoder().decode(posted.value, posted.headers, NOW)
    assert not isinstance(decoded, Rejection), decoded
    return decoded


# -- written anew ------------------------------------------------------------------------------------------------------
PRIVATE = "Jane.Doe"
TOLD_BESIDE: dict[str, Callable[[dict[str, object]], bytes]] = {
    "an extension": lambda content: wire(content | {"comexamplecaller": PRIVATE}),
    "an extension that is no attribute's name": lambda content: wire(content | {"Ringer": {"name": PRIVATE}}),
    "an unknown member of data": lambda content: wire(content | {"data": content["data"] | {"caller": PRIVATE}}),
    "a member that stands twice": lambda content: wire(content).replace(b'"subject"', b'"subject": "%s", "subject"' % PRIVATE.encode()),
    "a member of data that stands twice": lambda content: wire(content).replace(
        b'"district"', b'"district": "%s", "district"' % PRIVATE.encode()
    ),
    "data that stands twice": lambda content: wire(content).replace(b'"data"', b'"data": {"name": "%s"}, "data"' % PRIVATE.encode(), 1),
    "a parameter of the media type": lambda content: wire(content | {"datacontenttype": f"application/json; name={PRIVATE}"}),
    "a partition key": lambda content: wire(content | {"partitionkey": PRIVATE * 1_000}),
    "digits of a second that nobody keeps": lambda content: wire(content | {"time": "2026-11-20T14:03:22.120736454652Z"}),
    "blanks": lambda content: json.dumps(content, indent=9).encode(),
}


@pytest.mark.parametrize("mode", [Mode.STRUCTURED, Mode.BATCHED, Mode.NDJSON])
@pytest.mark.parametrize("beside", TOLD_BESIDE)
def test_what_is_told_beside_an_event_is_stored_nowhere(beside: str, mode: Mode) -> None:
    line = TOLD_BESIDE[beside](event(1))
    body = {Mode.STRUCTURED: line, Mode.BATCHED: b"[" + line + b"]", Mode.NDJSON: line.replace(b"\n", b"")}[mode]
    assert only(judged(*posted_in(mode, [], body))) == only(judged(Posted(wire(event(1)))))


@pytest.mark.parametrize(
    "header",
    [("ce-comexamplecaller", PRIVATE), ("ce-partitionkey", PRIVATE * 1_000), ("content-type", f"application/json; name={PRIVATE}")],
)
def test_what_a_header_tells_beside_an_event_is_stored_nowhere(header: tuple[str, str]) -> None:
    headers, data = as_binary(event(1))
    told = [*(each for each in headers if each[0].lower() != header[0]), header]
    assert only(judged(*posted_in(Mode.BINARY, told, data))) == only(judged(Posted(wire(event(1)))))


PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9)


def drawn(event: Event) -> dict[str, Any]:
    """As the helpers of publishers write it, everything told that can be."""
    return json.loads(rewritten("riverside", "case-1", event)) | {"datacontenttype": "application/json", "partitionkey": "riverside"}


@given(EVENTS, st.dictionaries(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), PRINTED, max_size=3), st.booleans())
def test_what_is_taken_means_the_same_when_it_is_read_again(drawn_event: Event, beside: dict[str, str], is_binary: bool) -> None:
    content = {name: text for name, text in beside.items() if name != "data"} | drawn(drawn_event)
    now = drawn_event.time
    headers, data = as_binary({name: quote(str(text)) if name != "data" else text for name, text in content.items()})
    [posted] = posted_in(Mode.BINARY, headers, data) if is_binary else [Posted(wire(content))]
    validated = Validated()
    Validator(PARTITIONS).judged([posted], EVERYONE_HERE, now, validated)
    record = only(validated)
    sent = Decoder().decode(posted.value, posted.headers, now)
    assert Decoder().decode(record.value, STRUCTURED, record.timestamp) == sent == ("riverside", "case-1", drawn_event)
    assert record.value == rewritten("riverside", "case-1", drawn_event)


@pytest.mark.parametrize(
    ("content_type", "mode"),
    [
        ("application/cloudevents+json", Mode.STRUCTURED),
        ("Application/CloudEvents+JSON; charset=UTF-8", Mode.STRUCTURED),
        ("application/cloudevents-batch+json;charset=utf-8", Mode.BATCHED),
        ("application/x-ndjson", Mode.NDJSON),
        ("application/jsonl", Mode.NDJSON),
    ],
)
def test_the_content_type_decides(content_type: str, mode: Mode) -> None:
    assert mode_of([("content-type", content_type), ("ce-specversion", "1.0")]) is mode


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", "application/json")],
        [("content-type", "text/plain")],
        [("content-type", "application/cloudevents+xml"), ("ce-specversion", "1.0")],
        [("content-type", "application/cloudevents+json; charset=latin1")],
    ],
)
def test_other_content_types_are_refused(headers: HttpHeaders) -> None:
    assert refusal_of(lambda: mode_of(headers)) is Refusal.MEDIA_TYPE


@pytest.mark.parametrize("name", ["Authorization", "content-TYPE", "Ce-Id", "ce-subject", "Content-Encoding", "webhook-signature"])
def test_a_header_that_stands_twice_is_refused(name: str) -> None:
    assert refusal_of(lambda: refuse_doubled([(name, "a"), ("Accept", "x"), (name.swapcase(), "b")])) is Refusal.UNREADABLE


def test_other_headers_may_stand_twice() -> None:
    refuse_doubled([("Accept", "a"), ("accept", "b")])


# -- binary ------------------------------------------------------------------------------------------------------------
def binary(**attributes: str) -> list[Posted]:
    content = {name: value for name, value in (event(1) | attributes).items() if value is not None}
    headers, data = as_binary(content)
    return posted_in(Mode.BINARY, headers, data)


def test_attributes_are_unquoted_and_percent_decoded_once() -> None:
    [posted] = binary(subject="caf%C3%A9%2541", traceparent='"a\\"b"')
    assert dict(posted.headers)["ce_subject"] == "café%41".encode()
    assert dict(posted.headers)["ce_traceparent"] == b'a"b'


@pytest.mark.parametrize("subject", ["%0d%0aX-Evil: 1", "a%00b", "%ff", "\udcff", "case 1%7F"])
def test_an_attribute_that_is_no_text_is_rejected(subject: str) -> None:
    assert rejected(judged(*binary(subject=subject))).path == "$.subject"


@pytest.mark.parametrize("name", ["ce-data", "ce-datacontenttype", "ce-frontdesk-backfill", "ce-", "ce-a_b", "ce-\u0130d"])
def test_a_header_that_names_no_attribute_is_rejected(name: str) -> None:
    headers, data = as_binary(event(1))
    assert rejected(judged(*posted_in(Mode.BINARY, [*headers, (name, "1")], data))).reason == "not_cloudevent"


def test_only_attributes_are_read() -> None:
    headers, data = as_binary(event(1))
    tricks = [("frontdesk-backfill", "1"), ("frontdesk-forwarded", "1"), ("ce_id", "other"), ("Cookie", "x")]
    [posted] = posted_in(Mode.BINARY, [*headers, *tricks], data)
    assert {name for name, _ in posted.headers} == {"content-type"} | {f"ce_{name}" for name in event(1) if name != "data"}


def test_attributes_have_a_limit_together() -> None:
    assert rejected(judged(*binary(filler="x" * 17_000))).reason == "too_large"


def test_a_body_cannot_bring_a_second_event() -> None:
    headers, _ = as_binary(event(1))
    [posted] = posted_in(Mode.BINARY, headers, b'{"district":"riverside"},"source":"/other","x":{}')
    assert rejected(judged(posted)).reason == "not_json"


# -- batches -----------------------------------------------------------------------------------------------------------
def test_each_event_of_a_batch_is_judged_for_itself() -> None:
    body = wire([event(1), {}, event(2, channel="pigeon"), event(3)])
    verdicts = judged(*posted_in(Mode.BATCHED, [], body)).verdicts
    assert [type(verdict) for verdict in verdicts] == [OutgoingRecord, Rejected, Rejected, OutgoingRecord]
    assert [(v.reason, v.path) for v in verdicts if isinstance(v, Rejected)] == [
        ("not_cloudevent", "$.specversion"),
        ("invalid", "$.data.channel"),
    ]


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[{}", b"[{}]x", b"\xff", b'["\xff"]', b"[" * 100_000, b"null"])
def test_what_is_no_batch_is_refused_as_a_whole(body: bytes) -> None:
    assert refusal_of(lambda: posted_in(Mode.BATCHED, [], body)) is Refusal.UNREADABLE


def test_a_request_has_a_number_of_events() -> None:
    assert len(posted_in(Mode.NDJSON, [], b"{}\n" * MOST_EVENTS)) == MOST_EVENTS
    assert refusal_of(lambda: posted_in(Mode.NDJSON, [], b"{}\n" * (MOST_EVENTS + 1))) is Refusal.TOO_LARGE
    assert refusal_of(lambda: posted_in(Mode.BATCHED, [], b"[" + b"0," * MOST_EVENTS + b"0]")) is Refusal.TOO_LARGE


# -- what the contract does not know ------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", [Mode.STRUCTURED, Mode.BINARY])
def test_unknown_members_are_left_out_and_named(mode: Mode) -> None:
    content = event(1, student_name="Invented Person", channel="web")
    headers, data = as_binary(content)
    validated = judged(*(posted_in(mode, headers, data) if mode is Mode.BINARY else posted_in(mode, [], wire(content))))
    record = only(validated)
    assert b"Invented" not in record.value
    assert validated.dropped == {"student_name": 1}
    assert Decoder().decode(record.value, STRUCTURED, NOW) == Decoder().decode(wire(content), [], NOW)


@given(st.sampled_from(sorted(MODELS)), st.dictionaries(st.text(max_size=80), st.integers() | st.text(max_size=9), max_size=4))
def test_leaving_out_changes_no_event(kind: str, unknown: dict[str, object]) -> None:
    content = example(MODELS[kind])
    content["data"] = unknown | content["data"]
    record = only(judged(Posted(wire(content))))
    left = Decoder()
    assert left.decode(record.value, STRUCTURED, NOW) == Decoder().decode(wire(content), [], NOW)
    assert not left.unknown_members


@given(st.binary(max_size=300) | st.sampled_from([wire(event(n)) for n in range(3)]))
def test_what_is_accepted_the_worker_reads(value: bytes) -> None:
    [verdict] = judged(Posted(value)).verdicts
    decoded = Decoder().decode(value, STRUCTURED, NOW)
    assert isinstance(verdict, Rejected) is isinstance(decoded, Rejection)
    assert isinstance(verdict, Rejected) or Decoder().decode(verdict.value, STRUCTURED, NOW) == decoded


# -- encodings ---------------------------------------------------------------------------------------------------------
PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}


@pytest.mark.parametrize("encoding", PACKERS)
def test_bodies_are_unpacked(encoding: str) -> None:
    pack = PACKERS[encoding]
    assert unpacked(pack(b"abc" * 1000), encoding, MIB) == b"abc" * 1000
    assert unpacked(pack(b"abc") + pack(b"def"), encoding, MIB) == b"abcdef"
    assert unpacked(pack(b"x" * MIB), encoding, MIB) == b"x" * MIB


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_bomb_is_not_unpacked(encoding: str) -> None:
    pack = PACKERS[encoding]
    bomb = pack(bytes(64 * MIB))
    assert len(bomb) < MIB
    assert refusal_of(lambda: unpacked(bomb, encoding, MIB)) is Refusal.TOO_LARGE
    assert refusal_of(lambda: unpacked(pack(bytes(MIB // 2)) * 3, encoding, MIB)) is Refusal.TOO_LARGE
    assert refusal_of(lambda: unpacked(pack(b"") * 1000, encoding, MIB)) is Refusal.UNREADABLE


def test_a_zstd_window_has_a_limit() -> None:
    wide = zstd.compress(
        bytes(32 * MIB), options={zstd.CompressionParameter.window_log: 25, zstd.CompressionParameter.content_size_flag: 0}
    )
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    endless = stream.compress(b"x", stream.FLUSH_BLOCK) + stream.flush()
    assert refusal_of(lambda: unpacked(endless, "zstd", MIB)) is Refusal.UNREADABLE
    assert refusal_of(lambda: unpacked(wide, "zstd", MIB)) is Refusal.UNREADABLE


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b[:0], lambda b: b[3:], lambda b: b + b"tail"])
def test_what_is_not_packed_well_is_refused(encoding: str, spoil: Callable[[bytes], bytes]) -> None:
    assert refusal_of(lambda: unpacked(spoil(PACKERS[encoding](b"abc" * 100)), encoding, MIB)) is Refusal.UNREADABLE


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zip"])
def test_other_encodings_are_refused(encoding: str) -> None:
    assert refusal_of(lambda: unpacked(zlib.compress(b"x"), encoding, MIB)) is Refusal.MEDIA_TYPE
