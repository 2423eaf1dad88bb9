"""One question inside a case, and what is known of it: the heart of Frontdesk.

The facts are `finish(reduce(step, events))`: a pure function of a case's events in their order and of the directory. An
`Episode` is the accumulator between the two, small enough to be kept for every remembered case, so that an event that
comes last costs one step. It holds instants, places and durations, never what a clock decides (what is overdue).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

from msgspec import Struct
from msgspec.structs import astuple

from events.event import Contacted, Event, Rated, Replied, Resolved

if TYPE_CHECKING:
    from events.directory import Directory
    from events.event import Rated
    from events.schedule import Schedule

NEW_EPISODE_AFTER_MS: Final = 14 * 24 * 60 * 60 * 1000
"""A contact later than this after the latest episode's resolution, while that stands, asks something new."""

OPEN, ANSWERED, RESOLVED, SPAM = "open", "answered", "resolved", "spam"
UNRESOLVED, HOLDS, CONTESTED = range(3)
"""Where the last resolution stands: none or undone; it holds; a human has replied after it (one more resolution is a reopening)."""


class Opening(Struct, array_like=True, gc=False):
    """The events of an episode: the one that opened it and `others` more, packed (see case.py). Every fold version begins so."""

    opening: Event
    others: int
    events: bytes


class Episode(Opening, array_like=True, gc=False):
    """The accumulator: mutable, owned by the one case that is at work.

    Instants and durations are in ms. A responded or resolved school or department is '' where it is the contact's;
    `messages` are (time, stakeholder) of each contact after the one that opened the episode. `late_ms` is how long after the opening
    event the first record was produced by which the episode became known: no fact, and never a reader's business, but it
    tells a promise that was broken before anybody here could know of it.
    """

    last_at: int
    contacted: bool = False
    messages: list[tuple[int, str]] = []
    replies: int = 0
    resolutions: int = 0
    response_warn_at: int | None = None
    response_due_at: int | None = None
    resolution_warn_at: int | None = None
    resolution_due_at: int | None = None
    first_response_at: int | None = None
    response_business_ms: int | None = None
    responded_school: str = ""
    responded_department: str = ""
    turns_n: int = 0
    turns_sum_ms: int = 0
    waiting_since: int | None = None
    first_resolved_at: int | None = None
    first_resolution_business_ms: int | None = None
    last_resolved_at: int | None = None
    resolution_business_ms: int | None = None
    resolved_school: str = ""
    resolved_department: str = ""
    outcome: str = ""
    standing: int = UNRESOLVED
    reopens: int = 0
    rating: float | None = None
    rated_at: int | None = None
    conflicts: int = 0
    late_ms: int = 0

    @property
    def key(self) -> tuple[int, str]:
        """(opened_at, episode): what names the episode's row within its case."""
        return key_of(self)


class Facts(Struct, frozen=True, gc=False):
    """What is known of an episode, as it is published: the columns of `cases` from `episode` on, in their order.

    Instants in ms since the epoch, durations in ms, None where there is none; `rating` in 0..1.
    """

    opened_at: int
    episode: str
    school: str = ""
    department: str = ""
    stakeholder: str = ""
    audience: str = ""
    channel: str = ""
    language: str = ""
    topic: str = ""
    priority: str = ""
    needs_reply: int = 0
    status: str = OPEN
    received_at: int | None = None
    first_response_at: int | None = None
    responded_school: str = ""
    responded_department: str = ""
    response_warn_at: int | None = None
    response_due_at: int | None = None
    answered_at: int | None = None
    turns_n: int = 0
    turns_sum_ms: int = 0
    waiting_since: int | None = None
    first_resolved_at: int | None = None
    resolved_at: int | None = None
    resolved_school: str = ""
    resolved_department: str = ""
    outcome: str = ""
    reopens: int = 0
    resolution_warn_at: int | None = None
    resolution_due_at: int | None = None
    rating: float | None = None
    rated_at: int | None = None
    contacts: int = 0
    replies: int = 0
    resolutions: int = 0
    response_ms: int | None = None
    response_business_ms: int | None = None
    first_resolution_ms: int | None = None
    first_resolution_business_ms: int | None = None
    resolution_ms: int | None = None
    resolution_business_ms: int | None = None
    conflicts: int = 0


