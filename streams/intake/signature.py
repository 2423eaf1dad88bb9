"""Signed deliveries: HMAC-SHA-256 over time and body, as Standard Webhooks (standardwebhooks.com), Zendesk and Chatwoot do it.

The time may be five minutes off, and an id that was answered with success is not taken a second time within that window.
Other processes behind the same balancer do not know these ids; a replay there changes nothing, because events have ids too.
"""

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from events.instant import moment
from streams.http import as_sent
from streams.intake.grant import Grant
from streams.intake.problem import Problem, Refusal

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
WINDOW_S: Final = 300
MOST_IDS: Final = 100_000
MOST_ID_LENGTH: Final = 128
VERSION: Final = "v1,"
_DIGITS: Final = 10


def signature(key: bytes, delivery: str, timestamp: str, body: bytes) -> str:
    """Base64 of the HMAC of `id.timestamp.body`, with its version before it."""
    digest = hmac.new(key, as_sent(f"{delivery}.{timestamp}.") + body, hashlib.sha256).digest()
    return VERSION + base64.b64encode(digest).decode()


def verified(grant: Grant, headers: Mapping[str, str], body: bytes, now_s: int) -> str:
    """Id of the delivery, where the signature is good and young. Raises `Problem`. `headers` finds names in small letters."""
    delivery, timestamp, given = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (delivery and len(delivery) <= MOST_ID_LENGTH and timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS):
        raise _bad()
    good = [
        hmac.compare_digest(_bytes(each), _bytes(signature(grant.signing_key, delivery, timestamp, body))) for each in given.split()[:8]
    ]
    if not grant.signing_key or not any(good) or abs(now_s - int(timestamp)) > WINDOW_S:
        raise _bad()
    return delivery


def verified_as_zendesk(grant: Grant, headers: Mapping[str, str], body: bytes, now_s: int) -> str:
    """Base64 of the HMAC of time (RFC 3339) and body. The signature names the delivery, for the header with its id is not signed."""
    timestamp, given = headers.get("x-zendesk-webhook-signature-timestamp", ""), headers.get("x-zendesk-webhook-signature", "")
    expected = base64.b64encode(_hmac(grant, as_sent(timestamp) + body)).decode()
    return _young(grant, given, expected, _seconds(timestamp), now_s)


def verified_as_chatwoot(grant: Grant, headers: Mapping[str, str], body: bytes, now_s: int) -> str:
    """`sha256=` and the hexadecimal HMAC of `time.body`, the time in seconds."""
    timestamp, given = headers.get("x-chatwoot-timestamp", ""), headers.get("x-chatwoot-signature", "")
    expected = "sha256=" + _hmac(grant, as_sent(timestamp) + b"." + body).hex()
    return _young(grant, given, expected, _seconds(timestamp), now_s)


def _hmac(grant: Grant, content: bytes) -> bytes:
    return hmac.new(grant.signing_key, content, hashlib.sha256).digest()


def _young(grant: Grant, given: str, expected: str, at_s: int | None, now_s: int) -> str:
    same = hmac.compare_digest(as_sent(given), expected.encode())
    if not (grant.signing_key and same and at_s is not None and abs(now_s - at_s) <= WINDOW_S):
        raise _bad()
    return expected


def _seconds(timestamp: str) -> int | None:
    """Of an epoch, or of an RFC 3339 text with a zone."""
    if timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS:
        return int(timestamp)
    try:
        return int(moment(timestamp).timestamp())
    except ValueError:
        return None


Verify = Callable[[Grant, Mapping[str, str], bytes, int], str]
SCHEMES: Final[dict[str, Verify]] = {"standard": verified, "zendesk": verified_as_zendesk, "chatwoot": verified_as_chatwoot}


def _bad() -> Problem:
    return Problem(Refusal.BAD_SIGNATURE, f"the signature must be that of the body, and its time within {WINDOW_S} s of now")


def _bytes(signature: str) -> bytes:
    """The HMAC of a version that is known; other text equals none."""
    try:
        return base64.b64decode(signature.removeprefix(VERSION), validate=True) if signature.startswith(VERSION) else b""
    except (binascii.Error, ValueError):
        return b""


class Deliveries:
    """Ids of deliveries that were accepted or are under way, for as long as a replay of them could be taken. Mutable."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._under_way: set[tuple[str, str]] = set()

    def begin(self, grant: Grant, delivery: str, now_s: int) -> bool:
        """Whether it is new; else it was accepted before. Raises `Problem` where that is not known yet."""
        while self._until and next(iter(self._until.values())) < now_s:
            self._until.popitem(last=False)
        if (grant.id, delivery) in self._under_way:
            raise Problem(Refusal.UNDER_WAY, "this delivery is being taken at this moment", retry_after_s=1)
        if (grant.id, delivery) in self._until:
            return False
        if len(self._until) >= MOST_IDS:
            raise Problem(Refusal.CROWDED, "too many signed deliveries within five minutes", retry_after_s=WINDOW_S // 10)
        self._until[grant.id, delivery] = now_s + 2 * WINDOW_S
        self._under_way.add((grant.id, delivery))
        return True

    def accepted(self, grant: Grant, delivery: str) -> None:
        """Whenever it comes again, it is there already."""
        self._under_way.discard((grant.id, delivery))

    def forget(self, grant: Grant, delivery: str) -> None:
        """It was not accepted, so it may come again."""
        self._under_way.discard((grant.id, delivery))
        self._until.pop((grant.id, delivery), None)
