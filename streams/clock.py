"""What time it is: the only place that asks the machine."""

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Milliseconds since the epoch."""


class WallClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000
