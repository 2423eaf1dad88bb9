"""How much one case may hold: a number of events, and a number of bytes, so that the record of a case always fits in the changelog.

What a case weighs is added up from its events alone, so it is the same in whatever order and batches they came, and SQL can ask
it of the archive. No record (its key included) is larger than its case weighs: `tests/unit/test_capacity.py` shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import astuple

from events.event import Contacted, Event, Resolved
from events.rejection import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MOST_EVENTS: Final = 2_000
"""A case holds no more; what comes then is rejected as `case_full`."""
MOST_BYTES: Final = 900_000
"""Nor do the events of a case weigh more: 2,000 of 450 bytes each, where real ones weigh 150 to 250."""

CASE_BYTES: Final = 2_000
"""Of a case without its events: its key, the head of its record, and two episodes, for which no resolution pays."""
EVENT_BYTES: Final = 64
"""Of an event without its texts: lengths, an instant, an entry among an episode's messages."""
EPISODE_BYTES: Final = 320
"""What is known of an episode beside its events. Each one from the third on needs a resolution before it, which pays for it."""
CONFLICT_BYTES: Final = 9
"""Of an identity among the conflicts of a case, without the identity."""
HEAVIEST: Final = 6_000
"""What an event weighs at most, its conflict included: a name has 128 characters, a character four bytes."""
SURELY_FIT: Final = (MOST_BYTES - CASE_BYTES) // HEAVIEST
"""So many events need not be weighed. Nearly every case stays below."""

FULL_OF_EVENTS: Final = Rejection(Reason.CASE_FULL, "$.subject", f"the case already holds {MOST_EVENTS:,} events")
FULL_OF_BYTES: Final = Rejection(Reason.CASE_FULL, "$.subject", f"the case would come to more than {MOST_BYTES:,} bytes")


def weight(event: Event) -> int:
    """Bytes that an event may take in the record of its case: a record repeats its place, and the pseudonym of a contact."""
    texts = [text for text in astuple(event) if isinstance(text, str)]
    repeated = (event.school, event.department, event.stakeholder if isinstance(event, Contacted) else "")
    return EVENT_BYTES + (EPISODE_BYTES if isinstance(event, Resolved) else 0) + len("".join((*texts, *repeated)).encode())


def weigh(events: Collection[Event], conflicts: Sequence[str]) -> int:
    """Bytes that a case of these events, and of these identities that came with several contents, may take; 0 for one that surely fits."""
    if len(events) < SURELY_FIT:
        return 0
    return CASE_BYTES + sum(map(weight, events)) + sum(CONFLICT_BYTES + len(name.encode()) for name in conflicts)
