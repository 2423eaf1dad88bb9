"""What becomes of the cases: who answers, how late, what follows, how it ends and what people thought of it.

Also in columns. One step of the script is one line of what an office would tell: "most of them write again once
they have an answer". Each adds entries for the cases that it concerns.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from streams.simulation.cases import CHANNELS, Cases, Flags, Indices
from streams.simulation.district import DEPARTMENTS
from streams.simulation.hours import HOUR_MS, Floats, Hours, Millis

MESSAGE, ANSWER, AUTOMATIC, NOTE, RESOLUTION, RATING = range(6)
RESOLVED, NO_ACTION, DUPLICATE, SPAM = range(4)
SAME_DEPARTMENT = -1

AUTOMATIC_CHANNELS = [CHANNELS.index(name) for name in ("web", "email", "chat")]
IMMEDIATE_CHANNELS = [CHANNELS.index(name) for name in ("phone", "chat", "walk_in")]

AUTOMATIC_SHARE = 0.5
ANSWERED_SHARE = 0.95
OTHER_DEPARTMENT_SHARE = 0.09
NOTE_SHARE = 0.16
FOLLOW_UP_SHARE = 0.6
SECOND_FOLLOW_UP_SHARE = 0.4
REPLY_TO_FOLLOW_UP_SHARE = 0.95
RESOLVED_SHARE = 0.92
CLOSED_UNANSWERED_SHARE = 0.3
THANKS_SHARE = 0.08
REOPENED_SHARE = 0.065
RESOLVED_AGAIN_SHARE = 0.9
RATED_SHARE = 0.3
PRIORITY_PACE = np.array([1.0, 0.4, 0.2])
IMMEDIATE_PACE = 0.15
DELAY_SPREAD = 1.1
RATING_SPREAD = 1.15


@dataclass(frozen=True, slots=True)
class Happenings:
    """One entry an event: time in ms, index of its case, what it is, who did it (-1: the case's own department), and a number.

    The number is `needs_reply` of a message, the outcome of a resolution and the score (1..5) of a rating.
    """

    time: Millis
    case: Indices
    what: Indices
    department: Indices
    number: Indices


@dataclass(slots=True)
class _Script:
    parts: list[tuple[Millis, Indices, Indices, Indices, Indices]] = field(default_factory=list)

    def add(
        self, concerned: Flags, time: Millis, what: int, number: Indices | int = 0, department: Indices | int = SAME_DEPARTMENT
    ) -> None:
        case = np.flatnonzero(concerned)
        self.parts.append((time[case], case, np.full(len(case), what), _of(department, case), _of(number, case)))

    def happenings(self) -> Happenings:
        return Happenings(*(np.concatenate(columns) for columns in zip(*self.parts, strict=True)))


def _of(value: Indices | int, case: Indices) -> Indices:
    return np.full(len(case), value) if isinstance(value, int) else value[case]


def converse(cases: Cases, office: Hours, awake: Hours, rng: Generator) -> Happenings:
    """Every event of the cases, also those of later days. Long, because it is one script: each step needs the times of those before."""
    n = len(cases)
    script = _Script()

    def chance(share: float) -> Flags:
        return rng.random(n) < share

    def delay(median_h: Floats | float) -> Floats:
        return median_h * rng.lognormal(0.0, DELAY_SPREAD, n) * HOUR_MS

    real, answer_h, resolve_h = ~cases.spam, _pace(cases), _column("resolve_h")[cases.department]
    script.add(np.ones(n, dtype=np.bool_), cases.opened, MESSAGE, cases.needs_reply.astype(np.int64))
    script.add(
        real & chance(AUTOMATIC_SHARE) & np.isin(cases.channel, AUTOMATIC_CHANNELS),
        cases.opened + rng.integers(2_000, 60_000, n),
        AUTOMATIC,
    )
    # somebody answers, at times from another department; before that some write notes for each other
    answered = real & cases.needs_reply & chance(ANSWERED_SHARE)
    by = np.where(
        chance(OTHER_DEPARTMENT_SHARE), (cases.department + rng.integers(1, len(DEPARTMENTS), n)) % len(DEPARTMENTS), SAME_DEPARTMENT
    )
    first = last = office.after(cases.opened, delay(answer_h))
    script.add(answered, first, ANSWER, department=by)
    script.add(answered & chance(NOTE_SHARE), cases.opened + ((first - cases.opened) * rng.random(n)).astype(np.int64), NOTE, department=by)
    # most of them write again, some twice
    asking = answered
    for share in (FOLLOW_UP_SHARE, SECOND_FOLLOW_UP_SHARE):
        asking = asking & chance(share)
        message = awake.after(last, delay(1.5))
        script.add(asking, message, MESSAGE, 1)
        asking = asking & chance(REPLY_TO_FOLLOW_UP_SHARE)
        reply = office.after(message, delay(answer_h * 0.7))
        script.add(asking, reply, ANSWER, department=by)
        last = np.where(asking, reply, last)
    # most are settled, a few without an answer
    resolved = real & np.where(answered, chance(RESOLVED_SHARE), chance(CLOSED_UNANSWERED_SHARE))
    outcome = np.where(answered, np.where(chance(0.06), NO_ACTION, np.where(chance(0.03), DUPLICATE, RESOLVED)), NO_ACTION)
    settled = office.after(np.where(answered, last, cases.opened), delay(resolve_h))
    script.add(resolved, settled, RESOLUTION, outcome, by)
    script.add(cases.spam, office.after(cases.opened, delay(2.0)), RESOLUTION, SPAM)
    script.add(resolved & answered & chance(THANKS_SHARE), awake.after(settled, delay(0.7)), MESSAGE, 0)
    # and some were not settled after all
    reopened = resolved & answered & chance(REOPENED_SHARE)
    again = awake.after(settled, delay(9.0))
    reply = office.after(again, delay(answer_h))
    script.add(reopened, again, MESSAGE, 1)
    script.add(reopened, reply, ANSWER, department=by)
    resolved_again = reopened & chance(RESOLVED_AGAIN_SHARE)
    end = office.after(reply, delay(resolve_h * 0.5))
    script.add(resolved_again, end, RESOLUTION, RESOLVED, by)
    # not everybody says how it was
    end = np.where(resolved_again, end, settled)
    script.add(
        resolved & answered & (~reopened | resolved_again) & chance(RATED_SHARE),
        awake.after(end, delay(3.0)),
        RATING,
        _scores(cases, first, reopened, rng),
    )
    return script.happenings()


def _pace(cases: Cases) -> Floats:
    """Median working hours to an answer."""
    immediate = np.where(np.isin(cases.channel, IMMEDIATE_CHANNELS), IMMEDIATE_PACE, 1.0)
    pace: Floats = _column("answer_h")[cases.department] * PRIORITY_PACE[cases.priority] * immediate
    return pace


def _scores(cases: Cases, first: Millis, reopened: Flags, rng: Generator) -> Indices:
    """1..5: the department's habit, less for every doubling of the wait beyond eight hours and for having to ask again."""
    waited_h = np.maximum((first - cases.opened) / HOUR_MS, 8.0)
    content = _column("rating")[cases.department] + 0.4 - 0.25 * np.log2(waited_h / 8.0) - 0.8 * reopened
    return np.clip(np.rint(content + rng.normal(0.0, RATING_SPREAD, len(cases))), 1, 5).astype(np.int64)


def _column(name: str) -> Floats:
    return np.array([getattr(department, name) for department in DEPARTMENTS], dtype=np.float64)
