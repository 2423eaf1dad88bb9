"""The promises of one partition that are still open, and when something is to be announced of them.

Every question that is not settled has a row here: what the numbers of the moment are counted from, and its instants. A heap
holds the next instant of each, so that as time passes only those are looked at that have come due. All of it can be made
again from the cases; only up to when everything was announced, and when nobody was notified, is written beside the clock.
"""

from __future__ import annotations

from heapq import heappop, heappush
from struct import Struct as Layout
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from projections.announcement import Announcement, Passed
from projections.episode import UNRESOLVED
from projections.muted import STALE_MS, Muted, is_muted, lengthened, united

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from projections.contribution import There
    from projections.episode import Episode

PRIORITIES: Final = ("routine", "urgent", "critical")
_NUMBER_OF: Final = {name: number for number, name in enumerate(PRIORITIES)}
_ROW: Final = Layout("<iiqqqqqq")
_ROW_BYTES: Final = _ROW.size
_INSTANTS: Final = Layout("<qqqq")
_INSTANTS_AT: Final = _ROW_BYTES - _INSTANTS.size
_WAITING_AT: Final = _INSTANTS_AT - 8
_pack_waiting: Final = Layout("<q").pack_into
_pack_answered: Final = Layout("<qqq").pack_into
_pack_settled: Final = Layout("<qqqqq").pack_into
_pack_free: Final = Layout("<i").pack_into
ROW_TYPE: Final = np.dtype(
    [
        ("place", "<i4"),
        ("priority", "<i4"),
        ("known_at", "<i8"),
        ("waiting_since", "<i8"),
        ("response_warn_at", "<i8"),
        ("response_due_at", "<i8"),
        ("resolution_warn_at", "<i8"),
        ("resolution_due_at", "<i8"),
    ]
)
"""A row of `open`: instants in ms, 0 where there is none, also of a promise that is answered; place -1 where the row is free."""
_FREE: Final = _ROW.pack(-1, 0, 0, 0, 0, 0, 0, 0)
_FIRST_ROWS: Final = 256


