"""Events, facts and windows as columns, in the order and under the names of the tables in ClickHouse.

A row says what an event or an episode is, never what to add, and carries a version that is a function of the log: so a
row written twice, or late, changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, assert_never

from msgspec.structs import astuple

from events.event import Contacted, Rated, Replied, Resolved
from projections.episode import Facts
from projections.measures import COLUMNS

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
PROGRESS_COLUMNS: Final = ("partition", "as_of", "next_offset", "version")
# fmt: on
WINDOW_KEY: Final = ("district", "scope", "school", "department", "window")
WINDOW_COLUMNS: Final = (*WINDOW_KEY, "as_of", *(column.name for column in COLUMNS), "partition", "version")
OFFSET_SHIFT: Final = 48
"""Bits below the offset in a row's version."""


def row_version(epoch: int, offset: int, revision: int) -> int:
    """Version of a case's or an event's row, UInt128: epoch (16 bits) | offset + 1 (64) | directory revision (48)."""
    return epoch << 112 | (offset + 1) << OFFSET_SHIFT | revision


def window_version(minute: int, next_offset: int, revision: int) -> int:
    """Version of a window's row, UInt128: minute of `as_of` (32 bits) | largest folded offset + 1 (64) | directory revision (32)."""
    return minute << 96 | next_offset << 32 | revision & 0xFFFFFFFF


def offset_of(version: int) -> int:
    """The offset in the version of a window's row: it was written when every record before that one was folded."""
    return version >> 32 & 0xFFFFFFFFFFFFFFFF


def event_row(district: str, subject: str, event: Event, delivery: Row) -> Row:
    """One row of `events`; `delivery` is (partition, offset, produced_at, backfill, version)."""
    return _what_happened(district, subject, event) + delivery


def _what_happened(district: str, subject: str, event: Event) -> Row:
    """Columns up to the delivery's, spelled out, because it is made for every event."""
    source, name, time, school, department = event.source, event.id, event.time, event.school, event.department
    # fmt: off
    match event:
        case Replied():
            author_kind, visibility = "human" if event.human else "automatic", "public" if event.public else "internal"
            return (
                district, subject, source, name, "reply", time, school, department, "", "", "", "", "", "", 0,
                event.author, author_kind, visibility, "", 0.0, 0.0, 0.0,
            )
        case Contacted():
            _, _, _, _, _, stakeholder, audience, channel, language, topic, priority, needs_reply = astuple(event)
            return (
                district, subject, source, name, "contact", time, school, department, stakeholder, audience, channel, language, topic,
                priority, 1 if needs_reply else 0, "", "", "", "", 0.0, 0.0, 0.0,
            )
        case Resolved():
            return (
                district, subject, source, name, "resolution", time, school, department, "", "", "", "", "", "", 0,
                "", "", "", event.outcome, 0.0, 0.0, 0.0,
            )
        case Rated():
            return (
                district, subject, source, name, "rating", time, school, department, "", "", "", "", "", "", 0,
                "", "", "", "", event.score, event.worst, event.best,
            )
        case _:
            assert_never(event)
    # fmt: on


RECORD_COLUMNS: Final = ("district", "subject", "partition", "last_offset", "directory_revision", "is_deleted", "version")
"""What a row of `cases` has beside the facts."""
KEPT_CASE_COLUMNS: Final = (*Facts.__struct_fields__, *RECORD_COLUMNS)
"""A row of `cases` as the fold keeps it: the facts as they are, then the rest. `columns` puts them in the table's order."""


def gone(key: tuple[int, str]) -> Facts:
    """What is left of an episode whose key (opened_at, episode) no event opens any more: its key alone."""
    return Facts(*key)


def columns(values: list[Any], names: Sequence[str], kept: Sequence[str]) -> Columns:
    """Turn rows that lie one behind the other, their values in the order `kept`, into columns in the order `names`.

    Slices take 0.3 us a row of 49 where `zip(*rows)` takes 1.1.
    """
    return [values[kept.index(name) :: len(kept)] for name in names] if values else []
