"""The whole story of a case, once more from the rules alone: who owned it, who was waited for, which promises were made and kept.

Slow and plain: each fact is asked of the ordered list of events, and business time is counted minute by minute of the wall clock.
Nothing of `projections` or of `events` is used, so what agrees with it was worked out twice. Instants are milliseconds since the epoch.
The rules are told in words beside each question; what the words leave open is decided here and nowhere else.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ASKS_ANEW_AFTER = 14 * DAY
TWO_CLOCKS = 2 * MINUTE
"""How much earlier than the first contact a public human reply may be stamped."""
NEVER_AFTER = 366 * DAY
"""What is not reached within a year, nobody having closed anything, is never reached."""
LIVE = ("phone", "walk_in", "chat")
LEVELS = ("routine", "urgent", "critical")
NOT_COUNTED = ("spam", "duplicate")


# -- what may happen --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Contacted:
    """A stakeholder's message; '' for what is absent, here and below."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    stakeholder: str = ""
    audience: str = ""
    channel: str = ""
    language: str = ""
    topic: str = ""
    priority: str = "routine"
    needs_reply: bool = True
    revision: int = 0
    retracted: bool = False


@dataclass(frozen=True)
class Changed:
    """Something about the question became different."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    priority: str = ""
    topic: str = ""
    audience: str = ""
    language: str = ""
    waiting_on: str = ""
    author: str = ""
    human: bool = True
    revision: int = 0
    retracted: bool = False


@dataclass(frozen=True)
class Replied:
    """An answer, or a note."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    author: str = ""
    human: bool = True
    public: bool = True
    awaits: str = ""
    language: str = ""
    revision: int = 0
    retracted: bool = False


