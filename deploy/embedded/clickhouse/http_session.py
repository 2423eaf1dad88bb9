"""Named HTTP sessions: an engine session that outlives its request, for `session_timeout` seconds after the last one.

A session belongs to its user and serves one request at a time, as on a server; one that nobody asks for any more is closed.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.embedded.clickhouse.access import Access, access_of
from deploy.embedded.clickhouse.engine import Engine
from deploy.embedded.clickhouse.failure import refused
from deploy.embedded.clickhouse.users import User

SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
INVALID_SESSION_TIMEOUT = 374
DEFAULT_TIMEOUT_S = 60
LONGEST_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request says of its session; an empty id is a session for this request alone."""

    session_id: str = ""
    timeout: str = ""
    must_exist: bool = False

    @property
    def timeout_s(self) -> int:
        timeout_s = int(self.timeout) if self.timeout.isdecimal() else DEFAULT_TIMEOUT_S if not self.timeout else -1
        if not 0 <= timeout_s <= LONGEST_TIMEOUT_S:
            raise refused(INVALID_SESSION_TIMEOUT, "INVALID_SESSION_TIMEOUT", f"Invalid session timeout: '{self.timeout}'")
        return timeout_s


@dataclass
class Kept:
    access: Access
    expires_at: float = 0.0
    busy: bool = True


class Sessions:
    """The named sessions of one door. `clock` gives seconds that only grow."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._kept: dict[tuple[str, str], Kept] = {}
        self._lock = threading.Lock()

    @contextmanager
    def entered(self, user: User, wanted: Wanted) -> Iterator[Access]:
        """The session for one request."""
        if wanted.session_id:
            with self._named((user.name, wanted.session_id), user, wanted) as access:
                yield access
            return
        access = access_of(user, self._engine)
        try:
            yield access
        finally:
            access.close()

    def expire(self) -> None:
        """Closes what has been idle for longer than it asked for."""
        now = self._clock()
        with self._lock:
            old = [key for key, kept in self._kept.items() if not kept.busy and kept.expires_at <= now]
            expired = [self._kept.pop(key) for key in old]
        for kept in expired:
            kept.access.close()

    def close(self) -> None:
        with self._lock:
            kept = list(self._kept.values())
            self._kept.clear()
        for session in kept:
            session.access.close()

    def __len__(self) -> int:
        return len(self._kept)

    @contextmanager
    def _named(self, key: tuple[str, str], user: User, wanted: Wanted) -> Iterator[Access]:
        timeout_s = wanted.timeout_s
        kept = self._taken(key, user, wanted)
        try:
            yield kept.access
        finally:
            kept.expires_at = self._clock() + timeout_s
            kept.busy = False

    def _taken(self, key: tuple[str, str], user: User, wanted: Wanted) -> Kept:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                if wanted.must_exist:
                    raise refused(SESSION_NOT_FOUND, "SESSION_NOT_FOUND", "Session not found")
                kept = self._kept[key] = Kept(access_of(user, self._engine))
            elif kept.busy:
                raise refused(SESSION_IS_LOCKED, "SESSION_IS_LOCKED", f"Session {wanted.session_id} is locked by a concurrent client")
            kept.busy = True
        return kept