def key_of(opening: Opening) -> tuple[int, str]:
    """(opened_at, "source id") of the event that opened an episode."""
    event = opening.opening
    return event.time, f"{event.source} {event.id}"


def step(episodes: list[Episode], event: Event, district: str, directory: Directory) -> Episode | None:
    """Let the next event of a case, in order, take effect. Returns the episode that it joined, None when it opened one."""
    if not episodes or (event.__class__ is Contacted and asks_anew(episodes[-1], event)):
        episodes.append(opened_by(event, district, directory))
        return None
    episode = episodes[-1]
    episode.last_at = event.time
    take(episode, event, district, directory)
    return episode


def asks_anew(episode: Episode, contact: Event) -> bool:
    """Whether a contact opens the next episode: the first contact of all does, and one long after a resolution that stands."""
    resolved_at = None if episode.standing == UNRESOLVED else episode.last_resolved_at
    return not episode.contacted or (resolved_at is not None and contact.time - resolved_at > NEW_EPISODE_AFTER_MS)


def opened_by(event: Event, district: str, directory: Directory) -> Episode:
    """The episode that begins with `event`: a contact with its promises, or an orphan that came before any contact."""
    episode = Episode(event, 0, b"", event.time)
    if not isinstance(event, Contacted):
        take(episode, event, district, directory)
        return episode
    episode.contacted = True
    received_at = event.time
    terms = directory.terms(district, event.school, event.department, event.priority, event.audience, event.channel, received_at)
    if event.needs_reply:
        episode.waiting_since = received_at
        episode.response_warn_at = terms.response_warn(received_at)
        episode.response_due_at = terms.response_due(received_at)
    episode.resolution_warn_at = terms.resolution_warn(received_at)
    episode.resolution_due_at = terms.resolution_due(received_at)
    return episode


def take(episode: Episode, event: Event, district: str, directory: Directory) -> None:
    """Let an event that does not open the episode take effect on it."""
    match event:
        case Replied():
            if event.human and event.public:
                _reply(episode, event, district, directory)
        case Resolved():
            _resolution(episode, event, district, directory)
        case Contacted():
            _follow_up(episode, event)
        case Rated():
            _rating(episode, event)
        case _:
            assert_never(event)


def _follow_up(episode: Episode, contact: Contacted) -> None:
    """One more message. It undoes a resolution and waits for an answer when it needs one."""
    episode.messages.append((contact.time, contact.stakeholder))
    if not contact.needs_reply:
        return
    if episode.waiting_since is None:
        episode.waiting_since = contact.time
    if episode.standing != UNRESOLVED:
        episode.standing = UNRESOLVED
        episode.reopens += 1


def _reply(episode: Episode, reply: Replied, district: str, directory: Directory) -> None:
    """A public human reply: the first is the response; it ends a turn, and contests a resolution that stood."""
    episode.replies += 1
    at = reply.time
    if episode.waiting_since is not None:
        episode.turns_n += 1
        episode.turns_sum_ms += at - episode.waiting_since
        episode.waiting_since = None
    if episode.standing == HOLDS:
        episode.standing = CONTESTED
    if episode.first_response_at is None and episode.contacted:
        episode.first_response_at = at
        episode.responded_school, episode.responded_department = _own_place(episode, reply)
        episode.response_business_ms = _business_ms(episode, at, district, directory)


def _resolution(episode: Episode, resolution: Resolved, district: str, directory: Directory) -> None:
    """A resolution ends what waits, unmeasured, and holds until it is undone. One after a contested one is a reopening."""
    episode.resolutions += 1
    if episode.standing == CONTESTED:
        episode.reopens += 1
    at = episode.last_resolved_at = resolution.time
    episode.standing = HOLDS
    episode.waiting_since = None
    episode.outcome = resolution.outcome
    episode.resolved_school, episode.resolved_department = _own_place(episode, resolution)
    if episode.contacted:
        episode.resolution_business_ms = _business_ms(episode, at, district, directory)
    if episode.first_resolved_at is None:
        episode.first_resolved_at = at
        episode.first_resolution_business_ms = episode.resolution_business_ms


