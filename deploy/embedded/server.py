"""What the embedded servers have in common: one child process, started when asked for and ended by its handle."""

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from deploy.embedded import Unavailable
from deploy.embedded.process import GRACE_S, Child, Identity


class Server(ABC):
    """A server in the folder `data`. Used as a context manager it is started, and stopped whatever happens."""

    name: ClassVar[str]
    program = ""
    """Which of several runs, for people; '' where there is one."""

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self.log = self.data / f"{self.name.lower()}.log"
        self._child: Child | None = None

    @abstractmethod
    def start(self, *, outlive: bool = False) -> None:
        """Start, and return when clients are served; one that runs is left alone. With `outlive` it goes on when this process ends.

        Raises `Unavailable`, its message saying why and what to do; nothing is left running then.
        """

    @property
    def identity(self) -> Identity:
        """The running process, for finding it again."""
        return self._running().identity

    def alive(self) -> bool:
        """Whether the process that this object started still runs."""
        return self._child is not None and self._child.alive()

    def resident_bytes(self) -> int:
        """Resident memory of the running process."""
        return self._running().resident_bytes()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End it in order, within `grace_s` seconds; after that, by force."""
        child, self._child = self._child, None
        if child:
            child.stop(grace_s)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        child, self._child = self._child, None
        if child:
            child.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _running(self) -> Child:
        if self._child is None:
            raise Unavailable(f"{self.name} in {self.data} was not started")
        return self._child
