"""What to simulate. Everything that the outcome depends on is in here, so that a plan is also the name of its outcome."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Plan:
    """`days` days up to the instant `until` (ms since the epoch) of `districts` districts with `students` students each."""

    until: int
    students: int = 10_000
    days: int = 28
    seed: int = 1
    districts: int = 1
    zone: str = "America/Chicago"

    def __post_init__(self) -> None:
        if min(self.students, self.days, self.districts) < 1 or self.seed < 0:
            raise ValueError("students, days and districts are at least 1, the seed at least 0")

    @property
    def since(self) -> int:
        """Opening time of the earliest case, ms since the epoch."""
        return self.until - self.days * DAY_MS

    @property
    def timezone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)
