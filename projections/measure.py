"""What an episode contributes to the numbers of a place: which measure, at which minute, where, how much.

A number is only ever moved by differences: what an episode contributes now minus what it did before, at the minutes and
in the places where it did. So taking back is exact, and a change of place moves an episode from one cell to another.
"""

from __future__ import annotations

from collections import Counter
from math import floor
from typing import TYPE_CHECKING, Final, TypeAlias

from projections.episode import SPAM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from projections.episode import Episode, Facts

CONTACT, RESPONSE, RESOLUTION, REOPENED, RESPONSE_DUE, RESOLUTION_DUE, QUALITY, RATING = range(8)

MINUTE_MS: Final = 60_000
RATING_ONE: Final = 10_000
"""Ratings are summed as integers, in ten-thousandths of 0..1 (bp), so that any order of adding gives the same sum."""

Contribution: TypeAlias = tuple[int, int, int, int]
"""(minute since the epoch, place, a, b): a and b are durations in ms (calendar, business), 1 or 0, or a rating in bp."""
Contributions: TypeAlias = tuple[Contribution | None, ...]
"""One of each measure at most, in the order of the measures' numbers."""
Message: TypeAlias = tuple[int, int, str]
"""(minute since the epoch, place, stakeholder)."""

NOTHING: Final[Contributions] = (None,) * 8


def is_measured(facts: Facts) -> bool:
    """Orphans and spam are in no measure."""
    return facts.received_at is not None and facts.status != SPAM


def contributions(facts: Facts, place: Callable[[str, str], int]) -> Contributions:
    """What an episode contributes; `place` gives the number of a (school, department) of its district."""
    received_at, first_response_at, resolved_at = facts.received_at, facts.first_response_at, facts.resolved_at
    if received_at is None or facts.status == SPAM:
        return NOTHING
    here = place(facts.school, facts.department)
    response = resolution = reopened = response_due = resolution_due = quality = rating = None
    if first_response_at is not None:
        responder = place(facts.responded_school, facts.responded_department)
        response = (first_response_at // MINUTE_MS, responder, facts.response_ms, facts.response_business_ms)
    due = facts.response_due_at
    if due is not None:
        response_due = (due // MINUTE_MS + 1, here, is_kept(facts.answered_at, due), 0)
    due = facts.resolution_due_at
    if due is not None:
        resolution_due = (due // MINUTE_MS + 1, here, is_kept(facts.first_resolved_at, due), 0)
    there = here
    if resolved_at is not None:
        there = place(facts.resolved_school, facts.resolved_department)
        minute = resolved_at // MINUTE_MS
        resolution = (minute, there, facts.resolution_ms, facts.resolution_business_ms)
        if facts.reopens:
            reopened = (minute, there, 1, 0)
        if due is not None:
            quality = (minute, there, 0 if facts.reopens else is_kept(resolved_at, due), 0)
    if facts.rated_at is not None and facts.rating is not None:
        rating = (facts.rated_at // MINUTE_MS, there, in_bp(facts.rating), 0)
    return ((received_at // MINUTE_MS, here, 1, 0), response, resolution, reopened, response_due, resolution_due, quality, rating)  # type: ignore[return-value] # durations are set with their instants


def is_kept(answered_at: int | None, due_at: int) -> int:
    """1 when the answer came in time, the deadline included; else 0."""
    return 1 if answered_at is not None and answered_at <= due_at else 0


def in_bp(rating: float) -> int:
    """A rating in ten-thousandths, halves up."""
    return floor(rating * RATING_ONE + 0.5)


def messages(episode: Episode, facts: Facts, place: Callable[[str, str], int]) -> list[Message]:
    """Every contact event of an episode, at its own time, in the place of the contact that opened it."""
    if not is_measured(facts):
        return []
    here = place(facts.school, facts.department)
    opening = (facts.opened_at // MINUTE_MS, here, facts.stakeholder)
    return [opening, *((at // MINUTE_MS, here, stakeholder) for at, stakeholder in episode.messages)]


def differences(old: Contributions, new: Contributions) -> list[int]:
    """Old minus, new plus, only where they differ: flat records (measure, minute, place, a, b, sign)."""
    flat: list[int] = []
    for measure, (before, after) in enumerate(zip(old, new, strict=True)):
        if before != after:
            if before is not None:
                flat += (measure, *before, -1)
            if after is not None:
                flat += (measure, *after, 1)
    return flat


def message_differences(old: Iterable[Message], new: Iterable[Message]) -> list[tuple[Message, int]]:
    """The messages to take away and to add, each with its signed number of times."""
    counts = Counter(new)
    counts.subtract(Counter(old))
    return [(message, times) for message, times in counts.items() if times]