@dataclass(frozen=True)
class Resolved:
    """The question is settled."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    outcome: str = "resolved"
    author: str = ""
    human: bool = True
    duplicate_of: str = ""
    revision: int = 0
    retracted: bool = False


@dataclass(frozen=True)
class Rated:
    """What the stakeholder thought of it. `settled` is yes, no or ''; `effort` is 0 where it is not said."""

    time: int
    source: str
    id: str
    school: str = ""
    department: str = ""
    score: float = 0.0
    worst: float = 1.0
    best: float = 5.0
    scored: bool = True
    settled: str = ""
    categories: tuple[str, ...] = ()
    effort: int = 0
    revision: int = 0
    retracted: bool = False


Event = Contacted | Changed | Replied | Resolved | Rated
IN_ORDER = (Contacted, Changed, Replied, Resolved, Rated)
"""Which goes first at one instant."""


def kind(event: Event) -> int:
    return IN_ORDER.index(type(event))


def in_order(event: Event) -> tuple[int, int, str, str]:
    return event.time, kind(event), event.source, event.id


def is_answer(event: Event) -> bool:
    """A public reply by a human."""
    return isinstance(event, Replied) and event.human and event.public


def asks(event: Event) -> bool:
    return isinstance(event, Contacted) and event.needs_reply


# -- where, when, and what is promised --------------------------------------------------------------------------------
Place = tuple[str, str]
"""School and department."""
Target = tuple[int, str]
"""Milliseconds, and the clock that they run on: business or calendar."""


class Directory(Protocol):
    """What a directory is asked. `at` is when the question was received: hours and targets in force then count for good."""

    def named(self, place: Place) -> Place:
        """The place by its present name."""

    def target(self, promise: str, place: Place, contact: Contacted, priority: str) -> Target | None:
        """What is promised (response, next_reply, resolution) to a contact like this one, at a place and a priority."""

    def open_minutes(self, place: Place, day: int, at: int) -> tuple[int, ...]:
        """The minutes of a day of UTC (its number since the epoch) that are open."""

    def pauses(self) -> tuple[str, ...]:
        """For whom the resolution clock stands."""


Hours = dict[int, list[str]]
"""Weekday, Monday 0, to intervals such as 08:00-16:00."""


@dataclass(frozen=True, eq=False)
class PlainDirectory:
    """A small directory as data. Targets by (promise, priority); hours by place where a place has its own."""

    targets: dict[tuple[str, str], Target]
    hours: Hours
    zone: str = "America/Chicago"
    own_hours: dict[Place, Hours] = field(default_factory=dict)
    closed: frozenset[date] = frozenset()
    aliases: dict[str, str] = field(default_factory=dict)
    also_pauses: tuple[str, ...] = ()

    def named(self, place: Place) -> Place:
        school, department = place
        return self.aliases.get(school, school), self.aliases.get(department, department)

    def target(self, promise: str, place: Place, contact: Contacted, priority: str) -> Target | None:  # noqa: ARG002 - one for all places
        found = self.targets.get((promise, priority))
        return self.targets.get(("response", priority)) if found is None and promise == "next_reply" else found

    def open_minutes(self, place: Place, day: int, at: int) -> tuple[int, ...]:  # noqa: ARG002 - it has one version of its hours
        return self._minutes(place if place in self.own_hours else ("", ""), day)

    @lru_cache(maxsize=4096)  # noqa: B019 - a directory of a test lives as long as the test
    def _minutes(self, place: Place, day: int) -> tuple[int, ...]:
        return tuple(minute for minute in range(24 * 60) if self._is_open(place, day * DAY + minute * MINUTE))

    def pauses(self) -> tuple[str, ...]:
        return ("stakeholder", *self.also_pauses)

    def _is_open(self, place: Place, instant: int) -> bool:
        wall = datetime.fromtimestamp(instant / 1000, UTC).astimezone(ZoneInfo(self.zone))
        if wall.date() in self.closed:
            return False
        hours = self.own_hours.get(place, self.hours).get(wall.weekday(), [])
        return any(opens <= f"{wall:%H:%M}" < closes for opens, closes in (interval.split("-") for interval in hours))


def open_times(directory: Directory, place: Place, begins: int, ends: int, at: int) -> Iterator[tuple[int, int]]:
    """Yield what is open between two instants: minutes, of which the first and the last may be cut."""
    for day in range(begins // DAY, (ends - 1) // DAY + 1):
        for minute in directory.open_minutes(place, day, at):
            opens = max(begins, day * DAY + minute * MINUTE)
            closes = min(ends, day * DAY + (minute + 1) * MINUTE)
            if opens < closes:
                yield opens, closes


def open_between(directory: Directory, place: Place, begins: int, ends: int, at: int) -> int:
    """How much of the time between two instants is open, in ms."""
    return sum(closes - opens for opens, closes in open_times(directory, place, begins, ends, at))


# -- the set ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Set:
    """What counts of all that was told, in order; what was retracted; and the names that one revision told in several ways."""

    happened: list[Event]
    retracted: list[Event]
    contested: set[tuple[str, str]]


def the_set(events: Iterable[Event]) -> Set:
    """Of each (source, id) the content with the highest revision counts, among equal ones the least (time, kind, fields)."""
    told: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        told.setdefault((event.source, event.id), []).append(event)
    counting, contested = [], set()
    for name, contents in told.items():
        highest = max(event.revision for event in contents)
        latest = {event for event in contents if event.revision == highest}
        counting.append(min(latest, key=lambda event: (event.time, kind(event), astuple(event))))
        if len(latest) > 1:
            contested.add(name)
    happened = with_one_clock([event for event in counting if not event.retracted])
    retracted = [event for event in counting if event.retracted]
    return Set(sorted(happened, key=in_order), sorted(retracted, key=in_order), contested)


def with_one_clock(events: list[Event]) -> list[Event]:
    """A public human reply at most two minutes before the first contact of its case counts as at the contact."""
    first = min((event.time for event in events if isinstance(event, Contacted)), default=None)
    if first is None:
        return events
    return [replace(event, time=first) if is_answer(event) and first - TWO_CLOCKS <= event.time < first else event for event in events]


def by_present_names(event: Event, directory: Directory) -> Event:
    school, department = directory.named((event.school, event.department))
    return replace(event, school=school, department=department)


# -- resolutions ------------------------------------------------------------------------------------------------------
@dataclass
class Settling:
    """The question became resolved, by the event with this number; a contact undid it, or a human replied and it was resolved again."""

    number: int
    undone_by: int | None = None
    contested: bool = False
    resolved_again: bool = False


def settlings(events: Sequence[Event]) -> list[Settling]:
    """Each time that the question became resolved. A resolution while another holds is none of these: it changes only the outcome."""
    found: list[Settling] = []
    for number, event in enumerate(events):
        now = found[-1] if found and found[-1].undone_by is None else None
        if isinstance(event, Resolved) and now is None:
            found.append(Settling(number))
        elif isinstance(event, Resolved) and now is not None and now.contested:
            now.resolved_again = True
            found.append(Settling(number))
        elif is_answer(event) and now is not None:
            now.contested = True
        elif asks(event) and now is not None:
            now.undone_by = number
    return found


def standing(events: Sequence[Event]) -> Settling | None:
    """The resolution that stands, if one does."""
    found = settlings(events)
    return found[-1] if found and found[-1].undone_by is None else None


def in_episodes(events: Sequence[Event]) -> list[list[Event]]:
    """Cut where a contact asks something new: the first of all, and one more than 14 days after a resolution that stands."""
    episodes: list[list[Event]] = []
    for event in events:
        if not episodes or (isinstance(event, Contacted) and asks_anew(episodes[-1], event)):
            episodes.append([])
        episodes[-1].append(event)
    return episodes


def asks_anew(episode: Sequence[Event], contact: Contacted) -> bool:
    stands = standing(episode)
    is_long_settled = stands is not None and contact.time - episode[stands.number].time > ASKS_ANEW_AFTER
    return not isinstance(episode[0], Contacted) or is_long_settled


# -- owner and waiting ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Leg:
    """A place had the question from then to then; `ends` is None for the one that has it still."""

    place: Place
    begins: int
    ends: int | None


def legs_of(events: Sequence[Event]) -> list[Leg]:
    """A question belongs to the place of its opening contact until a change hands it to another."""
    first = events[0]
    owners = [((first.school, first.department), first.time)]
    for event in events[1:]:
        if isinstance(event, Changed):
            school, department = owners[-1][0]
            handed_to = event.school or school, event.department or department
            if handed_to != owners[-1][0]:
                owners.append((handed_to, event.time))
    ends: list[int | None] = [begins for _, begins in owners[1:]]
    return [Leg(place, begins, end) for (place, begins), end in zip(owners, [*ends, None], strict=True)]


def owner_of(events: Sequence[Event]) -> Place:
    return legs_of(events)[-1].place


@dataclass(frozen=True)
class Wait:
    """The ball was with somebody else."""

    who: str
    begins: int
    ends: int | None


def waits_of(events: Sequence[Event]) -> list[Wait]:
    """Any contact brings the ball back, a resolution ends the waiting, and while one stands nobody is waited for."""
    holders = [("district", events[0].time)]
    for number, event in enumerate(events):
        said = ""
        if isinstance(event, Contacted | Resolved):
            said = "district"
        elif standing(events[:number]) is None:
            said = event.awaits if isinstance(event, Replied) else event.waiting_on if isinstance(event, Changed) else ""
        if said and said != holders[-1][0]:
            holders.append((said, event.time))
    ends: list[int | None] = [begins for _, begins in holders[1:]]
    waits = [Wait(who, begins, end) for (who, begins), end in zip(holders, [*ends, None], strict=True)]
    return [wait for wait in waits if wait.who != "district"]


# -- clocks -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Question:
    """The events of an episode that a contact opened, up to some moment: whoever owns it then goes on, and so does a pause."""

    events: Sequence[Event]
    directory: Directory

    @property
    def contact(self) -> Contacted:
        first = self.events[0]
        assert isinstance(first, Contacted)
        return first

    def up_to(self, number: int) -> Question:
        """As it was known when the event with this number had happened."""
        return Question(self.events[: number + 1], self.directory)

    def pauses(self) -> list[Wait]:
        """When the resolution clock stood."""
        return [wait for wait in waits_of(self.events) if wait.who in self.directory.pauses()]

    def stretches(self, begins: int, *, stands: bool) -> list[tuple[int, int | None, Place, bool]]:
        """From an instant on: (from, to, owner, whether the clock runs); `stands` for the clock that stands in pauses."""
        legs, pauses = legs_of(self.events), self.pauses() if stands else []
        cuts = {begins}
        cuts.update(leg.begins for leg in legs)
        cuts.update(pause.begins for pause in pauses)
        cuts.update(pause.ends for pause in pauses if pause.ends is not None)
        after = sorted(cut for cut in cuts if cut >= begins)
        found = []
        for at, until in pairwise([*after, None]):
            assert at is not None
            place = [leg.place for leg in legs if leg.begins <= at][-1]
            paused = any(pause.begins <= at and (pause.ends is None or at < pause.ends) for pause in pauses)
            found.append((at, until, place, not paused))
        return found

    def lasted(self, begins: int, ends: int, *, clock: str, stands: bool = False) -> int:
        """Time between two instants on a clock: business time is that of whoever owned the question then."""
        total = 0
        for at, until, place, runs in self.stretches(begins, stands=stands):
            to = ends if until is None else min(until, ends)
            if runs and at < to:
                total += to - at if clock == "calendar" else open_between(self.directory, place, at, to, self.contact.time)
        return total

    def reached(self, begins: int, ms: int, *, clock: str, stands: bool) -> int | None:
        """The first instant at which so much time has passed; None where the clock stands and nobody knows."""
        left = ms
        for at, until, place, runs in self.stretches(begins, stands=stands):
            if not runs:
                continue
            last = at + NEVER_AFTER if until is None else until
            if clock == "calendar":
                if left <= last - at:
                    return at + left
                left -= last - at
                continue
            for opens, closes in open_times(self.directory, place, at, last, self.contact.time):
                if left <= closes - opens:
                    return opens + left
                left -= closes - opens
        return None


# -- promises ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Promise:
    """`how` it ended: reply, live (a resolution on the telephone), resolution, automatic; '' while it is open.

    `place` is where it counts as due, kept or missed: whoever had the question longest until the deadline.
    """

    name: str
    began_at: int
    warn_at: int | None
    due_at: int | None
    ended_at: int | None
    how: str
    place: Place | None

    def state(self, clock: int) -> str:
        """kept, missed, neither, open, or none where nothing is promised (or the clock stands)."""
        if self.ended_at is None:
            return "none" if self.due_at is None else "missed" if self.due_at < clock else "open"
        if self.due_at is None:
            return "none"
        if self.how == "automatic" and self.name != "resolution":
            return "missed" if self.due_at < self.ended_at else "neither"
        return "kept" if self.ended_at <= self.due_at else "missed"


def priorities(events: Sequence[Event]) -> list[str]:
    """After each event: the opening contact's, raised by a later contact whose own is higher, set by a change."""
    found: list[str] = []
    for event in events:
        now = found[-1] if found else ""
        if isinstance(event, Contacted):
            now = event.priority if not now or LEVELS.index(event.priority) > LEVELS.index(now) else now
        elif isinstance(event, Changed) and event.priority:
            now = event.priority
        found.append(now)
    return found