def _rating(episode: Episode, rating: Rated) -> None:
    """The last rating counts, on the scale from its own worst (0) to its own best (1)."""
    episode.rating = (rating.score - rating.worst) / (rating.best - rating.worst)
    episode.rated_at = rating.time


def _own_place(episode: Episode, event: Replied | Resolved) -> tuple[str, str]:
    """The school and department that an event names, '' where they are the contact's: most are, and need no memory."""
    if not episode.contacted:
        return event.school, event.department
    opening = episode.opening
    return ("" if event.school == opening.school else event.school, "" if event.department == opening.department else event.department)


def _business_ms(episode: Episode, at: int, district: str, directory: Directory) -> int:
    schedule = schedule_of(episode.opening, district, directory)
    return schedule.open_ms(at) - schedule.open_ms(episode.opening.time)


def schedule_of(contact: Event, district: str, directory: Directory) -> Schedule:
    """The schedule that an episode's durations are counted on: that of its opening contact, for good."""
    assert isinstance(contact, Contacted)  # noqa: S101 - only episodes with a contact have durations
    terms = directory.terms(district, contact.school, contact.department, contact.priority, contact.audience, contact.channel, contact.time)
    return terms.schedule


def finish(episode: Episode) -> Facts:
    """Give the facts of an episode as they stand."""
    return Facts(*facts_row(episode))


def facts_row(episode: Episode) -> tuple[Any, ...]:
    """Give the facts as a tuple in the order of `Facts`: half the time, and the rows of `cases` need no more.

    Long, because it names each.
    """
    # fmt: off
    (
        opening, _, _, _, contacted, messages, replies, resolutions, response_warn_at, response_due_at, resolution_warn_at,
        resolution_due_at, first_response_at, response_business_ms, responded_school, responded_department, turns_n, turns_sum_ms,
        waiting_since, first_resolved_at, first_resolution_business_ms, last_resolved_at, resolution_business_ms, resolved_school,
        resolved_department, outcome, standing, reopens, rating, rated_at, conflicts, _,
    ) = astuple(episode)
    # fmt: on
    opened_at, source, name, school, department, stakeholder, audience, channel, language, topic, priority, needs_reply = astuple(
        opening if contacted else NO_CONTACT
    )
    received_at = answered_at = response_ms = first_resolution_ms = resolution_ms = resolved_at = None
    if standing == UNRESOLVED:
        resolved_school = resolved_department = ""
        resolution_business_ms = None
    else:
        resolved_at = last_resolved_at
        resolved_school, resolved_department = resolved_school or school, resolved_department or department
    if first_response_at is not None:
        responded_school, responded_department = responded_school or school, responded_department or department
    if contacted:
        received_at = opened_at
        answered_at = earlier(first_response_at, first_resolved_at)
        if first_response_at is not None:
            response_ms = first_response_at - opened_at
        if first_resolved_at is not None:
            first_resolution_ms = first_resolved_at - opened_at
        if resolved_at is not None:
            resolution_ms = resolved_at - opened_at
    else:
        opened_at, source, name = opening.time, opening.source, opening.id
    # fmt: off
    return (
        opened_at, f"{source} {name}", school, department, stakeholder, audience, channel, language, topic, priority,
        1 if needs_reply else 0, status_of(episode), received_at, first_response_at, responded_school, responded_department,
        response_warn_at, response_due_at, answered_at, turns_n, turns_sum_ms, waiting_since, first_resolved_at, resolved_at,
        resolved_school, resolved_department, outcome, reopens, resolution_warn_at, resolution_due_at, rating, rated_at,
        len(messages) + contacted, replies, resolutions, response_ms, response_business_ms, first_resolution_ms,
        first_resolution_business_ms, resolution_ms, resolution_business_ms, conflicts,
    )
    # fmt: on


NO_CONTACT: Final = Contacted(0, "", "", priority="", needs_reply=False)
"""What an orphan knows of its contact."""


def status_of(episode: Episode) -> str:
    """open, answered, resolved or spam, as the last events left it."""
    if episode.standing != UNRESOLVED:
        return SPAM if episode.outcome == SPAM else RESOLVED
    return ANSWERED if episode.waiting_since is None and episode.replies else OPEN


def earlier(one: int | None, other: int | None) -> int | None:
    """The earlier of two instants, either of which may be absent."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
