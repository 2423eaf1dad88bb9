"""Where numbers add up: places, and the cells that each of them counts in.

A place is what an event names: (district, school, department), the last two possibly ''. It counts in up to four cells:
the district always, the school and the department where they are named, both together where both are. Ids are dense, so
that everything kept per cell can lie in arrays; cell 0 is nowhere and takes what the absent scopes of a place would get.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from projections.panes import WINDOWS, Ints

NOWHERE = 0
SCOPES = 4
_T = TypeVar("_T", bound=np.generic)


class Cell(NamedTuple):
    """One key of the windows; `scope` is district, school, department or school_department."""

    district: str
    scope: str
    school: str
    department: str


def grown(array: NDArray[_T], rows: int) -> NDArray[_T]:
    """`array` with room for at least `rows`: itself, or a copy of twice the length with zeros behind."""
    if rows <= len(array):
        return array
    wider = np.zeros((max(rows, 2 * len(array)), *array.shape[1:]), array.dtype)
    wider[: len(array)] = array
    return wider


class Places:
    """Ids of places and cells, and which (cell, window) was touched. Mutable, only ever grows.

    A row is cell * 4 + window: the index of everything kept per (cell, window).
    """

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str, str], int] = {}
        self._cell_ids: dict[Cell, int] = {}
        self.cells_n = 1
        self.cells = [Cell("", "", "", "")]
        """Every cell by its number."""
        self.names: NDArray[np.object_] = np.full((256, len(Cell._fields)), "", np.object_)
        """Cell -> the four texts of its `Cell`."""
        self.cells_of = np.zeros((256, SCOPES), np.int32)
        """Place -> its four cells (district, school, department, both); NOWHERE where it has none."""
        self._touched_places = np.zeros(256 * len(WINDOWS), np.bool_)
        self._touched_rows = np.zeros(256 * len(WINDOWS), np.bool_)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def rows_n(self) -> int:
        """Rows there are, those of nowhere included."""
        return self.cells_n * len(WINDOWS)

    def place(self, district: str, school: str, department: str) -> int:
        """Give the id of a place, the same for the same names."""
        known = self._ids.get((district, school, department))
        return self._new_place(district, school, department) if known is None else known

    def cell(self, cell: Cell) -> int:
        """Give the id of a cell, made when it is new."""
        known = self._cell_ids.get(cell)
        if known is not None:
            return known
        number = self._cell_ids[cell] = self.cells_n
        self.cells_n += 1
        self.names = grown(self.names, self.cells_n)
        self.names[number] = cell
        self.cells.append(cell)
        self._touched_rows = grown(self._touched_rows, self.rows_n)
        return number

    def rows_of(self, places: Ints, windows: Ints) -> Ints:
        """(n, 4): the rows that contributions at `places` change in `windows`; marks them as touched."""
        self._touched_places[places * len(WINDOWS) + windows] = True
        rows: Ints = self.cells_of[places].astype(np.int64) * len(WINDOWS) + windows[:, None]
        return rows

    def touch(self, cells: slice | int) -> None:
        """Mark all windows of one or many cells."""
        self._touched_rows[: self.rows_n].reshape(-1, len(WINDOWS))[cells] = True

    def take_touched(self) -> Ints:
        """Rows touched since the last call, ascending, without nowhere."""
        places, windows = np.divmod(np.flatnonzero(self._touched_places), len(WINDOWS))
        self._touched_rows[self.cells_of[places] * len(WINDOWS) + windows[:, None]] = True
        self._touched_rows[: len(WINDOWS)] = False
        rows = np.flatnonzero(self._touched_rows)
        self._touched_places[:] = False
        self._touched_rows[:] = False
        return rows

    def _new_place(self, district: str, school: str, department: str) -> int:
        place = self._ids[district, school, department] = len(self._ids)
        self.cells_of = grown(self.cells_of, len(self._ids))
        self._touched_places = grown(self._touched_places, len(self._ids) * len(WINDOWS))
        self.cells_of[place] = [
            self.cell(Cell(district, "district", "", "")),
            self.cell(Cell(district, "school", school, "")) if school else NOWHERE,
            self.cell(Cell(district, "department", "", department)) if department else NOWHERE,
            self.cell(Cell(district, "school_department", school, department)) if school and department else NOWHERE,
        ]
        return place
