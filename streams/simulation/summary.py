"""What a simulation turned out to be, counted from the very bytes that it emitted, beside the ranges that it promises.

Independent of how the events were made, so that a mistake in the making shows here and in the test that holds the ranges.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import NamedTuple

from msgspec import Struct
from msgspec.json import Decoder

from streams.simulation.plan import Plan
from streams.simulation.school_year import is_school_day

SCHOOL_HOURS = range(7, 17)


class _Data(Struct):
    school: str | None = None
    department: str | None = None
    priority: str = "routine"
    needs_reply: bool = True
    audience: str | None = None
    channel: str | None = None
    language: str | None = None
    topic: str | None = None
    author_kind: str = "human"
    visibility: str = "public"
    outcome: str = "resolved"


class _Event(Struct):
    type: str
    subject: str
    partitionkey: str
    data: _Data


class Share(NamedTuple):
    """One number of a simulation and the range that it stays in when the simulation is large enough."""

    name: str
    value: float
    low: float
    high: float

    @property
    def as_stated(self) -> bool:
        return self.low <= self.value <= self.high


@dataclass(slots=True)
class _Case:
    answered: bool = False
    elsewhere: bool = False
    automatic: bool = False
    noted: bool = False
    resolutions: int = 0
    spam: bool = False
    rated: bool = False
    needs_reply: bool = False


@dataclass(slots=True)
class Summary:
    """Give each occurrence of a plan to `add`; read `shares` (needs some days to settle) and the counters at the end."""

    plan: Plan
    events: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    departments: Counter[str] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    audiences: Counter[str] = field(default_factory=Counter)
    priorities: Counter[str] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)
    _days: Counter[date] = field(default_factory=Counter)
    _cases: dict[tuple[str, str], _Case] = field(default_factory=dict)
    _late_buses: int = 0
    _thanks: int = 0
    _decoder: Decoder[_Event] = field(default_factory=lambda: Decoder(_Event))

    def add(self, time: int, value: bytes) -> None:
        """One event: its instant in ms and its bytes."""
        event = self._decoder.decode(value)
        kind = event.type.split(".")[2]
        self.events += 1
        self.kinds[kind] += 1
        key = event.partitionkey, event.subject
        case = self._cases.get(key)
        if case is None:
            case = self._cases[key] = _Case(needs_reply=event.data.needs_reply)
            self._opened(time, event.data)
        getattr(self, f"_{kind}")(case, event.data)

    def _opened(self, time: int, data: _Data) -> None:
        local = datetime.fromtimestamp(time / 1000, UTC).astimezone(self.plan.timezone)
        self._days[local.date()] += 1
        self.hours[local.hour] += 1
        self.departments[data.department or "(none)"] += 1
        self.channels[data.channel or "(none)"] += 1
        self.languages[data.language or "(none)"] += 1
        self.audiences[data.audience or "(none)"] += 1
        self.priorities[data.priority] += 1
        self._late_buses += data.topic == "bus-late"

    def _contact(self, _: _Case, data: _Data) -> None:
        self._thanks += not data.needs_reply

    def _reply(self, case: _Case, data: _Data) -> None:
        human, public = data.author_kind == "human", data.visibility == "public"
        case.automatic |= not human
        case.noted |= not public
        case.elsewhere |= human and public and data.department is not None
        case.answered |= human and public

    def _resolution(self, case: _Case, data: _Data) -> None:
        case.resolutions += 1
        case.spam |= data.outcome == "spam"

    def _rating(self, case: _Case, _: _Data) -> None:
        case.rated = True

    @property
    def cases(self) -> int:
        return len(self._cases)

    def counters(self) -> dict[str, Counter[str]]:
        """How the cases are spread, and the events over the kinds."""
        return {
            "kinds of event": self.kinds,
            "departments": self.departments,
            "channels": self.channels,
            "languages": self.languages,
            "audiences": self.audiences,
            "priorities": self.priorities,
        }

    def _complete_school_days(self) -> list[int]:
        """Cases on the school days that lie wholly within the plan."""
        complete = sorted(self._days)[1:-1]
        return [self._days[day] for day in complete if is_school_day(day)]

    def shares(self) -> list[Share]:
        """The numbers that a simulation of at least two weeks of school, 2,000 students or more, keeps within their ranges."""
        cases = list(self._cases.values())
        resolved = [c for c in cases if c.resolutions and not c.spam]
        answered = [c for c in cases if c.answered]
        school_days = self._complete_school_days()
        weekends = sum(n for day, n in self._days.items() if day.weekday() >= 5)  # noqa: PLR2004 - Saturday, Sunday
        per_day = _share(sum(school_days), len(school_days)) / (self.plan.students * self.plan.districts)
        return [
            Share("new cases per student and school day", per_day, 0.36, 0.44),
            Share("events per case", _share(self.events, self.cases), 4.4, 5.6),
            Share("cases on weekends", _share(weekends, self.cases), 0.0, 0.08),
            Share("cases between 7:00 and 17:00", _share(sum(self.hours[h] for h in SCHOOL_HOURS), self.cases), 0.72, 0.88),
            Share("cases about late buses", _share(self._late_buses, self.cases), 0.0005, 0.03),
            Share("urgent or critical cases", _share(self.cases - self.priorities["routine"], self.cases), 0.08, 0.13),
            Share("cases in Spanish", _share(self.languages["es"], self.cases), 0.16, 0.21),
            Share("cases with an automatic reply", _share(sum(c.automatic for c in cases), self.cases), 0.22, 0.34),
            Share("cases with internal notes", _share(sum(c.noted for c in cases), self.cases), 0.11, 0.18),
            Share("messages that need no reply", _share(self._thanks, self.kinds["contact"]), 0.05, 0.12),
            Share("answered, of those that need it", _share(len(answered), sum(c.needs_reply for c in cases)), 0.82, 0.97),
            Share("answered by another department", _share(sum(c.elsewhere for c in answered), len(answered)), 0.07, 0.11),
            Share("resolved cases", _share(len(resolved), self.cases), 0.7, 0.92),
            Share("reopened, of the resolved", _share(sum(c.resolutions > 1 for c in resolved), len(resolved)), 0.03, 0.075),
            Share("rated, of the resolved", _share(sum(c.rated for c in resolved), len(resolved)), 0.2, 0.33),
            Share("spam cases", _share(sum(c.spam for c in cases), self.cases), 0.008, 0.022),
        ]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
