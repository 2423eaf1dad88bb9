"""Events, facts and windows as columns, in the order and under the names of the tables in ClickHouse.

A row says what an event or an episode is, never what to add, and carries a version that is a function of the log: so a
row written twice, or late, changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec.structs import astuple

from events.event import Contacted, Replied, Resolved
from projections.episode import Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.event import Event

Columns: TypeAlias = list[Any]
"""Equally long sequences, one for each column of a table; [] when there are no rows."""
Row: TypeAlias = tuple[Any, ...]

# fmt: off
EVENT_COLUMNS: Final = (
    "district", "subject", "source", "id", "kind", "time", "school", "department", "stakeholder", "audience", "channel", "language",
    "topic", "priority", "needs_reply", "author", "author_kind", "visibility", "outcome", "score", "worst", "best", "partition", "offset",
    "produced_at", "backfill", "version",
)
CASE_COLUMNS: Final = (
    "district", "opened_at", "subject", "episode", "school", "department", "stakeholder", "audience", "channel", "language", "topic",
    "priority", "needs_reply", "status", "received_at", "first_response_at", "responded_school", "responded_department",
    "response_warn_at", "response_due_at", "answered_at", "turns_n", "turns_sum_ms", "waiting_since", "first_resolved_at", "resolved_at",
    "resolved_school", "resolved_department", "outcome", "reopens", "resolution_warn_at", "resolution_due_at", "rating", "rated_at",
    "contacts", "replies", "resolutions", "response_ms", "response_business_ms", "first_resolution_ms", "first_resolution_business_ms",
    "resolution_ms", "resolution_business_ms", "conflicts", "partition", "last_offset", "directory_revision", "is_deleted", "version",
)
WINDOW_COLUMNS: Final = (
    "district", "scope", "school", "department", "window", "as_of", "contact_n", "message_n", "stakeholder_n", "response_n",
    "response_sum_ms", "response_p50_ms", "response_p90_ms", "response_sum_business_ms", "response_p50_business_ms",
    "response_p90_business_ms", "response_due_n", "response_kept_n", "response_missed_n", "resolution_n", "resolution_sum_ms",
    "resolution_p50_ms", "resolution_p90_ms", "resolution_sum_business_ms", "resolution_p50_business_ms", "resolution_p90_business_ms",
    "resolution_reopened_n", "resolution_due_n", "resolution_kept_n", "resolution_missed_n", "quality_n", "quality_sum", "rating_n",
    "rating_sum_bp", "rating_sum_squares_bp2", "rating_satisfied_n", "partition", "version",
)
# fmt: on
OFFSET_SHIFT: Final = 48
"""Bits below the offset in a row's version."""


def row_version(epoch: int, offset: int, revision: int) -> int:
    """Version of a case's or an event's row, UInt128: epoch (16 bits) | offset + 1 (64) | directory revision (48)."""
    return epoch << 112 | (offset + 1) << OFFSET_SHIFT | revision


def window_version(minute: int, next_offset: int, revision: int) -> int:
    """Version of a window's row, UInt128: minute of `as_of` (32 bits) | largest folded offset + 1 (64) | directory revision (32)."""
    return minute << 96 | next_offset << 32 | revision & 0xFFFFFFFF


def event_row(district: str, subject: str, event: Event, delivery: Row) -> Row:
    """One row of `events`; `delivery` is (partition, offset, produced_at, backfill, version)."""
    kind = event.__class__
    head = (district, subject, event.source, event.id)
    where = (event.time, event.school, event.department)
    if kind is Replied:
        by = (event.author, "human" if event.human else "automatic", "public" if event.public else "internal")  # type: ignore[union-attr] # `kind` says so
        return (*head, "reply", *where, "", "", "", "", "", "", 0, *by, "", 0.0, 0.0, 0.0, *delivery)
    if kind is Contacted:
        _, _, _, _, _, *described, needs_reply = astuple(event)
        return (*head, "contact", *where, *described, 1 if needs_reply else 0, "", "", "", "", 0.0, 0.0, 0.0, *delivery)
    if kind is Resolved:
        return (*head, "resolution", *where, "", "", "", "", "", "", 0, "", "", "", event.outcome, 0.0, 0.0, 0.0, *delivery)  # type: ignore[union-attr] # as above
    return (*head, "rating", *where, "", "", "", "", "", "", 0, "", "", "", "", event.score, event.worst, event.best, *delivery)  # type: ignore[union-attr] # as above


def case_row(district: str, subject: str, facts: Facts, record: Row) -> Row:
    """One row of `cases`; `record` is (partition, last_offset, directory_revision, is_deleted, version)."""
    known = astuple(facts)
    return (district, known[0], subject, *known[1:], *record)


def gone(key: tuple[int, str]) -> Facts:
    """What is left of an episode whose key (opened_at, episode) no event opens any more: its key alone."""
    return Facts(*key)


def columns(values: list[Any], names: Sequence[str]) -> Columns:
    """Turn rows that lie one behind the other into columns.

    Slices take 0.3 us a row of 49 where `zip(*rows)` takes 1.4.
    """
    width = len(names)
    return [values[i::width] for i in range(width)] if values else []
