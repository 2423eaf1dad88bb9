"""What is promised to a contact: how soon it is answered and settled, and on which clock.

A business clock runs only while the schedule is open, a calendar clock always. A warning is due when four fifths of
the time have passed.
"""

from dataclasses import dataclass
from typing import Literal

from events.schedule import Schedule

Clock = Literal["business", "calendar"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The targets in force for one contact, None where nothing is promised. Instants are milliseconds since the epoch."""

    schedule: Schedule
    response_ms: int | None = None
    resolution_ms: int | None = None
    response_clock: Clock = "business"
    resolution_clock: Clock = "business"

    def response_due(self, received_at: int) -> int | None:
        """Last instant at which an answer keeps the promise."""
        return self._after(received_at, self.response_ms, self.response_clock)

    def response_warn(self, received_at: int) -> int | None:
        """When 80 % of the time to answer have passed."""
        return self._after(received_at, _warning(self.response_ms), self.response_clock)

    def resolution_due(self, received_at: int) -> int | None:
        """Last instant at which a resolution keeps the promise."""
        return self._after(received_at, self.resolution_ms, self.resolution_clock)

    def resolution_warn(self, received_at: int) -> int | None:
        """When 80 % of the time to settle have passed."""
        return self._after(received_at, _warning(self.resolution_ms), self.resolution_clock)

    def _after(self, received_at: int, ms: int | None, clock: Clock) -> int | None:
        if ms is None:
            return None
        if clock == "calendar":
            return received_at + ms
        return self.schedule.instant(self.schedule.open_ms(received_at) + ms)


def _warning(ms: int | None) -> int | None:
    return None if ms is None else ms * 8 // 10
