"""A dead letter gives back the record as it was, whatever the record's own headers claim."""

import json
from types import SimpleNamespace

from events.contract import LARGEST
from events.headers import DEAD_LETTER
from events.rejection import Reason, Rejection
from sinks.clickhouse.dead_letters import LogPosition
from streams.cli.work.dead_letters import up_to_an_oversized
from streams.dead_letters import Original, mended_record
from streams.dead_letters.record import dead_letter_headers, named_by, original_of
from streams.kafka.publisher import STRUCTURED, Headers
from streams.sorting import Refused

EVENT = json.dumps(
    {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/invented",
        "type": "org.frontdesk.resolution.v1",
        "subject": "case-1",
        "time": "2026-11-23T14:03:22Z",
        "data": {"district": "riverside"},
    }
).encode()


def set_aside(*own: tuple[str, bytes]) -> SimpleNamespace:
    """What stands in the dead letter topic of a record with these headers."""
    record = SimpleNamespace(topic="events", partition=3, offset=17, timestamp=99, key=b"k", value=b"v", headers=own)
    headers = dead_letter_headers(Refused(record, Rejection(Reason.INVALID, "$.id", "must be a text")))
    return SimpleNamespace(key=record.key, value=record.value, headers=tuple(headers))


def test_it_names_the_record_and_gives_it_back() -> None:
    letter = set_aside(("content-type", b"text/plain"))
    assert named_by(letter.headers) == (LogPosition("events", 3, 17), 99)
    assert original_of(letter) == Original(b"k", b"v", [("content-type", b"text/plain")])


def test_a_record_that_claims_to_be_a_dead_letter_itself_deceives_nobody() -> None:
    claims = tuple((DEAD_LETTER + name, b"5") for name in ("reason", "topic", "partition", "offset", "timestamp"))
    letter = set_aside(*claims)
    assert named_by(letter.headers) == (LogPosition("events", 3, 17), 99)
    assert original_of(letter).headers == list(claims)


def test_records_of_others_in_the_topic_are_passed_over() -> None:
    assert named_by([]) is None
    assert (
        named_by(
            [
                (DEAD_LETTER + "offset", b"many"),
                (DEAD_LETTER + "topic", b"t"),
                (DEAD_LETTER + "partition", b"1"),
                (DEAD_LETTER + "timestamp", b"1"),
            ]
        )
        is None
    )


BINARY: Headers = [("ce_specversion", b"1.0"), ("ce_id", b"e-1"), ("ce_source", b"/invented"), ("other", b"kept")]


def test_a_whole_event_in_place_of_binary_data_needs_none_of_its_headers() -> None:
    assert mended_record(Original(None, b"?", BINARY), EVENT) == Original(None, EVENT, [*STRUCTURED, ("other", b"kept")])


def test_headers_stay_where_they_fit_or_where_nothing_does() -> None:
    assert mended_record(Original(None, b"?", STRUCTURED), EVENT).headers == STRUCTURED
    assert mended_record(Original(None, b"?", BINARY), b"still wrong").headers == BINARY


def test_what_lies_behind_a_record_that_is_no_event_at_any_rate_is_not_read() -> None:
    sizes = [10, LARGEST, LARGEST + 1, 20 << 20, 10]
    letters = [SimpleNamespace(bytes=size) for size in sizes]
    assert up_to_an_oversized(letters) == letters[:3]
    assert up_to_an_oversized(letters[:2]) == letters[:2]
