"""What another directory changed of what was known: said when a snow day moves deadlines, so that nobody is surprised."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from projections.episode import facts_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from projections.episode import Episode

MOST_NAMES: Final = 20
"""Schools that are named; of more, it is said how many."""


@dataclass
class Restatement:
    """Counts that grow while cases are made anew; one is restated when any of its facts is another one now.

    `first` and `last` are the earliest and the latest instant that a deadline moved from or to, in ms; 0 where none did.
    """

    looked_at: int = 0
    cases: int = 0
    deadlines: int = 0
    districts: set[str] = field(default_factory=set)
    schools: set[tuple[str, str]] = field(default_factory=set)
    """(district, school) of contacts whose deadlines moved; '' where they named none."""
    first: int = 0
    last: int = 0

    def note(self, district: str, old: Sequence[Episode], new: Sequence[Episode]) -> None:
        """Compare the episodes of a case, which are as many as before: a directory opens none."""
        self.looked_at += 1
        changed = [pair for pair in zip(old, new, strict=True) if facts_row(pair[0]) != facts_row(pair[1])]
        self.cases += bool(changed)
        for before, after in changed:
            for stood, stands in ((before.response_due_at, after.response_due_at), (before.resolution_due_at, after.resolution_due_at)):
                if stood != stands:
                    self._moved(district, before.opening.school, [at for at in (stood, stands) if at is not None])

    def _moved(self, district: str, school: str, instants: Sequence[int]) -> None:
        self.deadlines += 1
        self.districts.add(district)
        self.schools.add((district, school))
        self.first = min(instants) if self.first == 0 else min(self.first, *instants)
        self.last = max(self.last, *instants)


def summary(restated: Restatement) -> dict[str, Any]:
    """A summary of it, in words and numbers that a log can hold."""
    schools = sorted(" ".join(filter(None, place)) for place in restated.schools)
    return {
        "cases": restated.cases,
        "of": restated.looked_at,
        "deadlines_moved": restated.deadlines,
        "districts": sorted(restated.districts)[:MOST_NAMES],
        "schools": schools[:MOST_NAMES] + ([f"and {len(schools) - MOST_NAMES} more"] if len(schools) > MOST_NAMES else []),
        "from_due_at": _iso(restated.first),
        "to_due_at": _iso(restated.last),
    }


def _iso(at: int) -> str | None:
    return None if at == 0 else datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
