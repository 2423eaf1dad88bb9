"""The one rebuild that this process is at work on: its row in the register, and whose turn it is.

A row is written again with every step, and as a sign of life. Another process that finds it fresh, or finds its owner alive on the
same machine, stays away; one that finds it silent goes on where it ended.
"""

import os
import socket
import time
from time import monotonic
from typing import Any, Final

import psutil
from clickhouse_driver import Client

from events.exit_code import ExitCode
from sinks.clickhouse.rebuilds import Rebuild, newest, quiet_for_s, record

SILENT_S: Final = 60.0
"""After so long without a sign of life its owner counts as gone."""
SIGN_OF_LIFE_S: Final = 5.0
AGREED_AFTER_S: Final = 0.3
"""Two that begin in the same moment both see the same row as the last one after this time."""


class Taken(Exception):
    """Another process is at work on this rebuild."""

    exit_code = ExitCode.REFUSED


class Journal:
    """Mutable: `now` is the row as of the last step."""

    def __init__(self, client: Client, rebuild: Rebuild) -> None:
        self._client = client
        self._written = monotonic()
        self.now = rebuild

    @classmethod
    def take(cls, client: Client, rebuild: Rebuild) -> "Journal":
        """Go on with this rebuild, or begin it. Raises `Taken` where somebody else is at it."""
        me = owner()
        known = newest(client)
        if (
            known is not None
            and known.number == rebuild.number
            and known.owner
            and is_alive(known.owner, quiet_for_s(client, known.number))
        ):
            raise Taken(f"rebuild {known.number} is under way: process {known.owner} is at work on it")
        journal = cls(client, record(client, rebuild, owner=me))
        time.sleep(AGREED_AFTER_S)
        after = newest(client)
        if after is None or (after.number, after.owner) != (rebuild.number, me):
            raise Taken("another rebuild began in the same moment")
        return journal

    def note(self, **changes: Any) -> Rebuild:
        """Write down a step."""
        self._written = monotonic()
        self.now = record(self._client, self.now, **changes)
        return self.now

    def beat(self) -> None:
        """Show that somebody is at work."""
        if monotonic() - self._written > SIGN_OF_LIFE_S:
            self.note()

    def let_go(self) -> None:
        """Somebody else may go on at once."""
        self.note(owner="")


def owner() -> str:
    """Host, process id and when it began: a pid alone is used again."""
    return f"{socket.gethostname()} {os.getpid()} {int(psutil.Process().create_time())}"


def is_alive(known: str, quiet_s: float) -> bool:
    """Whether the owner still works, given how long it has been silent; on this machine its process is looked for."""
    host, pid, begun = known.split()
    if host != socket.gethostname():
        return quiet_s < SILENT_S
    try:
        return abs(psutil.Process(int(pid)).create_time() - int(begun)) < 2  # noqa: PLR2004 - seconds; psutil adds the boot time
    except psutil.NoSuchProcess:
        return False
