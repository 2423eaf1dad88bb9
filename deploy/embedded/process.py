"""Child processes: the one way in which embedded servers are started, awaited, found again and stopped.

A child runs in a session of its own, so that Ctrl-C at the terminal reaches only its parent, which stops it in order. A
child that may not outlive its parent gets SIGTERM from the kernel when the parent dies, however it dies (Linux; elsewhere
the parent's own clean-up has to do). Processes are ended by their handle only: pid and time of creation, never a name.
"""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.embedded import Unavailable

GRACE_S = 30.0
POLL_S = 0.02
TAIL_LINES = 20
TAIL_BYTES = 1 << 16
Telling = Callable[[str], bool]
"""Whether a line of a log may say why its process failed."""

SAME_INSTANT_S = 2.0
"""How far two readings of one creation time may be apart: psutil adds the boot time, which clock adjustments move."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="spawner")
"""Linux sends the parent-death signal when the starting *thread* ends, so one thread that lasts as long as the process starts them all."""


@dataclass(frozen=True)
class Identity:
    """A process for good: a pid alone is reused. `created` is in seconds since the epoch, as psutil tells it."""

    pid: int
    created: float


class Failed(Unavailable):
    """A child ended, or was not ready in time. `tail` holds the last telling lines of its log."""

    def __init__(self, message: str, log: Path, telling: Telling = bool) -> None:
        self.tail = tail(log, telling=telling)
        super().__init__(f"{message}. The end of its log, {log}:\n{self.tail}")


class Child:
    """A running process, started here or found again."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.identity = Identity(process.pid, process.create_time())

    def alive(self) -> bool:
        """Whether it runs; one that ended and was not yet reaped by its parent does not.

        A killed process is a zombie as soon as its first thread is gone, but keeps its files and locks until the last one is.
        """
        if isinstance(self._process, psutil.Popen):
            return self._process.poll() is None
        try:
            ended = self._process.status() == psutil.STATUS_ZOMBIE and self._process.num_threads() <= 1
            return self._process.is_running() and not ended
        except psutil.NoSuchProcess:
            return False

    def resident_bytes(self) -> int:
        """Resident memory; raises psutil.NoSuchProcess once the process has ended."""
        return int(self._process.memory_info().rss)

    def stop(self, grace_s: float = GRACE_S) -> bool:
        """SIGTERM, then SIGKILL to one that is still there after `grace_s`. True when it went by itself."""
        self._signal(signal.SIGTERM)
        if until(lambda: not self.alive(), grace_s):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        if not until(lambda: not self.alive(), GRACE_S):
            raise Unavailable(f"process {self.identity.pid} does not end, not even killed: its disk may hang; look at it with ps")

    def _signal(self, number: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):  # ended by itself: that is what was asked for
            self._process.send_signal(number)


def launch(
    command: Sequence[str | Path], log: Path, *, outlive: bool, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Child:
    """Start `command`, both its outputs in `log` (the log of the start before is kept as `<log>.1`).

    With `outlive` it goes on when this process ends; without, it ends with it. Raises `Unavailable` when it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    try:
        with log.open("ab") as output:
            popen = _SPAWNER.submit(_spawn, [str(part) for part in command], output.fileno(), outlive, environment, folder).result()
    except OSError as error:
        raise Unavailable(f"cannot start {command[0]}: {error.strerror or error}") from error
    return Child(popen)


def find(identity: Identity) -> Child | None:
    """Find the process of that identity, if it still runs."""
    try:
        child = Child(psutil.Process(identity.pid))
    except psutil.NoSuchProcess:
        return None
    same = abs(child.identity.created - identity.created) < SAME_INSTANT_S
    return child if same and child.alive() else None


def wait_ready(child: Child, ready: Callable[[], bool], log: Path, *, name: str, within_s: float, telling: Telling = bool) -> None:
    """Return once `ready()`; raise `Failed` when the child ends before, or is not ready within the time (it then still runs)."""
    if not until(lambda: not child.alive() or ready(), within_s):
        raise Failed(f"{name} was not ready within {within_s:.0f} s", log, telling)
    if not child.alive():
        raise Failed(f"{name} ended while starting", log, telling)


def until(condition: Callable[[], bool], within_s: float) -> bool:
    """Poll until the condition holds; False when it did not within the time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def tail(log: Path, lines: int = TAIL_LINES, telling: Telling = bool) -> str:
    """Read the last telling lines of a log; empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join([line for line in text.splitlines() if telling(line)][-lines:])


def _spawn(command: list[str], output: int, outlive: bool, environment: Mapping[str, str] | None, folder: Path | None) -> psutil.Popen:
    return psutil.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=None if environment is None else dict(environment),
        cwd=folder,
        preexec_fn=None if outlive else _die_with_parent,
    )


def _die_with_parent() -> None:
    """In the child, before exec: ask the kernel for SIGTERM when the parent dies. Makes one system call and nothing else."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