def promise_of(question: Question, name: str, begins: int, ends: int | None, how: str) -> Promise:
    """A promise made by the event with the number `begins` and ended by the one with the number `ends`.

    The target is that of the place that owned the question when it was made. Raised at t, it is due at the earlier of its old
    instant and t + the new target; lowered, at what the new target gives from its beginning; once passed, it stays so.
    """
    events, stands = question.events, name == "resolution"
    began_at = events[begins].time
    levels, place = priorities(events), owner_of(events[: begins + 1])
    wanted = [(began_at, question.directory.target(name, place, question.contact, levels[begins]))]
    last = len(events) - 1 if ends is None else ends
    for number in range(begins + 1, last + 1):
        before, after, at = levels[number - 1], levels[number], events[number].time
        if before == after:
            continue
        due_at, _ = earliest(question.up_to(number - 1), wanted, stands=stands)
        if due_at is not None and due_at < at:
            break
        target = question.directory.target(name, place, question.contact, after)
        if LEVELS.index(after) > LEVELS.index(before):
            wanted.append((at, target))
        else:
            wanted = [(began_at, target)]
    known = question.up_to(last)
    due_at, warn_at = earliest(known, wanted, stands=stands)
    blamed = None if due_at is None else had_it_longest(known, began_at, due_at)
    return Promise(name, began_at, warn_at, due_at, None if ends is None else events[ends].time, how, blamed)


