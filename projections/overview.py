"""How it stands in each cell of a partition at this moment: who waits, which promises are open too long, what came due lately.

Counted when somebody asks, from the table of open questions and from the panes of deadlines, so that events pay nothing for
it. Everything is as of the clock up to which the partition has announced what there is to announce of promises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from projections.announcement import STAGES, TARGETS
from projections.contribution import HOUR_MS, MINUTE_MS
from projections.place import NOWHERE, Cell
from projections.promises import PRIORITIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from events.schedule import Schedule
    from projections.panes import Ints
    from projections.partition import Partition

PERIODS: Final = ("30m", "2h", "4h", "24h")
PERIODS_MS: Final = (HOUR_MS // 2, 2 * HOUR_MS, 4 * HOUR_MS, 24 * HOUR_MS)
"""Of open time, ending now."""
SCOPES: Final = ("district", "school", "department")
"""Those that are looked at, in the order of `Places.cells_of`; a school's department is not."""
_NEVER: Final = 1 << 40
"""A minute after all others."""

Schedules: TypeAlias = Callable[[str, str, str], "Schedule"]
"""The open hours of (district, department, school), as `Directory.schedule_of` gives them."""


class Overview(NamedTuple):
    """Of every cell of a partition, by its number in `cells`; of those that are not looked at, zeros.

    `overdue` counts open promises that have reached a stage and no later one, by (target, stage, priority), `backlog` those
    that are broken and were over an hour past when they became known, or when somebody could tell, by (target, priority).
    `due` and `missed` are by (target, period).
    """

    clock: int
    cells: list[Cell]
    open_n: Ints
    waiting_n: Ints
    oldest_waiting_since: Ints
    overdue: Ints
    backlog: Ints
    due: Ints
    missed: Ints


def overview(partition: Partition, schedule_of: Schedules) -> Overview:
    """Count it all. 0 in `oldest_waiting_since` (ms) where nobody waits."""
    clock, cells, rows = partition.promises.announced_to, partition.windows.cells, partition.promises.open()
    places = partition.windows.cells_of(rows["place"])[:, : len(SCOPES)]
    due = partition.windows.due_since(_first_minutes(cells, clock, schedule_of))
    waits = rows["waiting_since"] > 0
    return Overview(
        clock,
        cells,
        _spread(places, len(cells)),
        _spread(places[waits], len(cells)),
        _least(places[waits], rows["waiting_since"][waits], len(cells)),
        *_late(partition, rows, places, len(cells)),
        np.stack([due[:, :, 0] + due[:, :, 1], due[:, :, 2] + due[:, :, 3]], axis=1),
        np.stack([due[:, :, 0], due[:, :, 2]], axis=1),
    )


def _spread(places: Ints, cells: int, kinds: Ints | None = None, kinds_n: int = 1) -> Ints:
    """(cells * kinds_n): how many rows there are of each cell and kind, in every scope that they have."""
    counts = np.zeros(cells * kinds_n, np.int64)
    for scope in range(places.shape[1]):
        keys = places[:, scope] if kinds is None else places[:, scope] * kinds_n + kinds
        counts += np.bincount(keys, minlength=cells * kinds_n)
    counts[NOWHERE * kinds_n : (NOWHERE + 1) * kinds_n] = 0
    return counts


def _least(places: Ints, instants: Ints, cells: int) -> Ints:
    least = np.full(cells, np.iinfo(np.int64).max)
    for scope in range(places.shape[1]):
        np.minimum.at(least, places[:, scope], instants)
    least[least == np.iinfo(np.int64).max] = 0
    least[NOWHERE] = 0
    return least


def _late(partition: Partition, rows: NDArray[Any], places: Ints, cells: int) -> tuple[Ints, Ints]:
    """`overdue` and `backlog`."""
    promises, priorities = partition.promises, len(PRIORITIES)
    overdue = np.zeros((cells, len(TARGETS), len(STAGES), priorities), np.int64)
    backlog = np.zeros((cells, len(TARGETS), priorities), np.int64)

    def by_priority(chosen: NDArray[np.bool_]) -> Ints:
        return _spread(places[chosen], cells, rows["priority"][chosen], priorities).reshape(cells, priorities)

    for number, target in enumerate(TARGETS):
        warn_at, due_at = rows[f"{target}_warn_at"], rows[f"{target}_due_at"]
        broken = (due_at > 0) & (due_at < promises.announced_to)
        old = broken & ((due_at < rows["known_at"] - HOUR_MS) | promises.were_muted(np.maximum(due_at, rows["known_at"])))
        overdue[:, number, STAGES.index("warning")] = by_priority((warn_at > 0) & (warn_at < promises.announced_to) & ~broken)
        overdue[:, number, STAGES.index("breach")] = by_priority(broken & ~old)
        backlog[:, number] = by_priority(old)
    return overdue, backlog


def _first_minutes(cells: list[Cell], clock: int, schedule_of: Schedules) -> Ints:
    """(cells, periods): the minute in which each period of open time begins that ends now."""
    first = np.full((len(cells), len(PERIODS)), _NEVER)
    known: dict[int, list[int]] = {}
    for number, (district, scope, school, department) in enumerate(cells):
        if scope in SCOPES:
            schedule = schedule_of(district, department, school)
            minutes = known.get(id(schedule))
            if minutes is None:
                minutes = known[id(schedule)] = first_minutes(schedule, clock)
            first[number] = minutes
    return first


def first_minutes(schedule: Schedule, clock: int) -> list[int]:
    """For each period, the minute from which on deadlines count: of `panes` they count in the minute after theirs."""
    now = schedule.open_ms(clock)
    return [schedule.instant(now - period) // MINUTE_MS + 1 for period in PERIODS_MS]
