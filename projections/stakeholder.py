"""How many different people: exact reference counts of pseudonyms in every cell and window.

A pseudonym at a place is an entry, a pseudonym in a cell is a pair; an entry counts in up to four pairs, and a pair that
goes from nothing to something (or back) changes its cell's number of people. Names are looked up once per message;
everything that time does afterwards is arithmetic on ids. What no window holds any more is forgotten, and its ids used again.
"""

from collections.abc import Sequence

import numpy as np

from projections.panes import WINDOWS, Ints
from projections.place import NOWHERE, SCOPES, Places, grown

_LAST = len(WINDOWS) - 1


class _Names:
    """Dense ids of (owner, name), given back when they are no longer needed."""

    def __init__(self) -> None:
        self._ids: list[dict[str, int]] = []
        self._free: list[int] = []
        self.n = 1  # id 0 is nobody

    def get(self, owner: int, name: str) -> int | None:
        while owner >= len(self._ids):
            self._ids.append({})
        return self._ids[owner].get(name)

    def new(self, owner: int, name: str) -> int:
        if self._free:
            number = self._free.pop()
        else:
            number = self.n
            self.n += 1
        self._ids[owner][name] = number
        return number

    def forget(self, owner: int, name: str) -> None:
        self._free.append(self._ids[owner].pop(name))


class Stakeholders:
    """The number of different pseudonyms in every (cell, window). Mutable. A key is an entry's id."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._entries = _Names()
        self._pairs = _Names()
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
        return sum(map(len, self._pairs._ids))  # noqa: SLF001 - the two classes of this module are one thing

    def enter(self, places: Sequence[int], names: Sequence[str]) -> Ints:
        """Give the entries of stakeholders at places, made where they are new; they live until no window holds them."""
        fresh: list[tuple[int, int, list[int]]] = []
        entries = []
        for place, name in zip(places, names, strict=True):
            entry = self._entries.get(place, name)
            if entry is None:
                entry = self._new_entry(place, name)
                fresh.append((entry, place, self._pairs_for(place, name)))
            entries.append(entry)
        self._write(fresh)
        return np.array(entries, np.int64)

    def add(self, windows: Ints, keys: Ints, amounts: Ints) -> None:
        """Add signed numbers of messages to entries in windows; count who came and who went."""
        self._people = grown(self._people, self._places.rows_n)
        self._places.rows_of(self._place_of[keys].astype(np.int64), windows)
        slots, which = np.unique(self._pairs_of[keys].astype(np.int64) * len(WINDOWS) + windows[:, None], return_inverse=True)
        before = self._messages[slots]
        after = before + np.bincount(which.ravel(), np.repeat(amounts, SCOPES), len(slots)).astype(np.int32)
        self._messages[slots] = after
        change = (after > 0).astype(np.int32) - (before > 0)
        rows = self._cell_of[slots // len(WINDOWS)].astype(np.int64) * len(WINDOWS) + slots % len(WINDOWS)
        np.add.at(self._people, rows, change)
        lasting = windows == _LAST
        np.add.at(self._held, keys[lasting], amounts[lasting].astype(np.int32))
        self._forget(np.unique(keys[lasting][self._held[keys[lasting]] == 0]))

    def people(self, rows: Ints) -> Ints:
        """Count the different pseudonyms in each row."""
        self._people = grown(self._people, self._places.rows_n)
        return self._people[rows].astype(np.int64)

    def _new_entry(self, place: int, name: str) -> int:
        entry = self._entries.new(place, name)
        if entry == len(self._name_of):
            self._name_of.append(name)
        else:
            self._name_of[entry] = name
        return entry

    def _pairs_for(self, place: int, name: str) -> list[int]:
        pairs = []
        for cell in self._places.cells_of[place].tolist():
            pair = self._pairs.get(cell, name) if cell else 0
            pairs.append(self._pairs.new(cell, name) if pair is None else pair)
        return pairs

    def _write(self, fresh: list[tuple[int, int, list[int]]]) -> None:
        if not fresh:
            return
        self._place_of = grown(self._place_of, self._entries.n)
        self._pairs_of = grown(self._pairs_of, self._entries.n)
        self._held = grown(self._held, self._entries.n)
        self._cell_of = grown(self._cell_of, self._pairs.n)
        self._users = grown(self._users, self._pairs.n)
        self._messages = grown(self._messages, self._pairs.n * len(WINDOWS))
        entries, places, pairs = (list(column) for column in zip(*fresh, strict=True))
        self._place_of[entries] = places
        self._pairs_of[entries] = pairs
        self._cell_of[pairs] = self._places.cells_of[places]
        np.add.at(self._users, np.array(pairs).ravel(), 1)

    def _forget(self, entries: Ints) -> None:
        if not len(entries):
            return
        pairs = self._pairs_of[entries]
        np.add.at(self._users, pairs.ravel(), -1)
        for entry, place in zip(entries.tolist(), self._place_of[entries].tolist(), strict=True):
            self._entries.forget(place, self._name_of[entry])
        unused, first = np.unique(np.where(self._users[pairs] == 0, pairs, 0).ravel(), return_index=True)
        owners = entries[first // SCOPES]
        for pair, entry in zip(unused.tolist(), owners.tolist(), strict=True):
            if pair != NOWHERE:
                self._pairs.forget(int(self._cell_of[pair]), self._name_of[entry])
