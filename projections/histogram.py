"""Log-bucket histograms: quantiles from counts that can be added to and subtracted from.

A bucket's last value is at most 5 % above its first, and it stands for the value whose largest relative error over the
bucket is least (the harmonic mean of both ends), so a quantile is off by less than 2.44 % and never off at all below
20 ms. Buckets lie in pages of 32 that exist only where something was counted: a department's response times spread over
a handful of pages, not over 25 years.
"""

from itertools import accumulate, repeat

import numpy as np
from numpy.typing import NDArray

from projections.measures import SERIES
from projections.panes import Ints
from projections.place import SCOPES, Places, grown

BUCKETS = 512
_SLOT_BITS = (SERIES * BUCKETS - 1).bit_length()
_PAGE = 32
_PAGES = BUCKETS // _PAGE
_BLOCK = 512  # histograms looked through at once: what fits the cache takes half the time

STARTS = np.fromiter(accumulate(repeat(0, BUCKETS), lambda start, _: start * 21 // 20 + 1), np.int64)
"""The least value of each bucket, in whole milliseconds; the last one begins at 25 years and has no end."""
_LASTS = np.append(STARTS[1:] - 1, STARTS[-1])
VALUES: NDArray[np.float64] = 2.0 * STARTS * _LASTS / np.maximum(STARTS + _LASTS, 1)
"""What each bucket stands for."""


def bucket_of(durations: Ints) -> Ints:
    """Find the bucket of each duration in ms; what is negative counts as 0, what is beyond 25 years as 25 years."""
    return np.maximum(np.searchsorted(STARTS, durations, "right") - 1, 0)


def keys_of(places: Ints, series: Ints, durations: Ints) -> Ints:
    """Keys of durations in ms: where, in which histogram, in which bucket."""
    return (places << _SLOT_BITS) + series * BUCKETS + bucket_of(durations)


class Histograms:
    """`SERIES` histograms for every (cell, window), in pages made on first use and given back when empty. Mutable.

    A key is place << `_SLOT_BITS` | series * 512 + bucket.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._counts = np.zeros(256 * SERIES * _PAGES, np.int32)  # by (row, series, page): what is in that page
        self._page_of = np.zeros(256 * SERIES * _PAGES, np.int32)  # the same -> where it lies; 0 is no page
        self._pages = np.zeros((256, _PAGE), np.int32)
        self._pages_n = 1
        self._stale = np.zeros(256 * SERIES, np.bool_)  # by (row, series): changed since its quantiles were found
        self._found = np.zeros((256 * SERIES, 2))
        self._free: list[int] = []

    @property
    def nbytes(self) -> int:
        """Bytes in use: both tables and the pages handed out so far."""
        return self._places.rows_n * SERIES * (_PAGES * 8 + 17) + self._pages_n * _PAGE * 4

    def add(self, windows: Ints, keys: Ints, amounts: Ints) -> None:
        """Add each signed amount to its bucket in all cells of its place."""
        self._reserve()
        slots = keys & ((1 << _SLOT_BITS) - 1)
        rows = self._places.rows_of(keys >> _SLOT_BITS, windows)
        indices = (rows * (SERIES * _PAGES) + (slots // _PAGE)[:, None]).ravel()
        spread = np.repeat(amounts.astype(np.int32), SCOPES)
        pages = self._pages_at(indices)
        self._stale[indices // _PAGES] = True
        np.add.at(self._counts, indices, spread)
        np.add.at(self._pages.reshape(-1), pages * _PAGE + np.repeat(slots % _PAGE, SCOPES), spread)
        self._give_back(indices[self._counts[indices] == 0])

    def quantiles(self, rows: Ints) -> NDArray[np.float64]:
        """(2, SERIES, rows): p50 and p90 of each series by nearest rank, in ms; 0.0 where there is nothing."""
        self._reserve()
        stale = np.flatnonzero(self._stale)
        self._stale[stale] = False
        for start in range(0, len(stale), _BLOCK):
            block = stale[start : start + _BLOCK]
            self._found[block] = self._nearest(block)
        return self._found.reshape(-1, SERIES, 2)[rows].transpose(2, 1, 0)

    def _nearest(self, series: Ints) -> NDArray[np.float64]:
        # `take` and 32 bits: half the time of indexing in 64
        counts = self._counts.reshape(-1, _PAGES).take(series, axis=0)
        upto = np.cumsum(counts, axis=1, dtype=np.int32)
        n = upto[:, -1:]
        ranks = np.concatenate([n - n // 2, n - n // 10], axis=1)
        pages = np.argmax(upto[:, None] >= ranks[:, :, None], axis=2)  # the first page that reaches the rank
        at = np.arange(len(series))[:, None] * _PAGES + pages
        within = ranks - upto.take(at) + counts.take(at)
        lies_at = self._page_of.take(series[:, None] * _PAGES + pages)
        buckets = np.cumsum(self._pages.take(lies_at, axis=0), axis=2, dtype=np.int32)
        found: NDArray[np.float64] = VALUES[pages * _PAGE + np.argmax(buckets >= within[:, :, None], axis=2)]
        return found

    def _reserve(self) -> None:
        size = self._places.rows_n * SERIES * _PAGES
        self._counts = grown(self._counts, size)
        self._page_of = grown(self._page_of, size)
        self._stale = grown(self._stale, size // _PAGES)
        self._found = grown(self._found, size // _PAGES)

    def _pages_at(self, indices: Ints) -> Ints:
        pages = self._page_of[indices]
        if not pages.all():
            self._hand_out(np.unique(indices[pages == 0]))
            pages = self._page_of[indices]
        return pages.astype(np.int64)

    def _hand_out(self, indices: Ints) -> None:
        used = self._free[-len(indices) :]
        del self._free[-len(indices) :]
        new = range(self._pages_n, self._pages_n + len(indices) - len(used))
        self._pages_n = new.stop
        self._pages = grown(self._pages, self._pages_n)
        self._pages[used] = 0
        self._page_of[indices] = [*used, *new]

    def _give_back(self, indices: Ints) -> None:
        if len(indices):
            indices = np.unique(indices)
            self._free.extend(self._page_of[indices].tolist())
            self._page_of[indices] = 0
