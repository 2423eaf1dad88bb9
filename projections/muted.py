"""Muted intervals: while a partition is over an hour behind, nobody is notified of what comes due, nor that it is over.

A worker that catches up (after an outage, or from the beginning of the log) passes deadlines that are long over. The clock's
way through such times is kept in a few intervals, beside the clock in the changelog, so that a restart remembers what was
never announced. Frozen: each step gives the next value.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from projections.contribution import HOUR_MS, MINUTE_MS

STALE_MS: Final = HOUR_MS
"""An instant that is longer ago is news to nobody."""
UNSURE_MS: Final = 15 * MINUTE_MS
"""What came due so soon after a worker's last announcement may have been announced by it in a batch that it did not live to write down."""
MOST: Final = 16
"""Intervals that are remembered: outages of over an hour, the latest ones."""

Muted: TypeAlias = tuple[tuple[int, int], ...]
"""Intervals (after, up to and with) of the partition's clock, in ms, ascending."""


def lengthened(muted: Muted, before: int, after: int, wall: int) -> Muted:
    """Remember that the clock went from `before` to `after` when it was really `wall`: what is stale of it is muted."""
    until = min(after, wall - STALE_MS)
    if until <= before:
        return muted
    if muted and muted[-1][1] >= before:
        return (*muted[:-1], (muted[-1][0], max(until, muted[-1][1])))
    return (*muted, (before, until))[-MOST:]


def is_muted(muted: Muted, at: int) -> bool:
    """Whether what came due at `at` was certainly announced by no worker, not even by one that died over it."""
    return any(after + UNSURE_MS < at <= until for after, until in muted)


def united(one: Muted, other: Muted) -> Muted:
    """Both, as two writers of one changelog have seen it."""
    spans: list[tuple[int, int]] = []
    for after, until in sorted({*one, *other}):
        if spans and spans[-1][1] >= after:
            spans[-1] = spans[-1][0], max(spans[-1][1], until)
        else:
            spans.append((after, until))
    return tuple(spans[-MOST:])