class OpenPromises:
    """Mutable, owned by one partition."""

    def __init__(self) -> None:
        self.announced_to = 0
        """The clock up to which everything has been announced."""
        self.muted: Muted = ()
        self.last_contact_at: dict[str, int] = {}
        """District -> when somebody last contacted it, ms."""
        self._due: dict[tuple[str, str, Passed], Announcement] = {}
        self.forget_all()

    def forget_all(self) -> None:
        """Know of no open question any more; what is to be announced stays."""
        self._row_of: dict[bytes, int] = {}
        self._older: dict[bytes, list[bytes]] = {}
        self._rows = bytearray(_FREE * _FIRST_ROWS)
        self._free = list(range(_FIRST_ROWS))
        self._timers: list[tuple[int, bytes]] = []
        self.last_contact_at = {}

    def restore(self, clock: int, muted: Muted) -> None:
        """Go on from where another worker wrote that it had announced everything."""
        self.announced_to = max(self.announced_to, clock)
        self.muted = united(self.muted, muted)

    # -- what is open -------------------------------------------------------------------------------------------------
    def keep(self, key: bytes, district: str, episodes: Sequence[Episode], places: Callable[[str], There], moved: bool) -> None:
        """Take note of a case as it is now; `moved` when its newest episode may be another one than before, or elsewhere, or due otherwise.

        An instant is awaited only from `announced_to` on.
        """
        row = self._row_of.get(key)
        if row is None or moved:
            self._keep_anew(key, district, episodes, places(district))
            return
        last = episodes[-1]
        if last.standing != UNRESOLVED:
            self._drop(key)
            return
        # what nearly all events need, at a third of the time of noting everything
        if last.messages:
            self._contacted(district, last.messages[-1][0])
        at = row * _ROW_BYTES
        if last.first_resolved_at is not None:
            _pack_settled(self._rows, at + _WAITING_AT, last.waiting_since or 0, 0, 0, 0, 0)
        elif last.first_response_at is None:
            _pack_waiting(self._rows, at + _WAITING_AT, last.waiting_since or 0)
        else:
            _pack_answered(self._rows, at + _WAITING_AT, last.waiting_since or 0, 0, 0)

    def _keep_anew(self, key: bytes, district: str, episodes: Sequence[Episode], place: There) -> None:
        last = episodes[-1]
        if len(episodes) > 1 or self._older:
            self._keep_older(key, episodes, place)
        if last.contacted:
            self._contacted(district, last.messages[-1][0] if last.messages else last.opening.time)
        if last.contacted and last.standing == UNRESOLVED:
            self._put(key, last, place)
        elif key in self._row_of:
            self._drop(key)

    def _contacted(self, district: str, at: int) -> None:
        if at > self.last_contact_at.get(district, 0):
            self.last_contact_at[district] = at

    def drop(self, key: bytes) -> None:
        """Forget a case."""
        for name in (key, *self._older.pop(key, ())):
            if name in self._row_of:
                self._drop(name)

    def _put(self, name: bytes, episode: Episode, place: There) -> None:
        asked = episode.opening
        instants = _instants(episode)
        row = self._row_of.get(name)
        if row is None:
            row = self._row_of[name] = self._free.pop() if self._free else self._grow()
            awaited: tuple[int, ...] = ()
        else:
            awaited = _INSTANTS.unpack_from(self._rows, row * _ROW_BYTES + _INSTANTS_AT)
        _ROW.pack_into(
            self._rows,
            row * _ROW_BYTES,
            place(asked.school, asked.department),
            _NUMBER_OF[asked.priority],  # type: ignore[union-attr] # an open episode was opened by a contact
            asked.time + episode.late_ms,
            episode.waiting_since or 0,
            *instants,
        )
        if instants != awaited:
            following = _first_from(self.announced_to, instants)
            if following and following not in awaited:
                heappush(self._timers, (following, name))

    def _keep_older(self, key: bytes, episodes: Sequence[Episode], place: There) -> None:
        """Questions that were settled once, asked again and then left: open, but nothing is promised of them any more."""
        for name in self._older.pop(key, ()):
            self._drop(name)
        left = {key + b"\n%d" % i: each for i, each in enumerate(episodes[:-1]) if each.contacted and each.standing == UNRESOLVED}
        for name, episode in left.items():
            self._put(name, episode, place)
        if left:
            self._older[key] = list(left)

    def _drop(self, name: bytes) -> None:
        row = self._row_of.pop(name)
        _pack_free(self._rows, row * _ROW_BYTES, -1)
        self._free.append(row)

    def _grow(self) -> int:
        rows = len(self._rows) // _ROW_BYTES
        self._rows += _FREE * rows
        self._free = list(range(rows, 2 * rows))
        return self._free.pop()

    def open(self) -> NDArray[Any]:
        """All open questions, as records of `ROW_TYPE`; a copy."""
        rows = np.frombuffer(self._rows, ROW_TYPE)
        return rows[rows["place"] >= 0]

    # -- as time passes -----------------------------------------------------------------------------------------------
    def come_due(self, clock: int) -> Iterator[bytes]:
        """Give the cases of which an instant has passed since everything was announced; a case may come twice."""
        timers = self._timers
        while timers and timers[0][0] < clock:
            _, name = heappop(timers)
            row = self._row_of.get(name)
            if row is not None:
                instants = _INSTANTS.unpack_from(self._rows, row * _ROW_BYTES + _INSTANTS_AT)
                if any(self.announced_to <= at < clock for at in instants):
                    yield name
                following = _first_from(clock, instants)
                if following:
                    heappush(timers, (following, name))

    # -- what is to be announced -------------------------------------------------------------------------------------
    def announce(self, announcements: Iterable[Announcement]) -> None:
        """Give these with the next `take`. Of one instant only the last announcement counts."""
        for each in announcements:
            name = each.district, each.subject, each.passed
            self._due.pop(name, None)
            self._due[name] = each

    def take(self, clock: int, wall: int) -> list[Announcement]:
        """Give what is to be announced up to `clock`, when it is really `wall`, and take it as announced.

        Of what passed over an hour ago nothing is raised. What comes after a raise is given unless that was certainly muted.
        """
        self.muted = lengthened(self.muted, self.announced_to, clock, wall)
        self.announced_to = max(self.announced_to, clock)
        news = [each for each in self._due.values() if self._is_news(each, wall)]
        self._due = {}
        return news

    def _is_news(self, each: Announcement, wall: int) -> bool:
        if each.state == "raised":
            return each.passed.at >= wall - STALE_MS
        return not is_muted(self.muted, max(each.passed.at, each.known_at))

    def were_muted(self, instants: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell of each whether it passed while the partition was over an hour behind."""
        found = np.zeros(len(instants), np.bool_)
        for after, until in self.muted:
            found |= (instants > after) & (instants <= until)
        return found


def _instants(episode: Episode) -> tuple[int, int, int, int]:
    """Both instants of the response, then of the resolution; 0 where nothing is promised, or nothing any more."""
    if episode.first_resolved_at is not None:
        return 0, 0, 0, 0
    warn_at, due_at = episode.resolution_warn_at or 0, episode.resolution_due_at or 0
    if episode.first_response_at is not None:
        return 0, 0, warn_at, due_at
    return episode.response_warn_at or 0, episode.response_due_at or 0, warn_at, due_at


def _first_from(clock: int, instants: Iterable[int]) -> int:
    """Give the first of some instants that is not before `clock`; 0 where there is none."""
    return min([at for at in instants if at and at >= clock], default=0)
