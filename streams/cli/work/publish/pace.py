"""Holds a sender to so many events a second, evenly, whatever a single one takes."""

import asyncio
from time import monotonic

TICK_S = 0.05


class Pace:
    """Between ticks of 50 ms events go at once; `is_ahead` says when to stop for a breath, `keep` takes it."""

    def __init__(self, events_per_second: float | None) -> None:
        self._rate = events_per_second
        self._begun = monotonic()

    def is_ahead(self, sent: int) -> bool:
        return self._rate is not None and self._ahead_s(sent, self._rate) > TICK_S

    async def keep(self, sent: int) -> None:
        """Wait until the next event is due, given how many were sent."""
        if self._rate is not None:
            await asyncio.sleep(max(0.0, self._ahead_s(sent, self._rate)))

    def _ahead_s(self, sent: int, rate: float) -> float:
        return sent / rate - (monotonic() - self._begun)
