"""Fail-stop of a worker that was away (stopped, suspended, starved) so long that the group may have replaced it.

The group gives a silent worker's partitions to another one after the session timeout. A worker that comes back later must
not write old state over the new owner's, and cannot know in time that it was replaced; so it measures its own absence.
The clock counts while the machine sleeps too, where the system has such a clock.
"""

import os
import sys
import time
from collections.abc import Callable

import structlog

from events.exit_code import ExitCode

SHARE_OF_SESSION = 0.6
"""The rest covers a heartbeat that was due, and the write that is about to happen."""

log = structlog.get_logger("transport")

_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_s() -> float:
    """Seconds that never go back, suspended ones included on Linux."""
    return time.clock_gettime(_CLOCK)


def end_process() -> None:
    """Exit at once with `ExitCode.AWAY`: no clean-up may write anything any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ExitCode.AWAY)


class Away:
    """Ends the process when two beats are too far apart."""

    def __init__(self, session_timeout_s: float, *, clock: Callable[[], float] = now_s, end: Callable[[], None] = end_process) -> None:
        self.limit_s = SHARE_OF_SESSION * session_timeout_s
        self._clock = clock
        self._end = end
        self._last: float | None = None

    def beat(self) -> None:
        """Say that the loop runs. The first beat starts the measuring."""
        now = self._clock()
        away_s = 0.0 if self._last is None else now - self._last
        self._last = now
        if away_s > self.limit_s:
            log.critical("away too long: another worker may have these partitions, exiting", away_s=round(away_s, 1), limit_s=self.limit_s)
            self._end()
