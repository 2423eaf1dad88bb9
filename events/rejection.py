"""Why a record was not taken in, as a value: a dead letter carries it, and nothing has to be caught.

The decoder gives the first seven reasons, in the order of their checks; the fold and the router give the other three.
"""

from enum import StrEnum

from msgspec import Struct


class Reason(StrEnum):
    """Closed set of reasons; the words are part of the contract."""

    TOO_LARGE = "too_large"
    """The value is over 256 KiB, or the record has to be sent on and its key and headers are over 16 KiB."""
    NOT_JSON = "not_json"
    """The value is empty, not UTF-8, not JSON, or nested too deeply to be read."""
    NOT_CLOUDEVENT = "not_cloudevent"
    """JSON, but without what CloudEvents 1.0 itself requires: an object with specversion 1.0, id, source and type."""
    PERSONAL_DATA = "personal_data"
    """An attribute or a member of `data` looks like an e-mail address, a telephone number or a US social security number."""
    UNKNOWN_TYPE = "unknown_type"
    """A CloudEvent of a type that is none of the four."""
    INVALID = "invalid"
    """An attribute or a member of `data` breaks the contract of its type."""
    FROM_THE_FUTURE = "from_the_future"
    """`time` is over five minutes ahead of the record's own timestamp."""
    TOO_LATE = "too_late"
    """The case is no longer remembered and the event is over 100 days older than the partition's clock."""
    CASE_FULL = "case_full"
    """The case already holds 2,000 events, or would come to more than 900,000 bytes with this one."""
    MISROUTED = "misrouted"
    """The record was forwarded once and is still not in its district's partition."""


class Rejection(Struct, frozen=True):
    """`path` is a JSON path into the structured form of the event, such as `$.data.score`; `message` is for people.

    Messages never quote what the record holds, because dead letters are read by more people than the events.
    """

    reason: Reason
    path: str
    message: str
