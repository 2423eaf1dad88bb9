"""Checks lines against the contract before they are sent, and says of each wrong one where and why.

What is sent is written anew, as at the intake: what the contract does not know must not reach a topic that keeps it for ever.
"""

import sys
import time

from events.codec import Decoder
from events.kinds import rewritten
from events.personal_data import Allows
from events.rejection import Rejection
from streams.kafka import STRUCTURED
from streams.legible import in_one_line
from streams.terminal.outcome import ExitCode, Stop

SHOWN = 20


class Scrutiny:
    """The checks of one source. `events` counts the lines that are events, `mistakes` those that are not."""

    def __init__(self, source: str, allows: Allows) -> None:
        self.source = source
        self.events = 0
        self.mistakes = 0
        self._decoder = Decoder(allows)

    def event_in(self, number: int, line: bytes) -> tuple[str, bytes] | None:
        """District and bytes of the event in a line; None, and a message on standard error, where there is none."""
        found = self._decoder.decode(line.strip(), STRUCTURED, time.time_ns() // 1_000_000)
        if isinstance(found, Rejection):
            self._note(number, found)
            return None
        self.events += 1
        return found[0], rewritten(*found)

    def refuse_any(self) -> None:
        """End the command if a line was wrong."""
        if self.mistakes:
            total = self.mistakes + self.events
            raise Stop(ExitCode.REFUSED, f"nothing was sent: {self.mistakes:,} of {total:,} lines of {self.source} are not events")

    def dropped(self) -> str:
        """Names of members that no event has and that nothing will be kept of; '' where there are none."""
        names = ", ".join(f"{name} ({count:,})" for name, count in self._decoder.unknown_members.most_common(SHOWN))
        return f"members of data that are not in the contract are not kept: {names}" if names else ""

    def _note(self, number: int, rejection: Rejection) -> None:
        self.mistakes += 1
        if self.mistakes <= SHOWN:
            where = f" {rejection.path}" if rejection.path else ""
            print(in_one_line(f"{self.source}:{number}: {rejection.reason.value}{where}: {rejection.message}"), file=sys.stderr)
        elif self.mistakes == SHOWN + 1:
            print(f"{self.source}: further mistakes are counted only", file=sys.stderr)
