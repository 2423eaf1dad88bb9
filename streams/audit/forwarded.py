"""Do the records that were sent on to another partition arrive there? Each must be in the log again, marked, with the same bytes.

Sent on more often than once is well (a worker died before it committed); fewer times than it was found elsewhere is a loss.
"""

from collections.abc import Sequence
from hashlib import md5
from typing import Any, Final

from events.headers import MARKED_BACKFILL, MARKED_FORWARDED

MARKS: Final = (MARKED_FORWARDED, MARKED_BACKFILL)
"""What a record may have got on its way: a rebuild marks what it sends on as backfill, so that it does not come too late."""


def is_forwarded(headers: Sequence[tuple[str, bytes]]) -> bool:
    return MARKED_FORWARDED in headers


class ForwardedRecords:
    """Counts departures against arrivals. Mutable; what has arrived is forgotten, so that memory holds only what is under way."""

    def __init__(self) -> None:
        self._owed: dict[bytes, int] = {}
        self._seen_at: dict[bytes, tuple[int, int]] = {}

    def departed(self, record: Any, home: int) -> None:
        """A record that was found elsewhere and must arrive in partition `home`."""
        name = _name(record, home, record.headers)
        self._seen_at[name] = record.partition, record.offset
        self._add(name, 1)

    def arrived(self, record: Any) -> None:
        """A record with the mark, wherever it is; by the partition it is in it is known again."""
        self._add(_name(record, record.partition, record.headers), -1)

    def lost(self) -> list[tuple[int, int, int]]:
        """(partition, offset, home) of records that have not arrived; of several with the same bytes the last."""
        return sorted((*self._seen_at[name], int.from_bytes(name[:4], "big")) for name, owed in self._owed.items() if owed > 0)

    def _add(self, name: bytes, count: int) -> None:
        owed = self._owed.pop(name, 0) + count
        if owed:
            self._owed[name] = owed
        if owed <= 0:
            self._seen_at.pop(name, None)


def _name(record: Any, home: int, headers: Sequence[tuple[str, bytes]]) -> bytes:
    """The partition it belongs to and a digest of key, value and headers. Not the timestamp: a broker may be set to give its own."""
    own = tuple(header for header in headers if header not in MARKS)
    return home.to_bytes(4, "big") + md5(repr((record.key, record.value, own)).encode(), usedforsecurity=False).digest()
