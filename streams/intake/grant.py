"""What one publisher may send: which sources, which districts, which types of event, how fast and until when.

A grant, as in SQL. A source is named whole, or as `/riverside/*` for all below it. What stands for the star must be plain path
segments, so that `/riverside/../lakeside` is not below `/riverside`.
"""

import re
from dataclasses import dataclass
from typing import Final

from events.event import Event
from events.kinds import TYPES

ALL: Final = "*"
BELOW: Final = "/*"
_SEGMENTS = re.compile(r"(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*").fullmatch


@dataclass(frozen=True)
class Grant:
    """Times in milliseconds since the epoch, rate in events a second (0: no limit)."""

    id: str
    sources: tuple[str, ...] = (ALL,)
    districts: tuple[str, ...] = (ALL,)
    types: tuple[str, ...] = (ALL,)
    rate: float = 0.0
    expires_at: int | None = None
    revoked: bool = False
    reads_metrics: bool = False
    digest: bytes = b""
    """SHA-256 of the token's secret; empty where there is none."""
    signing_key: bytes = b""
    """Of webhooks that are signed; empty where they are not."""

    def is_over(self, now: int) -> bool:
        return self.revoked or (self.expires_at is not None and now >= self.expires_at)

    def forbids(self, district: str, event: Event) -> str | None:
        """JSON path of the first member that this grant does not cover; None where it covers the event."""
        if not _covers(self.types, TYPES[type(event)]):
            return "$.type"
        if not any(_is_source(pattern, event.source) for pattern in self.sources):
            return "$.source"
        if not _covers(self.districts, district):
            return "$.data.district"
        return None


EVERYONE_HERE: Final = Grant("")
"""Without a token file: whoever is on this machine."""


def _covers(allowed: tuple[str, ...], name: str) -> bool:
    return ALL in allowed or name in allowed


def _is_source(pattern: str, source: str) -> bool:
    if pattern in (ALL, source):
        return True
    folder = pattern.removesuffix(ALL)
    return pattern.endswith(BELOW) and source.startswith(folder) and _SEGMENTS(source.removeprefix(folder)) is not None
