"""How many promises came due in any trailing period, and how many of them were missed: of each cell, up to its own last edge.

The windows of `windows.py` trail the calendar; a department's day ends at four, and its last four open hours may begin
yesterday. So here the edge is asked for, cell by cell, and found to the pane of the rollup that it lies in. Promises that
were long broken when the first record told of them are left out: nobody could have been called in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from projections.measures import RESOLUTION_DUE, RESPONSE_DUE
from projections.panes import Rollup
from projections.place import NOWHERE, SCOPES

if TYPE_CHECKING:
    from projections.panes import Ints
    from projections.place import Places

KINDS: Final = 4
"""Response missed and kept, resolution missed and kept."""


class _Nobody:
    """No total is kept: what is asked for is added up from the panes."""

    def add(self, windows: Ints, keys: Ints, amounts: Ints) -> None: ...


class Deadlines:
    """Mutable. A key is place * 4 + kind."""

    def __init__(self, places: Places, as_of: int) -> None:
        self._places = places
        self._rollup = Rollup(_Nobody(), as_of, np.int32)

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept."""
        return self._rollup.nbytes

    def file(self, records: Ints) -> None:
        """Take contributions (measure, minute, place, a, b, sign); others than promises in time for a call are passed over."""
        measure, _, _, _, late, _ = records.T
        owed = records[((measure == RESPONSE_DUE) | (measure == RESOLUTION_DUE)) & (late == 0)]
        if len(owed):
            measure, minute, place, kept, _, sign = owed.T
            self._rollup.file(minute, place * KINDS + (measure == RESOLUTION_DUE) * 2 + kept, sign)

    def advance(self, as_of: int) -> None:
        """Move on to a later minute."""
        self._rollup.advance(as_of)

    def since(self, first: Ints) -> Ints:
        """(cells, periods, 4): what came due in each cell from the minute `first[cell, period]` on, by kind."""
        cells, periods = first.shape
        counts = np.zeros((cells, periods, KINDS), np.int64)
        last, keys, amounts = self._rollup.held()
        for scope in range(SCOPES):
            cell = self._places.cells_of[keys // KINDS, scope]
            inside = (cell != NOWHERE) & (cell < cells)
            which, until, kind, amount = cell[inside], last[inside], keys[inside] % KINDS, amounts[inside]
            for period in range(periods):
                held = until >= first[which, period]
                counts[:, period] += (
                    np.bincount(which[held] * KINDS + kind[held], weights=amount[held], minlength=cells * KINDS)
                    .reshape(cells, KINDS)
                    .astype(np.int64)
                )
        return counts
