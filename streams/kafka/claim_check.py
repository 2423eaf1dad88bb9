"""What is too large to be copied stays in the log, and whoever sets it aside keeps a claim check: its place, size and digest.

(A message of Enterprise Integration Patterns, Hohpe and Woolf.) A few kilobytes on the wire may be many megabytes once unpacked, so a
value that is too large to be an event is given up as soon as it has been read: what a worker holds does not grow with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from events.contract import LARGEST

MOST_COPIED: Final = 64 * 1024
"""Bytes of a value that are copied to a dead letter."""
MOST_BESIDE: Final = 16 * 1024
"""Bytes of a record's key and headers that are copied, or sent on with it."""
EACH_HEADER: Final = 32
"""Bytes that a header counts beside its own: many small ones are a lot, too."""


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """Stands in for a value that was left in the log: its bytes, and their SHA-256 in hexadecimal digits."""

    size: int
    digest: str

    def __len__(self) -> int:
        return self.size


Value = bytes | ClaimCheck | None
"""Of a record: its bytes, or what stands in for them."""


def checked(value: bytes | None) -> Value:
    """Keep what may be an event; a deserializer of aiokafka."""
    return value if value is None or len(value) <= LARGEST else claim_check(value)


def claim_check(value: Value) -> ClaimCheck:
    return value if isinstance(value, ClaimCheck) else ClaimCheck(len(value or b""), sha256(value or b"").hexdigest())


def is_copied(value: Value) -> bool:
    """Whether a dead letter holds the value itself."""
    return len(value or b"") <= MOST_COPIED


def has_small_headers(key: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bool:
    """Whether a key and headers are few enough to be copied or sent on."""
    beside = sum(EACH_HEADER + len(name.encode(errors="replace")) + len(content or b"") for name, content in headers)
    return len(key or b"") + beside <= MOST_BESIDE
