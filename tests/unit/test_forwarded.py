"""What was sent on must arrive: as often as it was found elsewhere, with the same bytes."""

from dataclasses import dataclass, field

from events.headers import MARKED_FORWARDED
from streams.audit.forwarded import ForwardedRecords, is_forwarded


@dataclass
class Record:
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = field(default=())


def sent_on(partition: int, value: bytes, offset: int = 0) -> Record:
    return Record(partition, offset, value, headers=(("a", b"b"), MARKED_FORWARDED))


def astray(partition: int, value: bytes, offset: int = 0) -> Record:
    return Record(partition, offset, value, headers=(("a", b"b"),))


def test_what_arrives_is_not_lost_whichever_partition_was_read_first() -> None:
    forwards = ForwardedRecords()
    forwards.departed(astray(1, b"x"), home=2)
    forwards.arrived(sent_on(2, b"x"))
    forwards.arrived(sent_on(1, b"y"))
    forwards.departed(astray(2, b"y"), home=1)
    assert forwards.lost() == []


def test_a_record_that_arrives_elsewhere_or_with_other_bytes_is_lost() -> None:
    forwards = ForwardedRecords()
    forwards.departed(astray(1, b"x", offset=7), home=2)
    forwards.arrived(sent_on(3, b"x"))
    forwards.arrived(sent_on(2, b"z"))
    assert forwards.lost() == [(1, 7, 2)]


def test_two_alike_must_arrive_twice_and_once_more_does_no_harm() -> None:
    forwards = ForwardedRecords()
    forwards.departed(astray(1, b"x", offset=7), home=2)
    forwards.departed(astray(1, b"x", offset=8), home=2)
    forwards.arrived(sent_on(2, b"x"))
    assert forwards.lost() == [(1, 8, 2)]
    forwards.arrived(sent_on(2, b"x"))
    forwards.arrived(sent_on(2, b"x"))
    assert forwards.lost() == []


def test_the_mark_is_what_tells() -> None:
    assert is_forwarded(sent_on(1, b"").headers)
    assert not is_forwarded(astray(1, b"").headers)
