"""How many different people: exact reference counts of pseudonyms in every cell and window.

A pseudonym at a place is an entry, a pseudonym in a cell is a pair; an entry counts in up to four pairs, and a pair that
goes from nothing to something (or back) changes its cell's number of people. Entries of one name in one district share
the pairs of the cells that they have in common. Names are looked up once per message; everything that time does afterwards
is arithmetic on ids. What no window holds any more is forgotten, and its ids are used again.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from projections.panes import WINDOWS, Ints
from projections.place import NOWHERE, SCOPES, Places, grown

_LAST = len(WINDOWS) - 1


class _Ids:
    """Small numbers from 1 on (0 is nobody), used again once they are given back."""

    def __init__(self) -> None:
        self.n = 1
        self._free: list[int] = []

    def take(self) -> int:
        if self._free:
            return self._free.pop()
        self.n += 1
        return self.n - 1

    def take_many(self, n: int) -> list[int]:
        kept = max(len(self._free) - n, 0)
        used, self._free = self._free[kept:], self._free[:kept]
        first, self.n = self.n, self.n + n - len(used)
        return [*used, *range(first, self.n)]

    def give_back(self, ids: list[int]) -> None:
        self._free += ids


class Stakeholders:
    """The number of different pseudonyms in every (cell, window). Mutable. A key is an entry's id."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._entry_ids = _Ids()
        self._pair_ids = _Ids()
        self._known: defaultdict[int, dict[str, tuple[int, ...]]] = defaultdict(dict)  # cell of the district -> name -> its entries
        self._name_of = [""]
        self._places_of = [-1]  # by entry, for single look-ups
        self._place_of = np.zeros(256, np.int32)  # the same, for many at once
        self._pairs_of = np.zeros((256, SCOPES), np.int32)
        self._held = np.zeros(256, np.int32)  # by entry: messages in the longest window
        self._users = np.zeros(256, np.int32)  # by pair: entries that count in it
        self._messages = np.zeros(256 * len(WINDOWS), np.int32)  # by (pair, window)
        self._people = np.zeros(256 * len(WINDOWS), np.int32)  # by row

    def __len__(self) -> int:
        """Names that are remembered, each once for every district."""
        return sum(map(len, self._known.values()))

    @property
    def nbytes(self) -> int:
        """Bytes in arrays, without the names and what finds them."""
        return self._entry_ids.n * (SCOPES + 2) * 4 + self._pair_ids.n * (len(WINDOWS) + 1) * 4 + self._places.rows_n * 4

    def enter(self, places: Sequence[int], names: Sequence[str]) -> Ints:
        """Give the entries of stakeholders at places, made where they are new; they live until no window holds them."""
        districts = self._places.cells_of[list(places), 0].tolist()
        entries: list[int] = []
        fresh: list[int] = []
        related: tuple[list[int], list[int]] = ([], [])
        for district, place, name in zip(districts, places, names, strict=True):
            known = self._known[district]
            others = known.get(name, ())
            entry = 0
            for other in others:
                if self._places_of[other] == place:
                    entry = other
                    break
            if not entry:
                entry = self._new_entry(place, name)
                known[name] = (*others, entry)
                fresh.append(entry)
                related[0].extend([entry] * len(others))
                related[1].extend(others)
            entries.append(entry)
        if fresh:
            self._pair(np.array(fresh, np.int64))
        if related[0]:
            self._share(*related)
        np.add.at(self._users, self._pairs_of[np.array(fresh, np.int64)].ravel(), 1)
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

    def _new_entry(self, place: int, name: str) -> int:
        entry = self._entry_ids.take()
        if entry == len(self._name_of):
            self._name_of.append(name)
            self._places_of.append(place)
        else:
            self._name_of[entry] = name
            self._places_of[entry] = place
        return entry

    def _pair(self, fresh: Ints) -> None:
        """Give every fresh entry a pair of its own for each of its cells."""
        places = [self._places_of[entry] for entry in fresh.tolist()]
        cells = self._places.cells_of[places]
        named = cells != NOWHERE
        ids = self._pair_ids.take_many(int(named.sum()))
        self._place_of = grown(self._place_of, self._entry_ids.n)
        self._pairs_of = grown(self._pairs_of, self._entry_ids.n)
        self._held = grown(self._held, self._entry_ids.n)
        self._users = grown(self._users, self._pair_ids.n)
        self._messages = grown(self._messages, self._pair_ids.n * len(WINDOWS))
        pairs = np.zeros((len(fresh), SCOPES), np.int32)
        pairs[named] = ids
        self._place_of[fresh] = places
        self._pairs_of[fresh] = pairs

    def _share(self, entries: list[int], others: list[int]) -> None:
        """Let each entry take the pairs of the first listed other that counts in the same cell; that one keeps its own."""
        cells = self._places.cells_of
        own = cells[self._place_of[entries]]
        which, scope = np.nonzero((own == cells[self._place_of[others]]) & (own != NOWHERE))
        which, scope = which[::-1], scope[::-1]  # of several, the last assignment holds: the first listed
        entry, other = np.array(entries)[which], np.array(others)[which]
        self._pair_ids.give_back(np.unique(self._pairs_of[entry, scope]).tolist())
        self._pairs_of[entry, scope] = self._pairs_of[other, scope]

    def _hold(self, entries: Ints, amounts: NDArray[np.int32]) -> None:
        np.add.at(self._held, entries, amounts)
        idle = entries[self._held[entries] == 0]
        if len(idle):
            self._forget(np.unique(idle))

    def _forget(self, entries: Ints) -> None:
        pairs = self._pairs_of[entries]
        np.add.at(self._users, pairs.ravel(), -1)
        unused = np.unique(pairs[self._users[pairs] == 0])
        self._pair_ids.give_back(unused[unused != 0].tolist())
        self._entry_ids.give_back(entries.tolist())
        for entry, district in zip(entries.tolist(), self._places.cells_of[self._place_of[entries], 0].tolist(), strict=True):
            known, name = self._known[district], self._name_of[entry]
            left = tuple(other for other in known[name] if other != entry)
            if left:
                known[name] = left
            else:
                del known[name]
