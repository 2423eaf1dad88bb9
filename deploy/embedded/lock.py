"""One holder at a time, across processes: whoever starts servers or fills a cache holds the folder's lock file.

The lock is the kernel's (flock), so it ends with its holder: a lock file left behind by a crash holds nothing.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded import Unavailable

POLL_S = 0.05


@contextmanager
def exclusive(path: Path, patience_s: float, held: str) -> Iterator[None]:
    """Hold the lock file at `path`; `Unavailable(held)` when another process keeps it for longer than `patience_s`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        deadline = time.monotonic() + patience_s
        while not _taken(file.fileno()):
            if time.monotonic() >= deadline:
                raise Unavailable(held)
            time.sleep(POLL_S)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
