"""One rollup of panes serves all four windows.

A window is a trailing period cut into panes on the UTC grid. A contribution is kept once, in the finest level whose
window still holds it: one-minute panes for the last hour, then 15 minutes, 2 hours, 12 hours. What leaves a level is
subtracted from that level's window and merged upward, so every window is maintained by additions and exact
subtractions, and a retraction finds its level by its minute alone, however far the original has climbed.
"""

from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

WINDOWS = ("1h", "24h", "7d", "28d")
WIDTHS = (1, 15, 120, 720)
"""Minutes in a pane of each window; each divides the next."""
COUNTS = (60, 96, 84, 56)
"""Panes in each window, the running one included."""

KEY_BITS = 36
_KEY_MASK = (1 << KEY_BITS) - 1
_FAR = (1 << 26) - 1  # the year 2097: the last minute that is told apart, so that (pane, key) fits 63 bits
_FRESH = 8192  # entries that may lie unsorted; sorting them together costs a third of sorting each batch


def oldest(as_of: int, level: int) -> int:
    """Give the first minute that the window of `level` holds at `as_of` (both in minutes since the epoch)."""
    return (as_of // WIDTHS[level] - COUNTS[level] + 1) * WIDTHS[level]


class Entries(NamedTuple):
    """Signed amounts by pane and key, as three columns of one length."""

    panes: Ints
    keys: Ints
    amounts: Ints


class Tally(Protocol):
    """Whatever is kept per window and can be added to and subtracted from."""

    def add(self, windows: Ints, keys: Ints, amounts: Ints) -> None:
        """Add each signed amount to its key in its window (0..3)."""


class _Run(NamedTuple):
    """Sorted by (pane, key), which are packed into one integer; no two alike, no amount 0."""

    codes: Ints
    amounts: Ints


def _merged(runs: list[_Run], kind: Literal["quicksort", "stable"]) -> _Run:
    codes = np.concatenate([run.codes for run in runs])
    amounts = np.concatenate([run.amounts for run in runs])
    if not len(codes):
        return _Run(codes, amounts)
    order = np.argsort(codes, kind=kind)
    codes = codes[order]
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    sums = np.add.reduceat(amounts[order], starts, dtype=amounts.dtype)
    kept = sums != 0
    return _Run(codes[starts[kept]], sums[kept])


class Panes:
    """Signed amounts by (pane, key), to be taken out oldest first. Mutable.

    Batches are sorted into runs of geometric sizes, as in a log-structured merge tree: there are never more than a few
    runs, and a small batch costs no more than its share, whatever lies there already.
    """

    def __init__(self, dtype: type[np.signedinteger] = np.int64) -> None:
        self._dtype = dtype
        self._fresh: list[_Run] = []
        self._fresh_n = 0
        self._runs: list[_Run] = []

    def __len__(self) -> int:
        return self._fresh_n + sum(len(run.codes) for run in self._runs)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(run.codes.nbytes + run.amounts.nbytes for run in self._runs + self._fresh)

    def add(self, panes: Ints, keys: Ints, amounts: Ints) -> None:
        """Keep signed `amounts`; the same pane and key as an earlier entry adds up with it."""
        if not len(keys):
            return
        self._fresh.append(_Run(panes << KEY_BITS | keys, amounts.astype(self._dtype)))
        self._fresh_n += len(keys)
        if self._fresh_n > _FRESH:
            self._settle()

    def take(self, last: int) -> Entries:
        """Remove and give everything in panes up to and including `last`, each (pane, key) once."""
        self._settle()
        taken, left = [], []
        for run in self._runs:
            cut = int(np.searchsorted(run.codes, (last + 1) << KEY_BITS))
            taken.append(_Run(run.codes[:cut], run.amounts[:cut]))
            if cut < len(run.codes):
                left.append(_Run(run.codes[cut:].copy(), run.amounts[cut:].copy()) if cut else run)
        self._runs = left
        if not taken:
            empty = np.zeros(0, np.int64)
            return Entries(empty, empty, empty)
        codes, amounts = _merged(taken, "stable")
        return Entries(codes >> KEY_BITS, codes & _KEY_MASK, amounts.astype(np.int64))

    def entries(self) -> Entries:
        """Give all of it and keep it; what has not been sorted in yet may name a (pane, key) again."""
        runs = self._runs + self._fresh
        if not runs:
            empty = np.zeros(0, np.int64)
            return Entries(empty, empty, empty)
        codes, amounts = (np.concatenate(column) for column in zip(*runs, strict=True))
        return Entries(codes >> KEY_BITS, codes & _KEY_MASK, amounts.astype(np.int64))

    def _settle(self) -> None:
        if not self._fresh:
            return
        self._runs.append(_merged(self._fresh, "quicksort"))
        self._fresh, self._fresh_n = [], 0
        while len(self._runs) > 1 and len(self._runs[-2].codes) < 2 * len(self._runs[-1].codes):
            self._runs.append(_merged([self._runs.pop(), self._runs.pop()], "stable"))  # timsort merges what is sorted


class Rollup:
    """Moves contributions through the windows of one tally as time goes by. Mutable; the tally sees every change.

    What ages is rolled up into coarser panes, as a time-series database does with its samples.
    `dtype` is that of the amounts at rest: the smallest that holds the sum of one key over 12 hours.
    """

    def __init__(self, tally: Tally, as_of: int, dtype: type[np.signedinteger] = np.int64) -> None:
        self._tally = tally
        self._as_of = as_of
        self._levels = [Panes(dtype) for _ in WIDTHS]
        self._waiting = Panes(dtype)

    def __len__(self) -> int:
        return len(self._waiting) + sum(map(len, self._levels))

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is kept for later subtraction."""
        return self._waiting.nbytes + sum(level.nbytes for level in self._levels)

    def file(self, minutes: Ints, keys: Ints, amounts: Ints) -> None:
        """Add signed amounts at their minutes: to the windows that hold them, or to those that wait; the long past is dropped."""
        edges = [oldest(self._as_of, level) for level in (3, 2, 1, 0)]
        place = (5 - np.searchsorted([*edges, self._as_of + 1], minutes, "right")).astype(np.uint8)  # 0 waits, 1..4 level, 5 is past
        order = np.argsort(place, kind="stable")
        minutes, keys, amounts = minutes[order], keys[order], amounts[order]
        early, *ends = np.bincount(place, minlength=6).cumsum()[:5].tolist()
        self._waiting.add(np.minimum(minutes[:early], _FAR), keys[:early], amounts[:early])
        for level, (start, end) in enumerate(zip([early, *ends], ends, strict=False)):
            self._levels[level].add(minutes[start:end] // WIDTHS[level], keys[start:end], amounts[start:end])
        if ends[-1] > early:  # whatever a finer window holds, the coarser ones hold too
            self._tally.add(
                np.repeat(np.arange(len(ends)), [end - early for end in ends]),
                np.concatenate([keys[early:end] for end in ends]),
                np.concatenate([amounts[early:end] for end in ends]),
            )

    def advance(self, as_of: int) -> None:
        """Move all edges to `as_of`, which is later than before."""
        before, self._as_of = self._as_of, as_of
        for level, panes in enumerate(self._levels):
            first = oldest(as_of, level)
            if first == oldest(before, level):
                continue
            gone = panes.take(first // WIDTHS[level] - 1)
            if not len(gone.keys):
                continue
            self._tally.add(np.full(len(gone.keys), level), gone.keys, -gone.amounts)
            if level + 1 < len(WIDTHS):
                self._levels[level + 1].add(gone.panes // (WIDTHS[level + 1] // WIDTHS[level]), gone.keys, gone.amounts)
        due = self._waiting.take(as_of)
        if len(due.keys):
            self.file(due.panes, due.keys, due.amounts)

    def held(self) -> Entries:
        """Give what the windows hold, each amount with the last minute of the pane that it lies in."""
        levels = [level.entries() for level in self._levels]
        last = [(entries.panes + 1) * width - 1 for entries, width in zip(levels, WIDTHS, strict=True)]
        return Entries(*(np.concatenate(column) for column in (last, [e.keys for e in levels], [e.amounts for e in levels])))
