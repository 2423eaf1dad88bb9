"""However large a bad record is, its dead letter is small, and tells where the record is."""

from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import Decoder
from events.contract import LARGEST
from events.headers import DEAD_LETTER
from events.partition import partition_of
from events.rejection import Reason, Rejection
from streams.dead_letters.record import dead_letter_body, dead_letter_headers, original_of
from streams.kafka.claim_check import EACH_HEADER, MOST_BESIDE, MOST_COPIED, ClaimCheck, checked
from streams.kafka.topics import BATCH_BYTES
from streams.sorting import Refused, Sorted, Sorter
from streams.worker.tables import tables_of
from tests.support.durable import START, event

OWN = (("content-type", b"text/plain"),)
BAD = Rejection(Reason.NOT_JSON, "$", "is no JSON")


def record(value: Any = b"{", key: bytes | None = b"k", headers: tuple[tuple[str, bytes], ...] = OWN, **place: Any) -> Any:
    return SimpleNamespace(
        **({"topic": "events", "partition": 3, "offset": 17, "timestamp": START} | place), key=key, value=value, headers=headers
    )


def letter_of(bad: Any) -> Any:
    """What is written to the dead letter topic."""
    refused = Refused(bad, BAD)
    key, value = dead_letter_body(refused)
    return SimpleNamespace(key=key, value=value, headers=dead_letter_headers(refused))


def told(letter: Any) -> dict[str, bytes]:
    return {name.removeprefix(DEAD_LETTER): content for name, content in letter.headers if name.startswith(DEAD_LETTER)}


def test_up_to_the_limit_a_record_is_copied() -> None:
    letter = letter_of(record(bytes(MOST_COPIED)))
    assert (letter.key, letter.value, letter.headers[0]) == (b"k", bytes(MOST_COPIED), OWN[0])
    assert not {"bytes", "sha256"} & told(letter).keys()
    assert original_of(letter).left_out == ""


def test_a_larger_value_is_told_by_place_size_and_digest() -> None:
    value = bytes(MOST_COPIED + 1)
    letter = letter_of(record(value))
    assert (letter.key, letter.value, letter.headers[0]) == (b"k", b"", OWN[0])
    assert told(letter)["bytes"] == str(len(value)).encode()
    assert original_of(letter).left_out == sha256(value).hexdigest()


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (bytes(MOST_BESIDE), OWN),
        (b"k", (("large", bytes(MOST_BESIDE)),)),
        (b"k", (("n" * MOST_BESIDE, b""),)),
        (b"k", (("", b""),) * (MOST_BESIDE // EACH_HEADER)),
    ],
    ids=["key", "content", "name", "many"],
)
def test_so_are_a_large_key_and_large_or_many_headers(key: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
    letter = letter_of(record(b"{", key, headers))
    assert (letter.key, letter.value) == (None, b"{")
    assert all(name.startswith(DEAD_LETTER) for name, _ in letter.headers)
    assert original_of(letter).left_out == sha256(b"{").hexdigest()


def test_nor_is_a_record_without_key_and_value_copied_because_none_such_can_be_sent() -> None:
    letter = letter_of(record(None, None))
    assert (letter.key, letter.value) == (None, b"")
    assert told(letter)["bytes"] == b"0"
    assert original_of(letter).left_out
    assert letter_of(record(None, b"k")).value is None


SIZES = st.integers(0, 2 * MOST_COPIED)


@given(SIZES, SIZES, st.lists(st.tuples(st.integers(0, 99), SIZES), max_size=9))
def test_a_dead_letter_fits_many_times_into_a_batch(value: int, key: int, headers: list[tuple[int, int]]) -> None:
    letter = letter_of(record(bytes(value), bytes(key), tuple(("n" * name, bytes(content)) for name, content in headers)))
    size = len(letter.key or b"") + len(letter.value or b"") + sum(len(name) + len(content) for name, content in letter.headers)
    assert size <= BATCH_BYTES // 10


def test_a_value_that_is_too_large_for_an_event_is_given_up_when_it_is_read() -> None:
    kept, left = bytes(LARGEST), bytes(LARGEST + 1)
    assert checked(None) is None
    assert checked(kept) is kept
    assert checked(left) == ClaimCheck(LARGEST + 1, sha256(left).hexdigest())


def test_it_is_refused_as_the_bytes_would_be() -> None:
    left = bytes(LARGEST + 1)
    bad = record(checked(left))
    [refused] = Sorter(4).sort(3, [bad]).refused
    assert refused.rejection == Decoder().decode(left, OWN, START)
    assert letter_of(bad) == letter_of(record(left))
    [row] = zip(*tables_of([], [refused], "id")["dead_letters"], strict=True)
    assert row == (*("id", "events", 3, 17, START), "too_large", "$", refused.rejection.message, LARGEST + 1, "")


@pytest.mark.parametrize(("large", "reason"), [(MOST_BESIDE // 2, None), (MOST_BESIDE, Reason.TOO_LARGE)])
def test_a_record_in_the_wrong_partition_is_sent_on_unless_its_headers_are_too_large_for_that(large: int, reason: Reason | None) -> None:
    elsewhere = (partition_of("riverside", 4) + 1) % 4
    astray = record(event("contact", 1, "case-1", START, "riverside"), headers=(("x", bytes(large)),), partition=elsewhere)
    tray: Sorted = Sorter(4).sort(elsewhere, [astray])
    assert [refused.rejection.reason for refused in tray.refused] == ([] if reason is None else [reason])
    assert len(tray.misrouted) == (reason is None)


def test_a_header_of_a_long_name_makes_no_long_path() -> None:
    rejection = Decoder().decode(b"{}", [("ce_specversion", b"1.0"), ("ce_" + "n" * 100_000, b"\xff")], START)
    assert isinstance(rejection, Rejection)
    assert len(rejection.path) < 200
