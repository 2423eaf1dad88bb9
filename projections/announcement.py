"""What is announced of a promise that was not kept in time: that it is about to break, that it broke, that it is over, that it was not so.

Of an episode, each promise and each stage has one instant. It has passed when the clock is beyond it and no answer came
before: that is a pure function of the episode and the clock. What is announced is the difference between two such answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from projections.contribution import HOUR_MS, is_measured, known_at
from projections.episode import earlier, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from projections.episode import Episode

Target: TypeAlias = Literal["response", "resolution"]
Stage: TypeAlias = Literal["warning", "breach"]
State: TypeAlias = Literal["raised", "cleared", "withdrawn"]

TARGETS: Final[tuple[Target, ...]] = ("response", "resolution")
STAGES: Final[tuple[Stage, ...]] = ("warning", "breach")
STATES: Final[tuple[State, ...]] = ("raised", "cleared", "withdrawn")


class Passed(NamedTuple):
    """An instant of a promise that passed without an answer: of this episode, at this stage, at `at` ms."""

    opened_at: int
    episode: str
    target: Target
    stage: Stage
    at: int


class Announcement(Struct, frozen=True, gc=False):
    """What there is to announce of one `Passed`: where, of whom, and how it stands. Instants in ms, None where there is none."""

    district: str
    subject: str
    passed: Passed
    state: State
    school: str
    department: str
    audience: str
    channel: str
    topic: str
    priority: str
    received_at: int
    due_at: int
    ended_at: int | None
    waiting_since: int | None
    known_at: int


Standing: TypeAlias = dict[Passed, Announcement]
NOTHING: Final[Standing] = {}


def may_stand(episode: Episode, clock: int) -> bool:
    """Whether a promise may have passed its first instant, and its last one was not long over when it became known.

    Cheap, and for most events all that is asked; True may also mean: not sure.
    """
    warn_at, due_at = episode.response_warn_at, episode.response_due_at
    if warn_at is not None and warn_at < clock and due_at is not None and due_at >= known_at(episode) - HOUR_MS:
        return True
    warn_at, due_at = episode.resolution_warn_at, episode.resolution_due_at
    return warn_at is not None and warn_at < clock and due_at is not None and due_at >= known_at(episode) - HOUR_MS


def standing(district: str, subject: str, episodes: Iterable[Episode], clock: int) -> Standing:
    """All that has passed at `clock` ms: raised while no answer has come, cleared afterwards.

    Left out is what was over an hour past when the first record told of it: of an old history that is sent now, nothing is announced.
    """
    found: Standing = {}
    for episode in episodes:
        if is_measured(episode) and may_stand(episode, clock):
            since = known_at(episode) - HOUR_MS
            for target, stage, at, due_at, ended_at in _instants(episode):
                if at is not None and due_at is not None and since <= at < clock and (ended_at is None or ended_at > at):
                    passed = Passed(*key_of(episode), target, stage, at)
                    found[passed] = _announced(district, subject, passed, episode, due_at, ended_at)
    return found


def changed(before: Standing, after: Standing) -> Iterator[Announcement]:
    """What is to be announced when `before` has become `after`."""
    for passed, was in before.items():
        now = after.get(passed)
        if now is None:
            yield replace(was, state="withdrawn", ended_at=None)
        elif was.state != now.state:
            yield now
    for passed, now in after.items():
        if passed not in before:
            yield now


Instant: TypeAlias = tuple[Target, Stage, int | None, int | None, int | None]
"""Target, stage, its instant, the deadline, when it was answered after all."""


def _instants(episode: Episode) -> Sequence[Instant]:
    answered_at, settled_at = earlier(episode.first_response_at, episode.first_resolved_at), episode.first_resolved_at
    respond_by, resolve_by = episode.response_due_at, episode.resolution_due_at
    return (
        ("response", "warning", episode.response_warn_at, respond_by, answered_at),
        ("response", "breach", respond_by, respond_by, answered_at),
        ("resolution", "warning", episode.resolution_warn_at, resolve_by, settled_at),
        ("resolution", "breach", resolve_by, resolve_by, settled_at),
    )


def _announced(  # noqa: PLR0917 - the parts of one sentence
    district: str, subject: str, passed: Passed, episode: Episode, due_at: int, ended_at: int | None
) -> Announcement:
    asked = episode.opening
    return Announcement(
        district,
        subject,
        passed,
        "raised" if ended_at is None else "cleared",
        asked.school,
        asked.department,
        asked.audience,  # type: ignore[union-attr] # a measured episode was opened by a contact
        asked.channel,  # type: ignore[union-attr] # as above
        asked.topic,  # type: ignore[union-attr] # as above
        asked.priority,  # type: ignore[union-attr] # as above
        asked.time,
        due_at,
        ended_at,
        episode.waiting_since,
        known_at(episode),
    )
