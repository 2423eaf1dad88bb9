"""How many different people: exact reference counts of pseudonyms in every cell and window.

A pseudonym at a place is an entry, a pseudonym in a cell is a pair; an entry counts in up to four pairs, and a pair that
goes from nothing to something (or back) changes its cell's number of people. Names are looked up once per message;
everything that time does afterwards is arithmetic on ids. What no window holds any more is forgotten, and its ids used again.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from projections.panes import WINDOWS, Ints
from projections.place import SCOPES, Places, grown

_LAST = len(WINDOWS) - 1


class _Ids:
    """Small numbers from 1 on (0 is nobody), used again once they are given back."""

    def __init__(self) -> None:
        self.n = 1
        self.free: list[int] = []

    def reserve(self, n: int) -> None:
        """Have at least `n` numbers in `free`, so that its `pop` can make them: a third of the time of a call in Python."""
        missing = n - len(self.free)
        if missing > 0:
            self.free[:0] = range(self.n + missing - 1, self.n - 1, -1)
            self.n += missing


class Stakeholders:
    """The number of different pseudonyms in every (cell, window). Mutable. A key is an entry's id."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._entry_ids = _Ids()
        self._pair_ids = _Ids()
        self._entries: defaultdict[int, dict[str, int]] = defaultdict(dict)  # place -> name -> entry
        self._pairs: defaultdict[int, defaultdict[str, int]] = defaultdict(
            lambda: defaultdict(self._pair_ids.free.pop)
        )  # cell -> name -> pair
        self._name_of: list[str] = [""]
        self._place_of = np.zeros(256, np.int32)
        self._pairs_of = np.zeros((256, SCOPES), np.int32)
        self._held = np.zeros(256, np.int32)  # by entry: messages in the longest window
        self._cell_of = np.zeros(256, np.int32)
        self._users = np.zeros(256, np.int32)  # by pair: entries that count in it
        self._messages = np.zeros(256 * len(WINDOWS), np.int32)  # by (pair, window)
        self._people = np.zeros(256 * len(WINDOWS), np.int32)  # by row

    def __len__(self) -> int:
        """Pseudonyms in cells that are remembered."""
        return sum(map(len, self._pairs.values()))

    def enter(self, places: Sequence[int], names: Sequence[str]) -> Ints:
        """Give the entries of stakeholders at places, made where they are new; they live until no window holds them."""
        self._entry_ids.reserve(len(places))
        entries, fresh = [], []
        for place, name in zip(places, names, strict=True):
            known = self._entries[place]
            entry = known.get(name)
            if entry is None:
                entry = known[name] = self._entry_ids.free.pop()
                fresh.append((entry, place, name))
            entries.append(entry)
        if fresh:
            self._write(fresh)
        return np.array(entries, np.int64)

    def add(self, windows: Ints, keys: Ints, amounts: Ints) -> None:
        """Add signed numbers of messages to entries in windows; count who came and who went."""
        self._people = grown(self._people, self._places.rows_n)
        rows = self._places.rows_of(self._place_of[keys].astype(np.int64), windows)
        slots, first, which = np.unique(
            self._pairs_of[keys].astype(np.int64) * len(WINDOWS) + windows[:, None], return_index=True, return_inverse=True
        )
        before = self._messages[slots]
        after = before + np.bincount(which.ravel(), np.repeat(amounts, SCOPES), len(slots)).astype(np.int32)
        self._messages[slots] = after
        np.add.at(self._people, rows.ravel()[first], (after > 0).astype(np.int32) - (before > 0))
        lasting = windows == _LAST
        self._hold(keys[lasting], amounts[lasting].astype(np.int32))

    def people(self, rows: Ints) -> Ints:
        """Count the different pseudonyms in each row."""
        self._people = grown(self._people, self._places.rows_n)
        return self._people[rows].astype(np.int64)

    def _write(self, fresh: list[tuple[int, int, str]]) -> None:
        entries, places, names = (list(column) for column in zip(*fresh, strict=True))
        cells = self._places.cells_of[places]
        self._pair_ids.reserve(cells.size)
        pairs = [[self._pairs[cell][name] if cell else 0 for cell in of] for of, name in zip(cells.tolist(), names, strict=True)]
        self._place_of = grown(self._place_of, self._entry_ids.n)
        self._pairs_of = grown(self._pairs_of, self._entry_ids.n)
        self._held = grown(self._held, self._entry_ids.n)
        self._cell_of = grown(self._cell_of, self._pair_ids.n)
        self._users = grown(self._users, self._pair_ids.n)
        self._messages = grown(self._messages, self._pair_ids.n * len(WINDOWS))
        self._name_of += [""] * (self._entry_ids.n - len(self._name_of))
        for entry, name in zip(entries, names, strict=True):
            self._name_of[entry] = name
        self._place_of[entries] = places
        self._pairs_of[entries] = pairs
        self._cell_of[pairs] = cells
        np.add.at(self._users, np.array(pairs).ravel(), 1)

    def _hold(self, entries: Ints, amounts: "np.ndarray[tuple[int, ...], np.dtype[np.int32]]") -> None:
        np.add.at(self._held, entries, amounts)
        idle = entries[self._held[entries] == 0]
        if len(idle):
            self._forget(np.unique(idle))

    def _forget(self, entries: Ints) -> None:
        pairs = self._pairs_of[entries]
        np.add.at(self._users, pairs.ravel(), -1)
        names = [self._name_of[entry] for entry in entries.tolist()]
        for place, name in zip(self._place_of[entries].tolist(), names, strict=True):
            self._entry_ids.free.append(self._entries[place].pop(name))
        unused, first = np.unique(np.where(self._users[pairs] == 0, pairs, 0), return_index=True)
        named = unused != 0
        for cell, which in zip(self._cell_of[unused[named]].tolist(), (first[named] // SCOPES).tolist(), strict=True):
            self._pair_ids.free.append(self._pairs[cell].pop(names[which]))
