"""What an episode contributes to the numbers of a place: which measure, at which minute, where, how much.

A number is only ever moved by differences: what an episode contributes now minus what it did before, at the minutes and
in the places where it did. So taking back is exact, and a change of place moves an episode from one cell to another.
"""

from __future__ import annotations

from collections import Counter
from math import floor
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from events.event import Contacted, Rated, Replied, Resolved
from projections.episode import SPAM, UNRESOLVED
from projections.measures import CONTACT, QUALITY, RATING, REOPENED, RESOLUTION, RESOLUTION_DUE, RESPONSE, RESPONSE_DUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.event import Event
    from projections.episode import Episode

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
RATING_ONE: Final = 10_000
"""Ratings are summed as integers, in ten-thousandths of 0..1 (bp), so that any order of adding gives the same sum."""

Contribution: TypeAlias = tuple[int, int, int, int, int]
"""(number of the measure, minute since the epoch, place, a, b): what a and b are is said by its shape (`measures`)."""
Contributions: TypeAlias = list[Contribution]
"""Of an episode: at most one of each measure."""
There: TypeAlias = "Callable[[str, str], int]"
"""Gives the number of the place of a (school, department)."""
Message: TypeAlias = tuple[int, int, str]
"""(minute since the epoch, place, stakeholder)."""


def is_measured(episode: Episode) -> bool:
    """Tell whether an episode counts: orphans and spam are in no measure."""
    return episode.contacted and not (episode.outcome == SPAM and episode.standing != UNRESOLVED)


def contributions(episode: Episode, here: int, there: There) -> Contributions:
    """List all that a measured episode contributes; `here` is the place of its opening contact, `there` finds others."""
    received_at, response_due_at, resolution_due_at = episode.opening.time, episode.response_due_at, episode.resolution_due_at
    first_response_at, first_resolved_at = episode.first_response_at, episode.first_resolved_at
    in_time = received_at + episode.late_ms - HOUR_MS
    found: Contributions = [(CONTACT, received_at // MINUTE_MS, here, 1, 0)]
    if first_response_at is not None:
        place, business_ms = responder(episode, here, there), episode.response_business_ms or 0
        found.append((RESPONSE, first_response_at // MINUTE_MS, place, first_response_at - received_at, business_ms))
    if response_due_at is not None:
        kept = is_kept(first_response_at, response_due_at) or is_kept(first_resolved_at, response_due_at)
        found.append((RESPONSE_DUE, response_due_at // MINUTE_MS + 1, here, kept, 1 if response_due_at < in_time else 0))
    if resolution_due_at is not None:
        kept, late = is_kept(first_resolved_at, resolution_due_at), 1 if resolution_due_at < in_time else 0
        found.append((RESOLUTION_DUE, resolution_due_at // MINUTE_MS + 1, here, kept, late))
    place, resolved_at = here, episode.last_resolved_at
    if resolved_at is not None and episode.standing != UNRESOLVED:
        minute, place, reopened = resolved_at // MINUTE_MS, resolver(episode, here, there), episode.reopens > 0
        found.append((RESOLUTION, minute, place, resolved_at - received_at, episode.resolution_business_ms or 0))
        if reopened:
            found.append((REOPENED, minute, place, 1, 0))
        if resolution_due_at is not None:
            found.append((QUALITY, minute, place, 0 if reopened else is_kept(resolved_at, resolution_due_at), 0))
    if episode.rated_at is not None and episode.rating is not None:
        found.append((RATING, episode.rated_at // MINUTE_MS, place, in_bp(episode.rating), 0))
    return found


def effect_of(event: Event, episode: Episode) -> int:
    """Tell what an event that comes last can change of an episode's contributions.

    Nothing (most replies are not the first), only what it adds itself (a message; the first response, resolution or rating), or
    anything at all. To ask first saves 3.5 us of 28 an event against comparing everything before and after.
    """
    match event:
        case Contacted():
            return ANYTHING if episode.standing != UNRESOLVED or not episode.contacted else ITS_OWN
        case Resolved():
            is_first = episode.first_resolved_at is None and episode.rated_at is None and episode.contacted
            return ITS_OWN if is_first and event.outcome != SPAM else ANYTHING
        case Replied():
            is_answer = episode.first_response_at is None and event.human and event.public
            return ITS_OWN if is_answer and is_measured(episode) else NO_CHANGE
        case Rated():
            if not is_measured(episode):
                return NO_CHANGE
            return ITS_OWN if episode.rated_at is None else ANYTHING
        case _:
            assert_never(event)


NO_CHANGE, ITS_OWN, ANYTHING = range(3)


def added_by(event: Replied | Resolved | Rated, episode: Episode, here: int, there: There) -> list[int]:
    """Give what the first response, resolution or rating adds to an episode that has taken it; as `differences` does."""
    at = event.time
    minute = at // MINUTE_MS
    match event:
        case Replied():
            business_ms = episode.response_business_ms or 0
            flat = [RESPONSE, minute, responder(episode, here, there), at - episode.opening.time, business_ms, 1]
            if not is_kept(episode.first_resolved_at, episode.response_due_at):
                flat += _kept_now(RESPONSE_DUE, at, episode.response_due_at, here, episode)
        case Resolved():
            place, business_ms, due_at = resolver(episode, here, there), episode.resolution_business_ms or 0, episode.resolution_due_at
            flat = [RESOLUTION, minute, place, at - episode.opening.time, business_ms, 1]
            if due_at is not None:
                flat += (QUALITY, minute, place, is_kept(at, due_at), 0, 1)
                flat += _kept_now(RESOLUTION_DUE, at, due_at, here, episode)
            if not is_kept(episode.first_response_at, episode.response_due_at):
                flat += _kept_now(RESPONSE_DUE, at, episode.response_due_at, here, episode)
        case Rated():
            place = here if episode.standing == UNRESOLVED else resolver(episode, here, there)
            flat = [RATING, minute, place, in_bp(episode.rating or 0.0), 0, 1]
        case _:
            assert_never(event)
    return flat


def _kept_now(measure: int, at: int, due_at: int | None, here: int, episode: Episode) -> tuple[int, ...]:
    """Turn a promise from missed to kept, if there is one and `at` keeps it."""
    if due_at is None or at > due_at:
        return ()
    minute, late = due_at // MINUTE_MS + 1, is_known_late(episode, due_at)
    return measure, minute, here, 0, late, -1, measure, minute, here, 1, late, 1


def responder(episode: Episode, here: int, there: There) -> int:
    """Give the place of the first response: `here`, unless the reply named another."""
    school, department = episode.responded_school, episode.responded_department
    return there(school or episode.opening.school, department or episode.opening.department) if school or department else here


def resolver(episode: Episode, here: int, there: There) -> int:
    """Give the place of the last resolution: `here`, unless it named another."""
    school, department = episode.resolved_school, episode.resolved_department
    return there(school or episode.opening.school, department or episode.opening.department) if school or department else here


def is_kept(answered_at: int | None, due_at: int | None) -> int:
    """Tell whether there was an answer to a promise in time, the deadline included: 1 or 0."""
    return 1 if answered_at is not None and due_at is not None and answered_at <= due_at else 0


def is_known_late(episode: Episode, due_at: int) -> int:
    """Tell whether a deadline was over an hour past when the first record came that told of it: 1 or 0.

    An old history that is sent now tells of many; nobody is called for them.
    """
    return 1 if due_at < known_at(episode) - HOUR_MS else 0


def known_at(episode: Episode) -> int:
    """Give the timestamp, in ms, of the first record by which an episode was known."""
    return episode.opening.time + episode.late_ms


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
