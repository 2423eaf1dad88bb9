"""Why a request was refused, as RFC 9457 tells it: raised anywhere on the way in, answered and counted at the door.

The text never quotes the request, because answers and logs are read by more people than the events.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Self

from events.exit_code import ExitCode

MEDIA_TYPE: Final = "application/problem+json"


class Refusal(StrEnum):
    """Closed set of reasons for which a request is refused as a whole, each with its status; the words are part of the contract."""

    status: int

    def __new__(cls, word: str, status: int) -> Self:
        refusal = str.__new__(cls, word)
        refusal._value_ = word
        refusal.status = status
        return refusal

    UNAUTHORIZED = "unauthorized", 401
    """No token, or none that is known."""
    EXPIRED = "expired", 401
    """The token has expired or was revoked."""
    BAD_SIGNATURE = "bad_signature", 401
    """The signature is not that of the body, or its time is over five minutes from now."""
    TOO_MANY_TRIES = "too_many_tries", 429
    """Too many wrong secrets or signatures from there; none is looked at for a while."""
    NOT_LOCAL = "not_local", 403
    """Without a token only this machine is answered, and the request is for another host or has come through a proxy."""
    FOREIGN_ORIGIN = "foreign_origin", 403
    """A web page sends it."""
    FORBIDDEN = "forbidden", 403
    """The token may not do that: another source, district or type of event."""
    NOT_FOUND = "not_found", 404
    METHOD = "method", 405
    EXPECTATION = "expectation", 417
    UNREADABLE = "unreadable", 400
    """The request or its encoding cannot be read, or a header stands twice."""
    MEDIA_TYPE = "media_type", 415
    """A content type or a content encoding that is not taken."""
    TOO_LARGE = "too_large", 413
    """Over 1 MiB, as it came or unpacked, over 5,000 events, or over 10,000 chunks."""
    TOO_SLOW = "too_slow", 408
    """The body did not arrive in time."""
    REJECTED = "rejected", 422
    """None of the events keeps the contract."""
    TOO_FAST = "too_fast", 429
    """The token's rate is used up."""
    UNDER_WAY = "under_way", 503
    """The same signed delivery is being taken at this moment: its sender learns more by sending it again."""
    CROWDED = "crowded", 503
    """The memory for requests under way, or the number of connections, is used up."""
    KAFKA_AWAY = "kafka_away", 503
    """Kafka does not answer. What became of events that were on the way is not known; sending them again does no harm."""
    STOPPING = "stopping", 503
    """This process is about to end; another one will answer."""
    MISTAKE = "mistake", 500
    """A mistake in the intake itself."""


class Problem(Exception):
    """A request that is refused. `closes` where the rest of the body was not read and the connection is of no more use."""

    exit_code = ExitCode.MISTAKE

    def __init__(
        self,
        refusal: Refusal,
        detail: str,
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
        closes: bool = False,
    ) -> None:
        super().__init__(detail)
        self.refusal = refusal
        self.status = refusal.status
        self.headers = dict(headers or {}) | ({"Retry-After": str(retry_after_s)} if retry_after_s is not None else {})
        self.closes = closes
        self._more = more or {}

    @property
    def body(self) -> dict[str, Any]:
        """Members of the problem document."""
        title = self.refusal.value.replace("_", " ")
        return {
            "type": f"urn:frontdesk:problem:{self.refusal.value}",
            "title": title,
            "status": self.status,
            "detail": str(self),
            **self._more,
        }
