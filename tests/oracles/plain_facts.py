"""The facts once more, from the rules alone (docs/schema.md): slow, without accumulator, each fact asked of the whole list of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import astuple

from events.event import KIND, Contacted, Event, Rated, Replied, Resolved
from tests.support.stories import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable


def the_set(events: Iterable[Event]) -> tuple[list[Event], set[tuple[str, str]]]:
    """Each identity once, with its least content, sorted; and the identities that came with several contents."""
    contents: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        known = contents.setdefault((event.source, event.id), [])
        if event not in known:
            known.append(event)
    least = [min(known, key=lambda event: (event.time, KIND[type(event)], astuple(event))) for known in contents.values()]
    least.sort(key=lambda event: (event.time, KIND[type(event)], event.source, event.id))
    return least, {name for name, known in contents.items() if len(known) > 1}


def in_episodes(events: list[Event]) -> list[list[Event]]:
    """Cut the sorted set where a contact asks something new."""
    starts = []
    for i, event in enumerate(events):
        if i == 0:
            starts.append(i)
        elif isinstance(event, Contacted):
            latest = events[starts[-1] : i]
            resolutions = [(other.time, latest[n + 1 :]) for n, other in enumerate(latest) if isinstance(other, Resolved)]
            resolved_at, later = resolutions[-1] if resolutions else (event.time, [])
            stood_long = event.time - resolved_at > 14 * DAY and not was_undone(later)
            if not isinstance(latest[0], Contacted) or stood_long:
                starts.append(i)
    return [events[begin:end] for begin, end in zip(starts, [*starts[1:], len(events)], strict=True)]


def is_answer(event: Event) -> bool:
    return isinstance(event, Replied) and event.human and event.public


def asks(event: Event) -> bool:
    return isinstance(event, Contacted) and event.needs_reply


def was_undone(later: list[Event]) -> bool:
    return any(asks(event) for event in later)


def was_reopened(later: list[Event]) -> bool:
    """Whether a resolution with `later` behind it was undone, or a human replied and it was resolved again."""
    until_next = next((i for i, event in enumerate(later) if isinstance(event, Resolved)), None)
    between = later[:until_next]
    if was_undone(between):
        return True
    return until_next is not None and any(is_answer(event) for event in between)


def turns(events: list[Event]) -> tuple[list[int], int | None]:
    """How long each turn took, and since when somebody waits now."""
    lengths = []
    waiting: int | None = None
    for event in events:
        if asks(event) and waiting is None:
            waiting = event.time
        elif is_answer(event) and waiting is not None:
            lengths.append(event.time - waiting)
            waiting = None
        elif isinstance(event, Resolved):
            waiting = None
    return lengths, waiting


def describe(events: list[Event], conflicts: set[tuple[str, str]], directory: Any, district: str) -> dict[str, Any]:
    first = events[0]
    asked = isinstance(first, Contacted)
    contact: Any = first if asked else Contacted(0, "", "", priority="", needs_reply=False)
    terms: Any = (
        directory.terms(district, contact.school, contact.department, contact.priority, contact.audience, contact.channel, first.time)
        if asked
        else None
    )
    responses = [event for event in events if is_answer(event)] if asked else []
    resolutions = [(event, events[i + 1 :]) for i, event in enumerate(events) if isinstance(event, Resolved)]
    last, later = resolutions[-1] if resolutions else (None, [])
    stands = last if last is not None and not was_undone(later) else None
    ratings = [event for event in events if isinstance(event, Rated)]
    lengths, waiting = turns(events)
    answers = [event.time for event in responses[:1]] + [event.time for event, _ in resolutions[:1]]

    def lasted(at: int | None) -> tuple[int | None, int | None]:
        if at is None or terms is None:
            return None, None
        return at - first.time, terms.schedule.open_ms(at) - terms.schedule.open_ms(first.time)

    def named(event: Any, field: str) -> str:
        return "" if event is None else getattr(event, field) or getattr(contact, field)

    response = responses[0] if responses else None
    if stands is not None:
        status = "spam" if stands.outcome == "spam" else "resolved"
    elif waiting is not None or not any(is_answer(event) for event in events):
        status = "open"
    else:
        status = "answered"
    response_ms, response_business_ms = lasted(response.time if response else None)
    first_ms, first_business_ms = lasted(resolutions[0][0].time if resolutions else None)
    resolution_ms, resolution_business_ms = lasted(stands.time if stands else None)
    promised = terms is not None and contact.needs_reply
    return {
        "opened_at": first.time,
        "episode": f"{first.source} {first.id}",
        **{name: getattr(contact, name) for name in ("school", "department", "stakeholder", "audience", "channel", "language", "topic")},
        "priority": contact.priority,
        "needs_reply": int(contact.needs_reply),
        "status": status,
        "received_at": first.time if asked else None,
        "first_response_at": response.time if response else None,
        "responded_school": named(response, "school"),
        "responded_department": named(response, "department"),
        "response_warn_at": terms.response_warn(first.time) if promised else None,
        "response_due_at": terms.response_due(first.time) if promised else None,
        "answered_at": min(answers) if asked and answers else None,
        "turns_n": len(lengths),
        "turns_sum_ms": sum(lengths),
        "waiting_since": waiting,
        "first_resolved_at": resolutions[0][0].time if resolutions else None,
        "resolved_at": stands.time if stands else None,
        "resolved_school": named(stands, "school"),
        "resolved_department": named(stands, "department"),
        "outcome": last.outcome if isinstance(last, Resolved) else "",
        "reopens": sum(was_reopened(behind) for _, behind in resolutions),
        "resolution_warn_at": terms.resolution_warn(first.time) if terms else None,
        "resolution_due_at": terms.resolution_due(first.time) if terms else None,
        "rating": (ratings[-1].score - ratings[-1].worst) / (ratings[-1].best - ratings[-1].worst) if ratings else None,
        "rated_at": ratings[-1].time if ratings else None,
        "contacts": sum(isinstance(event, Contacted) for event in events),
        "replies": sum(map(is_answer, events)),
        "resolutions": len(resolutions),
        "response_ms": response_ms,
        "response_business_ms": response_business_ms,
        "first_resolution_ms": first_ms,
        "first_resolution_business_ms": first_business_ms,
        "resolution_ms": resolution_ms,
        "resolution_business_ms": resolution_business_ms,
        "conflicts": sum((event.source, event.id) in conflicts for event in events),
    }


def plain_facts(events: Iterable[Event], directory: Any, district: str) -> list[dict[str, Any]]:
    """The facts of each episode of one case, from its events in any order and any number of times."""
    ordered, conflicts = the_set(events)
    return [describe(episode, conflicts, directory, district) for episode in in_episodes(ordered)]
