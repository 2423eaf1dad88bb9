"""What an episode contributes to the numbers of a place: which measure, at which minute, where, how much.

A number is only ever moved by differences: what an episode contributes now minus what it did before, at the minutes and
in the places where it did. So taking back is exact, and a change of place moves an episode from one cell to another.
"""

from __future__ import annotations

from collections import Counter
from math import floor
from typing import TYPE_CHECKING, Final, TypeAlias

from events.event import Rated, Replied, Resolved
from projections.episode import SPAM, UNRESOLVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.event import Event
    from projections.episode import Episode

CONTACT, RESPONSE, RESOLUTION, REOPENED, RESPONSE_DUE, RESOLUTION_DUE, QUALITY, RATING = range(8)

MINUTE_MS: Final = 60_000
RATING_ONE: Final = 10_000
"""Ratings are summed as integers, in ten-thousandths of 0..1 (bp), so that any order of adding gives the same sum."""

Contribution: TypeAlias = tuple[int, int, int, int, int]
"""(measure, minute since the epoch, place, a, b): a and b are durations in ms (calendar, business), 1 or 0, or a rating in bp."""
Contributions: TypeAlias = list[Contribution]
"""Of an episode: at most one of each measure."""
There: TypeAlias = "Callable[[str, str], int]"
"""Gives the number of the place of a (school, department)."""
Aspect: TypeAlias = "Callable[[Episode, int, There], Contributions]"
"""Some of an episode's contributions."""
Message: TypeAlias = tuple[int, int, str]
"""(minute since the epoch, place, stakeholder)."""


def is_measured(episode: Episode) -> bool:
    """Tell whether an episode counts: orphans and spam are in no measure."""
    return episode.contacted and not (episode.outcome == SPAM and episode.standing != UNRESOLVED)


def contributions(episode: Episode, here: int, there: There) -> Contributions:
    """List all that a measured episode contributes; `here` is the place of its opening contact, `there` finds others."""
    return [(CONTACT, episode.opening.time // MINUTE_MS, here, 1, 0), *outcome(episode, here, there)]


def outcome(episode: Episode, here: int, there: There) -> Contributions:
    """List all but the arrival: what a resolution can change."""
    found = answer(episode, here, there)
    found += settlement(episode, here, there)
    if episode.rated_at is not None:
        found += satisfaction(episode, here, there)
    return found


def answer(episode: Episode, here: int, there: There) -> Contributions:
    """List the response, and whether the promise of an answer was kept."""
    found: Contributions = []
    at, due_at = episode.first_response_at, episode.response_due_at
    if at is not None:
        place = responder(episode, here, there)
        found.append((RESPONSE, at // MINUTE_MS, place, at - episode.opening.time, episode.response_business_ms or 0))
    if due_at is not None:
        kept = is_kept(at, due_at) or is_kept(episode.first_resolved_at, due_at)
        found.append((RESPONSE_DUE, due_at // MINUTE_MS + 1, here, kept, 0))
    return found


def settlement(episode: Episode, here: int, there: There) -> Contributions:
    """List the resolution that holds, what it was worth, and whether the promise of one was kept."""
    found: Contributions = []
    at, due_at = episode.last_resolved_at, episode.resolution_due_at
    if due_at is not None:
        found.append((RESOLUTION_DUE, due_at // MINUTE_MS + 1, here, is_kept(episode.first_resolved_at, due_at), 0))
    if at is not None and episode.standing != UNRESOLVED:
        minute, place, reopened = at // MINUTE_MS, resolver(episode, here, there), episode.reopens > 0
        found.append((RESOLUTION, minute, place, at - episode.opening.time, episode.resolution_business_ms or 0))
        if reopened:
            found.append((REOPENED, minute, place, 1, 0))
        if due_at is not None:
            found.append((QUALITY, minute, place, 0 if reopened else is_kept(at, due_at), 0))
    return found


def satisfaction(episode: Episode, here: int, there: There) -> Contributions:
    """List the last rating: it is the resolver's, or the contact's while nothing is resolved."""
    if episode.rated_at is None or episode.rating is None:
        return []
    place = here if episode.standing == UNRESOLVED else resolver(episode, here, there)
    return [(RATING, episode.rated_at // MINUTE_MS, place, in_bp(episode.rating), 0)]


def nothing(_episode: Episode, _here: int, _there: There) -> Contributions:
    """List what a later reply can change."""
    return []


def aspect_of(event: Event, episode: Episode) -> Aspect:
    """Tell which contributions of `episode` an event can change that comes last.

    Only with `contributions` may messages change, or whether the episode is measured at all. To look at these alone takes
    2 us an event; at all, before and after, 8.
    """
    if isinstance(event, Replied):
        return answer if episode.first_response_at is None else nothing
    if isinstance(event, Rated):
        return satisfaction
    if isinstance(event, Resolved) and SPAM not in {event.outcome, episode.outcome}:
        return outcome
    return contributions


def responder(episode: Episode, here: int, there: There) -> int:
    """Give the place of the first response: `here`, unless the reply named another."""
    school, department = episode.responded_school, episode.responded_department
    return there(school or episode.opening.school, department or episode.opening.department) if school or department else here


def resolver(episode: Episode, here: int, there: There) -> int:
    """Give the place of the last resolution: `here`, unless it named another."""
    school, department = episode.resolved_school, episode.resolved_department
    return there(school or episode.opening.school, department or episode.opening.department) if school or department else here


def is_kept(answered_at: int | None, due_at: int) -> int:
    """Tell whether the answer came in time, the deadline included: 1 or 0."""
    return 1 if answered_at is not None and answered_at <= due_at else 0


def in_bp(rating: float) -> int:
    """Give a rating in ten-thousandths, halves up."""
    return floor(rating * RATING_ONE + 0.5)


def messages(episode: Episode, here: int) -> list[Message]:
    """List every contact event of a measured episode, at its own time, in the place of the contact that opened it."""
    opening = episode.opening
    found = [(opening.time // MINUTE_MS, here, opening.stakeholder)]  # type: ignore[union-attr] # a measured episode was opened by a contact
    if episode.messages:
        found += [(at // MINUTE_MS, here, stakeholder) for at, stakeholder in episode.messages]
    return found


def differences(old: Contributions, new: Contributions) -> list[int]:
    """Subtract: old minus, new plus, only where they differ; flat records (measure, minute, place, a, b, sign)."""
    flat: list[int] = []
    for contribution in old:
        if contribution not in new:
            flat += contribution
            flat.append(-1)
    for contribution in new:
        if contribution not in old:
            flat += contribution
            flat.append(1)
    return flat


def message_differences(old: list[Message], new: list[Message]) -> list[tuple[Message, int]]:
    """Subtract: the messages to take back (-1) and to add (1), each as many times as it differs."""
    if new[: len(old)] == old:
        return [(message, 1) for message in new[len(old) :]]
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return [*((message, -1) for message in gone.elements()), *((message, 1) for message in come.elements())]
