"""The thirty scenarios of a case's whole story, as data: what happened, what is to be known at which moment.

Hours are Mon-Fri 08:00-16:00 in Chicago, and 5 October 2026 is a Monday. Routine: 8 business hours to the response and to each next
reply, 24 to the resolution; critical: 2 and 4. `at("Mon 08:00")` is in the week of that Monday. What is expected is told by name:
tests/unit/test_story_oracle.py says what each name is in the oracle's terms, and other surfaces may say it in their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from tests.oracles.story import HOUR, MINUTE, Changed, Contacted, PlainDirectory, Rated, Replied, Resolved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.oracles.story import Event

CHICAGO = ZoneInfo("America/Chicago")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SOURCE = "/riverside/helpdesk"
H = HOUR
MIN = MINUTE
DAY = 24 * H

WEEKDAYS = {day: ["08:00-16:00"] for day in range(5)}
TARGETS = {
    ("response", "routine"): (8 * H, "business"),
    ("resolution", "routine"): (24 * H, "business"),
    ("response", "critical"): (2 * H, "business"),
    ("resolution", "critical"): (4 * H, "business"),
}
USUAL = PlainDirectory(TARGETS, WEEKDAYS)
RESOLVED_IN_A_DAY = replace(USUAL, targets={**TARGETS, ("resolution", "routine"): (8 * H, "business")})
OPEN_LATE = replace(USUAL, own_hours={("", "evening"): {day: ["08:00-18:00"] for day in range(5)}})
CLOSED_ON_THE_12TH = replace(USUAL, closed=frozenset({date(2026, 10, 12)}))
CLOSED_IN_SUMMER = replace(
    USUAL, closed=frozenset(date.fromordinal(day) for day in range(date(2026, 6, 8).toordinal(), date(2026, 8, 10).toordinal()))
)
RENAMED = replace(USUAL, aliases={"bus": "transportation"})

_numbers = count(1)
Told = TypeVar("Told", Contacted, Changed, Replied, Resolved, Rated)


def at(text: str) -> int:
    """`Mon 08:00` of the week of 5 October 2026, or `2026-10-15 09:00`, in Chicago, as ms since the epoch."""
    day, clock = text.split(" ")
    written = f"2026-10-{5 + DAYS.index(day):02}" if day in DAYS else day
    return int(datetime.fromisoformat(f"{written} {clock}").replace(tzinfo=CHICAGO).timestamp() * 1000)


def _told(record: type[Told], when: str | int, fields: dict[str, Any]) -> Told:
    name = fields.pop("id", f"{record.__name__.lower()}-{next(_numbers)}")
    return record(when if isinstance(when, int) else at(when), SOURCE, name, **fields)


def contact(when: str | int, **fields: Any) -> Event:
    return _told(Contacted, when, {"stakeholder": "s-1", "channel": "web", **fields})


def reply(when: str | int, **fields: Any) -> Event:
    return _told(Replied, when, fields)


def receipt(when: str | int) -> Event:
    """An automatic reply."""
    return reply(when, human=False)


def resolution(when: str | int, **fields: Any) -> Event:
    return _told(Resolved, when, fields)


def robot(when: str | int, **fields: Any) -> Event:
    """An automatic resolution."""
    return resolution(when, human=False, **fields)


def change(when: str | int, **fields: Any) -> Event:
    return _told(Changed, when, fields)


def waits(when: str | int, who: str = "stakeholder") -> Event:
    return change(when, waiting_on=who)


def back(when: str | int) -> Event:
    return waits(when, "district")


def rating(when: str | int, score: float, **fields: Any) -> Event:
    return _told(Rated, when, {"score": score, **fields})


@dataclass(frozen=True)
class Moment:
    """What is known at an instant, of what had happened until then. `episode` is a number within its case."""

    clock: int
    expected: dict[str, Any]
    subject: str = "case-1"
    episode: int = 0


@dataclass(frozen=True)
class Totals:
    """What is known of all cases together."""

    clock: int
    expected: dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    number: int
    about: str
    cases: dict[str, Sequence[Event]]
    moments: Sequence[Moment] = ()
    totals: Sequence[Totals] = ()
    directory: PlainDirectory = field(default=USUAL)


def one_case(number: int, about: str, events: Sequence[Event], *moments: Moment, directory: PlainDirectory = USUAL) -> Scenario:
    return Scenario(number, about, {"case-1": events}, moments, directory=directory)


def by(when: str, **expected: Any) -> Moment:
    return Moment(at(when), expected)


def _closed_by_the_dozen() -> dict[str, list[Event]]:
    """A hundred questions: 45 are closed within ten minutes and never answered, 55 are answered after an hour and closed after two."""
    cases: dict[str, list[Event]] = {}
    for number in range(100):
        if number < 45:
            events = [contact("Mon 08:00"), resolution("Mon 08:10")]
        else:
            events = [contact("Mon 08:00"), reply("Mon 09:00"), resolution("Mon 10:00")]
        cases[f"case-{number}"] = events
    return cases


SCENARIOS = [
    one_case(
        1,
        "the family is waited for, and the resolution clock stands",
        [contact("Mon 08:00"), reply("Mon 10:00", awaits="stakeholder"), contact("Thu 10:00"), resolution("Thu 12:00")],
        by("Tue 12:00", waiting_on="stakeholder", waiting_on_since=at("Mon 10:00"), resolution_due_at=None, next_due_at=None),
        by("Thu 11:00", waiting_on="district", resolution_due_at=at("Thu 16:00"), next_due_at=at("Fri 10:00")),
        by(
            "2026-10-12 08:00",
            resolution_state="kept",
            ours_business_ms=4 * H,
            paused_business_ms=24 * H,
            response_business_ms=2 * H,
            turns=[("response", "kept", True), ("next_reply", "kept", False)],
        ),
        directory=RESOLVED_IN_A_DAY,
    ),
    one_case(
        2,
        "a pause over a weekend, ended by the district",
        [contact("Fri 08:00"), reply("Fri 12:00"), waits("Fri 12:00"), back("2026-10-12 12:00"), resolution("2026-10-12 13:00")],
        by(
            "2026-10-13 08:00",
            paused_business_ms=8 * H,
            paused_ms=72 * H,
            ours_business_ms=5 * H,
            waited={"stakeholder": 72 * H, "third_party": 0},
        ),
    ),
    one_case(
        3,
        "an answer and a waiting at one instant",
        [contact("Mon 09:00"), reply("Mon 09:05"), waits("Mon 09:05")],
        by("Mon 10:00", response_ms=5 * MIN, response_business_ms=5 * MIN, waiting_on="stakeholder"),
    ),
    one_case(
        4,
        "thought settled, and it was not",
        [contact("Mon 08:00"), resolution("Mon 10:00"), contact("Wed 10:00"), resolution("Wed 11:00")],
        by(
            "Fri 08:00",
            whole_business_ms=19 * H,
            thought_settled_business_ms=16 * H,
            paused_ms=0,
            reopens=1,
            turns=[("response", "kept", False), ("next_reply", "kept", False)],
        ),
    ),
    one_case(
        5,
        "raised to critical, not answered",
        [contact("Mon 08:00"), change("Mon 13:00", priority="critical")],
        by("Mon 12:59", next_due_at=at("Mon 16:00"), priority="routine"),
        by(
            "Mon 15:30",
            next_due_at=at("Mon 15:00"),
            next_warn_at=at("Mon 14:36"),
            priority="critical",
            turns=[("response", "missed", False)],
        ),
    ),
    one_case(
        6,
        "a follow-up that is critical",
        [contact("Mon 08:00"), reply("Mon 08:30"), contact("Mon 09:00", priority="critical")],
        by(
            "Mon 10:00",
            next_warn_at=at("Mon 10:36"),
            next_due_at=at("Mon 11:00"),
            turns=[("response", "kept", True), ("next_reply", "open", False)],
        ),
        by("Mon 11:01", turns=[("response", "kept", True), ("next_reply", "missed", False)], priority="critical"),
    ),
    one_case(
        7,
        "each next reply is promised",
        [contact("Mon 09:00"), reply("Mon 10:00"), contact("Mon 11:00")],
        by("Mon 10:30", next_due_at=None, waiting_since=None),
        by("Mon 12:00", next_due_at=at("Tue 11:00"), waiting_since=at("Mon 11:00")),
    ),
    one_case(
        8,
        "it comes back within 14 days: the kept resolution stays kept, and somebody waits for a reply",
        [contact("Mon 08:00"), reply("Mon 09:00"), resolution("Mon 10:00"), contact("2026-10-15 09:00")],
        by("2026-10-15 10:00", resolution_state="kept", next_due_at=at("2026-10-16 09:00"), reopens=1, status="open"),
    ),
    one_case(
        9,
        "handed on, and answered there",
        [
            contact("Mon 09:00", department="registrar"),
            change("Mon 14:00", department="transportation"),
            reply("Mon 15:00", department="transportation"),
        ],
        by(
            "Mon 15:00",
            owner=("", "transportation"),
            legs=[(("", "registrar"), 5 * H), (("", "transportation"), 1 * H)],
            hand_offs=1,
            response_place=("", "transportation"),
            response_business_ms=6 * H,
        ),
    ),
    one_case(
        10,
        "each owner's time runs on their own hours",
        [contact("Mon 14:00", department="registrar"), change("Mon 15:00", department="evening"), reply("Mon 17:00")],
        by("Mon 17:00", legs=[(("", "registrar"), 1 * H), (("", "evening"), 2 * H)], response_business_ms=3 * H, response_ms=3 * H),
        directory=OPEN_LATE,
    ),
    Scenario(
        11,
        "the same question twice",
        {
            "case-A": [contact("Mon 09:00"), reply("Mon 11:00")],
            "case-B": [contact("Mon 09:30"), resolution("Mon 10:00", outcome="duplicate", duplicate_of="case-A")],
        },
        [
            Moment(at("Tue 08:00"), {"response_ms": 2 * H}, "case-A"),
            Moment(at("Tue 08:00"), {"is_question": False, "duplicate_of": "case-A", "closed_unanswered": False}, "case-B"),
        ],
        [
            Totals(
                at("2026-10-20 08:00"),
                {"questions": 1, "messages": 2, "people": 1, "promises_n": 2, "resolutions_n": 0, "closed_unanswered_n": 0},
            )
        ],
    ),
    one_case(
        12,
        "a robot closes it, and the person comes back",
        [contact("Mon 09:00"), receipt("Mon 09:00"), robot("Mon 09:05"), contact("Fri 14:00"), reply("Fri 14:10")],
        by("Tue 08:00", closed_automatically=True, closed_unanswered=False, turns=[("response", "neither", False)], response_ms=None),
        by(
            "Fri 15:00",
            closed_automatically=False,
            turns=[("response", "neither", False), ("response", "kept", True)],
            response_ms=10 * MIN,
            response_began_at=at("Fri 14:00"),
        ),
    ),
    Scenario(
        13,
        "closed by the dozen",
        _closed_by_the_dozen(),
        totals=[
            Totals(
                at("2026-10-20 08:00"),
                {"closed_unanswered_n": 45, "promises_kept_n": 200, "promises_missed_n": 0, "response_n": 55, "response_median_ms": 1 * H},
            )
        ],
    ),
    Scenario(
        14,
        "answered on the telephone",
        {"case-1": [contact("Mon 09:00", channel="phone"), resolution("Mon 09:00")]},
        [by("Tue 08:00", response_ms=0, turns=[("response", "kept", True)], closed_unanswered=False, at_first_contact=True)],
        [Totals(at("Tue 08:00"), {"response_n": 1, "response_median_ms": 0, "response_mean_ms": 0, "promises_kept_n": 2})],
    ),
    one_case(
        15,
        "the rating is of those who resolved it",
        [
            contact("Mon 09:00", department="A"),
            resolution("Mon 10:00", department="B"),
            contact("Mon 11:00"),
            rating("Mon 12:00", 1),
        ],
        by("Tue 08:00", rating=0.0, rated_place=("", "B"), status="open"),
    ),
    one_case(
        16,
        "two clocks that are two seconds apart",
        [reply(at("Mon 09:00") - 2_000), contact("Mon 09:00"), reply("Mon 13:00")],
        by("Tue 08:00", response_ms=0, replies=2, received_at=at("Mon 09:00")),
    ),
    Scenario(
        17,
        "a reply three minutes before its contact is none to it",
        {"case-1": [reply("Mon 08:57"), contact("Mon 09:00")]},
        [
            Moment(at("Tue 08:00"), {"received_at": None, "replies": 1, "is_question": False}),
            Moment(at("Tue 08:00"), {"response_ms": None, "replies": 0}, episode=1),
        ],
    ),
    one_case(
        18,
        "a corrected topic",
        [contact("Mon 09:00", id="c", topic="bus"), contact("Mon 09:00", id="c", topic="meals", revision=1)],
        by("Tue 08:00", topic="meals", conflicts=0, contacts=1),
    ),
    one_case(
        19,
        "a rating that was taken back",
        [contact("Mon 09:00"), rating("Mon 10:00", 1, id="v"), rating("Mon 10:00", 1, id="v", revision=1, retracted=True)],
        by("Tue 08:00", rating=None, rated_at=None, retracted=1),
    ),
    one_case(
        20,
        "resolved twice",
        [contact("Mon 09:00"), resolution("Mon 10:00"), resolution("Mon 14:00", outcome="no_action")],
        by("Tue 08:00", resolved_at=at("Mon 10:00"), reopens=0, outcome="no_action", resolutions=2),
    ),
    one_case(
        21,
        "resolved, answered, resolved",
        [contact("Mon 09:00"), resolution("Mon 10:00"), reply("Mon 11:00"), resolution("Mon 12:00")],
        by("Tue 08:00", resolved_at=at("Mon 12:00"), reopens=1),
    ),
    one_case(
        22,
        "fourteen days count from a resolution that stands",
        [
            contact("Mon 09:00"),
            resolution("Mon 10:00"),
            contact("2026-10-15 09:00"),
            contact("2026-10-25 09:00"),
            reply("2026-10-26 09:00"),
            resolution("2026-10-26 10:00"),
        ],
        by("2026-10-27 08:00", episodes=1, reopens=1, status="resolved", next_due_at=None),
    ),
    one_case(
        23,
        "raised by mistake",
        [contact("Mon 08:00"), change("Mon 09:00", priority="critical"), change("Mon 09:30", priority="routine")],
        by("Mon 09:15", next_due_at=at("Mon 11:00")),
        by("Mon 10:00", next_due_at=at("Mon 16:00"), next_warn_at=at("Mon 08:00") + 8 * H * 8 // 10, resolution_due_at=at("Wed 16:00")),
    ),
    one_case(
        24,
        "lowered too late",
        [contact("Mon 09:00", priority="critical"), change("Mon 11:30", priority="routine")],
        by("Mon 12:00", next_due_at=at("Mon 11:00"), turns=[("response", "missed", False)], priority="routine"),
    ),
    one_case(
        25,
        "handed over at five to four",
        [contact("Mon 08:00", department="A"), change("Mon 15:55", department="B")],
        by(
            "Tue 08:00",
            next_due_at=at("Mon 16:00"),
            turns=[("response", "missed", False)],
            turn_places=[("", "A")],
            owner=("", "B"),
        ),
    ),
    one_case(
        26,
        "ten days without a word from the family, then a robot closes it",
        [contact("Mon 08:00"), reply("Mon 10:00"), waits("Mon 10:00"), robot("2026-10-15 10:00")],
        by(
            "2026-10-16 08:00",
            ours_business_ms=2 * H,
            ours_ms=2 * H,
            paused_ms=10 * DAY,
            paused_business_ms=64 * H,
            resolution_state="kept",
            closed_automatically=False,
            closed_unanswered=False,
        ),
    ),
    Scenario(
        27,
        "a department that bears another name now",
        {"case-1": [contact("2025-10-06 09:00", department="bus")], "case-2": [contact("Mon 09:00", department="transportation")]},
        totals=[Totals(at("Mon 10:00"), {"questions": 2, "questions_by_place": {("", "transportation"): 2}})],
        directory=RENAMED,
    ),
    one_case(
        28,
        "a closed day",
        [contact("Fri 15:00"), resolution("2026-10-13 09:00")],
        by("2026-10-14 08:00", whole_business_ms=2 * H),
        directory=CLOSED_ON_THE_12TH,
    ),
    one_case(
        29,
        "critical in a summer that is closed",
        [contact("2026-06-10 09:00", priority="critical")],
        by("2026-06-11 08:00", next_due_at=at("2026-08-10 10:00")),
        directory=CLOSED_IN_SUMMER,
    ),
    one_case(
        30,
        "all at one millisecond",
        [
            contact("Mon 09:00", department="A"),
            change("Mon 09:00", department="B"),
            waits("Mon 09:00"),
            change("Mon 09:00", priority="critical"),
            resolution("Mon 09:00"),
        ],
        by(
            "Tue 08:00",
            status="resolved",
            resolved_at=at("Mon 09:00"),
            whole_ms=0,
            paused_ms=0,
            hand_offs=1,
            owner=("", "B"),
            legs=[(("", "A"), 0), (("", "B"), 0)],
            priority="critical",
            turns=[("response", "kept", False)],
            turn_places=[("", "B")],
            closed_unanswered=True,
            waiting_on="district",
        ),
    ),
]
