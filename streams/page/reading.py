"""One look at a district over a window, as the JSON text that browsers get. The same numbers give the same text."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from clickhouse_driver import Client

from sinks.clickhouse import overview
from streams.clock import Clock

WINDOWS: Final = ("1h", "24h", "7d", "28d")
DAYS_SHOWN: Final = 28
DAYS_READ_EVERY_MS: Final = 5_000
"""A day's count is read from all cases of four weeks, the rest from few rows."""


@dataclass(frozen=True, slots=True)
class View:
    """What somebody looks at."""

    district: str
    window: str


@dataclass(frozen=True, slots=True)
class Reading:
    """`content` is what is shown, without instants that move by themselves; `as_of` (ms) is up to when it is true, None if unknown."""

    content: str
    as_of: int | None


class Reader:
    """Reads for one view, again and again."""

    def __init__(self, view: View, zone: str, clock: Clock) -> None:
        """`zone` is the district's, as IANA names it."""
        self._view = view
        self._zone = zone
        self._clock = clock
        self._days: list[dict[str, Any]] = []
        self._days_read_at = 0

    def read(self, client: Client) -> Reading:
        """Raises clickhouse-driver's errors and OSError while ClickHouse is away."""
        view = self._view
        as_of = overview.true_as_of(client, view.district)
        count, waiting = overview.waiting(client, view.district)
        content = {
            "district": view.district,
            "window": view.window,
            "zone": self._zone,
            "cells": overview.cells(client, view.district, view.window),
            "waiting_count": count,
            "waiting": waiting,
            "days": self._read_days(client),
        }
        return Reading(json.dumps(content, separators=(",", ":")), as_of)

    def _read_days(self, client: Client) -> list[dict[str, Any]]:
        now = self._clock.now()
        if now - self._days_read_at >= DAYS_READ_EVERY_MS:
            today = datetime.fromtimestamp(now / 1000, UTC).astimezone(ZoneInfo(self._zone)).date()
            shown = [str(today - timedelta(days=back)) for back in range(DAYS_SHOWN - 1, -1, -1)]
            counts = {row["day"]: row["contacts"] for row in overview.days(client, self._view.district, self._zone, shown[0])}
            self._days = [{"day": day, "contacts": counts.get(day, 0)} for day in shown]
            self._days_read_at = now
        return self._days
