"""The worker processes of one run, and who starts a new one when one has ended: what a supervisor does anywhere.

Every end is written down with its exit code. A worker may end because it was told to, because it was killed, because it was
away too long, or because a server was away when it started; anything else is a defect, and the run has failed.
"""

import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import psutil

from deploy.embedded.process import Child, launch, tail
from streams.terminal.outcome import ExitCode

KILLED: Final = -signal.SIGKILL
MOST: Final = 4
AGAIN_S: Final = 0.5
"""Between the end of a worker that could not start and the next try."""


@dataclass
class Member:
    """A worker. `expected` is the exit code that its fate will give it, None while nothing is meant to happen to it."""

    name: str
    child: Child
    log: Path
    expected: int | None = None
    replaced: bool = True
    assigned: bool = False

    def signal(self, number: signal.Signals) -> None:
        self.child._signal(number)

    def is_assigned(self) -> bool:
        """Whether it has partitions: from then on it answers to signals as it should."""
        self.assigned = self.assigned or b'"event": "assigned"' in self.log.read_bytes()
        return self.assigned

    def exit_code(self) -> int | None:
        """None while it runs."""
        process = self.child._process
        assert isinstance(process, psutil.Popen)
        code: int | None = process.poll()
        return code


@dataclass(frozen=True)
class End:
    """How a worker ended: its name, exit code, whether that was meant, and the end of its log."""

    name: str
    code: int
    meant: bool
    log: str

    def is_a_defect(self) -> bool:
        return not self.meant and self.code not in {ExitCode.AWAY, ExitCode.UNAVAILABLE}


class Fleet:
    """Keeps as many workers running as there should be. `tend` has to be called often."""

    def __init__(self, command: list[str], environment: Mapping[str, str], logs: Path, doomed: Callable[[], Collection[int]]) -> None:
        """`doomed` tells the pids of those that died by order."""
        self._doomed = doomed
        self._command = command
        self._environment = environment
        self._logs = logs
        self._started = 0
        self._next_start = 0.0
        self._missing = 0
        self.members: list[Member] = []
        self.ends: list[End] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.child.kill()

    def join(self) -> Member:
        self._started += 1
        name = f"worker-{self._started}"
        log = self._logs / f"{name}.log"
        child = launch([sys.executable, *self._command], log, outlive=False, environment=self._environment)
        member = Member(name, child, log)
        self.members.append(member)
        return member

    def tend(self) -> None:
        """Write down who ended, and start new ones."""
        for member in list(self.members):
            code = member.exit_code()
            if code is not None:
                self._ended(member, code)
        if self._missing and time.monotonic() >= self._next_start:
            self._missing -= 1
            self.join()

    def working(self) -> list[Member]:
        """Those to which something can happen."""
        return [member for member in self.members if member.expected is None and member.is_assigned()]

    def chosen(self, share: float) -> Member | None:
        """One of them by a number in 0..1."""
        working = self.working()
        return working[min(len(working) - 1, int(share * len(working)))] if working else None

    def _ended(self, member: Member, code: int) -> None:
        self.members.remove(member)
        meant = code == member.expected or (code == KILLED and member.child.identity.pid in self._doomed())
        self.ends.append(End(member.name, code, meant, tail(member.log, 12)))
        if member.replaced:
            self._missing += 1
            self._next_start = time.monotonic() + (AGAIN_S if code == ExitCode.UNAVAILABLE else 0.0)
