"""When a partition was behind: what came due then was told to nobody, and is not taken back either.

A worker that catches up (after an outage, or from the beginning of the log) passes deadlines that are long over. The clock's
way through such times is kept in a few spans, beside the clock in the changelog, so that a restart remembers what was
never said. Frozen: each step gives the next value.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from projections.contribution import HOUR_MS, MINUTE_MS

STALE_MS: Final = HOUR_MS
"""An instant that is longer ago is news to nobody."""
UNSURE_MS: Final = 15 * MINUTE_MS
"""What came due so soon after a worker's last word may have been told by it in a turn that it did not live to write down."""
MOST: Final = 16
"""Spans that are remembered: outages of over an hour, the latest ones."""

Silence: TypeAlias = tuple[tuple[int, int], ...]
"""Spans (after, up to and with) of the partition's clock, in ms, ascending."""


def lengthened(silence: Silence, before: int, after: int, wall: int) -> Silence:
    """Remember that the clock went from `before` to `after` when it was really `wall`: what is stale of it was passed in silence."""
    until = min(after, wall - STALE_MS)
    if until <= before:
        return silence
    if silence and silence[-1][1] >= before:
        return (*silence[:-1], (silence[-1][0], max(until, silence[-1][1])))
    return (*silence, (before, until))[-MOST:]


def was_never_told(silence: Silence, at: int) -> bool:
    """Whether what came due at `at` was told by no worker for certain, not even by one that died over it."""
    return any(after + UNSURE_MS < at <= until for after, until in silence)


def united(one: Silence, other: Silence) -> Silence:
    """Both, as two writers of one changelog have seen it."""
    spans: list[tuple[int, int]] = []
    for after, until in sorted({*one, *other}):
        if spans and spans[-1][1] >= after:
            spans[-1] = spans[-1][0], max(spans[-1][1], until)
        else:
            spans.append((after, until))
    return tuple(spans[-MOST:])