def earliest(question: Question, wanted: list[tuple[int, Target | None]], *, stands: bool) -> tuple[int | None, int | None]:
    """When the first of these targets is reached, and when four fifths of that one are."""
    found = []
    for begins, target in wanted:
        if target is None:
            continue
        ms, clock = target
        due_at = question.reached(begins, ms, clock=clock, stands=stands)
        if due_at is not None:
            found.append((due_at, question.reached(begins, ms * 8 // 10, clock=clock, stands=stands)))
    return min(found, key=lambda pair: pair[0]) if found else (None, None)


def had_it_longest(question: Question, begins: int, ends: int) -> Place:
    """Whoever owned the question longest between two instants, on the calendar; of equals the last."""
    owned: dict[Place, int] = {}
    for leg in legs_of(question.events):
        if leg.begins <= ends:
            spent = max(0, (ends if leg.ends is None else min(leg.ends, ends)) - max(leg.begins, begins))
            owned[leg.place] = owned.pop(leg.place, 0) + spent  # put behind the others: it had it last
    longest = max(owned.values())
    return [place for place, spent in owned.items() if spent == longest][-1]


# -- turns ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Turn:
    """Somebody waited for an answer. Measured, in ms on both clocks, where a human gave one; `place` is where it ended."""

    promise: Promise
    ms: int | None = None
    business_ms: int | None = None
    place: Place | None = None


def turns_of(question: Question) -> list[Turn]:
    """From the oldest unanswered contact that needs a reply to the next public human reply, or a resolution.

    Until a human has ended one, each is owed a response; after that a next reply.
    """
    found: list[Turn] = []
    begins: int | None = None
    for number, event in enumerate(question.events):
        if asks(event) and begins is None:
            begins = number
        how = how_it_ends(question.events, number)
        if how and begins is not None:
            found.append(turn(question, found, begins, number, how))
            begins = None
    if begins is not None:
        found.append(turn(question, found, begins, None, ""))
    return found


def how_it_ends(events: Sequence[Event], number: int) -> str:
    """Which end this event makes of a turn: '' for none."""
    event = events[number]
    if is_answer(event):
        return "reply"
    if not isinstance(event, Resolved):
        return ""
    if not event.human:
        return "automatic"
    return "live" if is_live(events, number) and event.outcome == "resolved" else "resolution"


def is_live(events: Sequence[Event], number: int) -> bool:
    """Whether the last contact before an event came by telephone, at the counter or in a chat: somebody was there and listened."""
    contacts = [event for event in events[:number] if isinstance(event, Contacted)]
    return bool(contacts) and contacts[-1].channel in LIVE


def turn(question: Question, before: list[Turn], begins: int, ends: int | None, how: str) -> Turn:
    dealt_with = any(other.promise.how in {"reply", "live", "resolution"} for other in before)
    promise = promise_of(question, "next_reply" if dealt_with else "response", begins, ends, how)
    if ends is None or how not in {"reply", "live"}:
        return Turn(promise)
    began_at, ended_at = promise.began_at, question.events[ends].time
    business_ms = question.lasted(began_at, ended_at, clock="business")
    return Turn(promise, ended_at - began_at, business_ms, place_named(question.events, ends))


def place_named(events: Sequence[Event], number: int) -> Place:
    """Where a reply, resolution or rating counts: what it names, else the owner's."""
    school, department = owner_of(events[: number + 1])
    return events[number].school or school, events[number].department or department


# -- the story --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Span:
    """A time on both clocks, ms."""

    ms: int = 0
    business_ms: int = 0


@dataclass(frozen=True)
class Story:
    """All that is known of an episode; most of it says nothing about one that no contact opened."""

    opened_at: int
    episode: str
    contacts: int
    replies: int
    resolutions: int
    reopens: int
    conflicts: int
    retracted: int
    status: str
    outcome: str
    duplicate_of: str
    received_at: int | None = None
    contact: Contacted | None = None
    """As the changes left it: priority, topic, audience, language. Its place is that of the opening contact."""
    owner: Place = ("", "")
    legs: tuple[Leg, ...] = ()
    """Up to the resolution, where one stands."""
    hand_offs: int = 0
    turns: tuple[Turn, ...] = ()
    waiting_since: int | None = None
    response: Turn | None = None
    resolution: Promise | None = None
    first_resolved_at: int | None = None
    resolved_at: int | None = None
    resolved_by: str = ""
    resolved_place: Place | None = None
    whole: Span | None = None
    """From the opening contact to the resolution that stands; `ours` of it the clock ran, `paused` it stood."""
    ours: Span | None = None
    paused: Span = Span()
    waited: tuple[tuple[str, Span], ...] = ()
    """For whom, how long, as far as it is over (or the question is resolved)."""
    waiting_on: str = "district"
    waiting_on_since: int | None = None
    thought_settled: Span = Span()
    closed_unanswered: bool = False
    closed_automatically: bool = False
    at_first_contact: bool | None = None
    """Settled with one answer, by whoever got it first, for good; decided 14 days after the resolution."""
    rating: float | None = None
    rated_at: int | None = None
    rated_place: Place | None = None
    settled: str = ""
    categories: tuple[str, ...] = ()
    effort: int = 0
    is_question: bool = False
    """Whether it is in the numbers: no orphan, no spam, no duplicate."""
    has_messages: bool = False
    """Whether its messages and people are: a duplicate's are, too."""

    def leg_ms(self, directory: Directory, until: int) -> list[Span]:
        """How long each owner had it, up to an instant at most."""
        spans = []
        for leg in self.legs:
            ends = until if leg.ends is None else min(leg.ends, until)
            spans.append(Span(ends - leg.begins, open_between(directory, leg.place, leg.begins, ends, self.opened_at)))
        return spans


def stories(events: Iterable[Event], directory: Directory) -> list[Story]:
    """The story of each episode of one case, from its events in any order and any number of times."""
    told = the_set(events)
    episodes = in_episodes([by_present_names(event, directory) for event in told.happened])
    found = []
    for number, episode in enumerate(episodes):
        begins = None if number == 0 else in_order(episode[0])
        ends = in_order(episodes[number + 1][0]) if number + 1 < len(episodes) else None
        retracted = [e for e in told.retracted if (begins is None or begins <= in_order(e)) and (ends is None or in_order(e) < ends)]
        conflicts = sum((event.source, event.id) in told.contested for event in episode)
        found.append(described(episode, directory, conflicts, len(retracted)))
    return found


def described(events: list[Event], directory: Directory, conflicts: int, retracted: int) -> Story:
    first = events[0]
    resolutions = [event for event in events if isinstance(event, Resolved)]
    outcome = resolutions[-1].outcome if resolutions else ""
    stands = standing(events)
    known = Story(
        opened_at=first.time,
        episode=f"{first.source} {first.id}",
        contacts=sum(isinstance(event, Contacted) for event in events),
        replies=sum(map(is_answer, events)),
        resolutions=len(resolutions),
        reopens=sum(settling.undone_by is not None or settling.resolved_again for settling in settlings(events)),
        conflicts=conflicts,
        retracted=retracted,
        status=status_of(events, outcome),
        outcome=outcome,
        duplicate_of=resolutions[-1].duplicate_of if resolutions else "",
        owner=owner_of(events) if isinstance(first, Contacted) else ("", ""),
        resolved_at=None if stands is None else events[stands.number].time,
        first_resolved_at=resolutions[0].time if resolutions else None,
    )
    known = with_ratings(known, events)
    if not isinstance(first, Contacted):
        return known
    holds = stands is not None
    known = replace(
        known,
        received_at=first.time,
        contact=as_changed(events),
        is_question=not (holds and outcome in NOT_COUNTED),
        has_messages=not (holds and outcome == "spam"),
    )
    return with_times(with_turns(known, Question(events, directory)), Question(events, directory))


def status_of(events: Sequence[Event], outcome: str) -> str:
    if standing(events) is not None:
        return "spam" if outcome == "spam" else "resolved"
    waits = False
    for event in events:
        waits = asks(event) or (waits and not is_answer(event) and not isinstance(event, Resolved))
    return "answered" if any(map(is_answer, events)) and not waits else "open"


def as_changed(events: Sequence[Event]) -> Contacted:
    """The opening contact with what later changes say of it, member by member."""
    contact = events[0]
    assert isinstance(contact, Contacted)
    for event in events:
        if isinstance(event, Changed):
            contact = replace(
                contact,
                topic=event.topic or contact.topic,
                audience=event.audience or contact.audience,
                language=event.language or contact.language,
            )
    return replace(contact, priority=priorities(events)[-1])


def with_turns(story: Story, question: Question) -> Story:
    turns = turns_of(question)
    numbers = [number for number, event in enumerate(question.events) if isinstance(event, Resolved)]
    first = numbers[0] if numbers else None
    return replace(
        story,
        turns=tuple(turns),
        waiting_since=turns[-1].promise.began_at if turns and turns[-1].promise.ended_at is None else None,
        response=next((turn for turn in turns if turn.ms is not None), None),
        resolution=promise_of(question, "resolution", 0, first, "" if first is None else "resolution"),
    )


def with_times(story: Story, question: Question) -> Story:
    """How long it took, who had it, how long it stood, and how it was closed."""
    events, stands = question.events, standing(question.events)
    life = question if stands is None else question.up_to(stands.number)
    legs = [replace(leg, ends=story.resolved_at if leg.ends is None else leg.ends) for leg in legs_of(life.events)]
    waits = waits_of(life.events)
    over = [wait for wait in waits if wait.ends is not None]
    waited = [(who, added(life, [(w.begins, w.ends) for w in over if w.who == who])) for who in ("stakeholder", "third_party")]
    paused = added(life, [(wait.begins, wait.ends) for wait in over if wait.who in question.directory.pauses()])
    undone = [
        (events[settling.number].time, events[settling.undone_by].time) for settling in settlings(events) if settling.undone_by is not None
    ]
    open_wait = next((wait for wait in waits if wait.ends is None), None)
    known = replace(
        story,
        legs=tuple(legs),
        hand_offs=len(legs) - 1,
        waited=tuple(waited),
        paused=paused,
        waiting_on=open_wait.who if open_wait else "district",
        waiting_on_since=open_wait.begins if open_wait else None,
        thought_settled=added(question, undone),
    )
    return known if stands is None else with_resolution(known, question, stands)


def added(question: Question, times: Sequence[tuple[int, int | None]]) -> Span:
    """These times, all over, on both clocks."""
    known = [(begins, ends) for begins, ends in times if ends is not None]
    return Span(
        sum(question.lasted(begins, ends, clock="calendar") for begins, ends in known),
        sum(question.lasted(begins, ends, clock="business") for begins, ends in known),
    )


def with_resolution(story: Story, question: Question, stands: Settling) -> Story:
    events = question.events
    resolution = events[stands.number]
    assert isinstance(resolution, Resolved)
    life, begins, ends = question.up_to(stands.number), events[0].time, resolution.time
    spoke = story.replies > 0 or any(
        isinstance(event, Resolved) and event.human and is_live(events, number) for number, event in enumerate(events)
    )
    answers = story.replies + sum(turn.promise.how == "live" for turn in story.turns)
    return replace(
        story,
        resolved_by="human" if resolution.human else "automatic",
        resolved_place=place_named(events, stands.number),
        whole=Span(life.lasted(begins, ends, clock="calendar"), life.lasted(begins, ends, clock="business")),
        ours=Span(life.lasted(begins, ends, clock="calendar", stands=True), life.lasted(begins, ends, clock="business", stands=True)),
        closed_unanswered=story.is_question and resolution.human and not spoke,
        closed_automatically=story.is_question and not resolution.human and not spoke,
        at_first_contact=answers == 1 and story.hand_offs == 0 and story.reopens == 0,
    )


def with_ratings(story: Story, events: Sequence[Event]) -> Story:
    """Each thing that a rating may say is that of the last one that says it; the score counts where it was last answered or resolved."""
    for number, event in enumerate(events):
        if not isinstance(event, Rated):
            continue
        if event.scored:
            rating = (event.score - event.worst) / (event.best - event.worst)
            story = replace(story, rating=rating, rated_at=event.time, rated_place=place_of_rating(events, number))
        story = replace(
            story,
            settled=event.settled or story.settled,
            categories=event.categories or story.categories,
            effort=event.effort or story.effort,
        )
    return story


def place_of_rating(events: Sequence[Event], number: int) -> Place | None:
    if not isinstance(events[0], Contacted):
        return None
    became_resolved = {settling.number for settling in settlings(events)}
    served = [i for i in range(number) if is_answer(events[i]) or i in became_resolved]
    return place_named(events, served[-1]) if served else owner_of(events[: number + 1])
