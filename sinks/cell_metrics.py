"""What `/metrics` tells of each cell: who waits, which promises are overdue, what came due lately and was missed.

Written as text at every scrape, from what the partitions in hand know at that moment; nothing is kept in between, so a cell
is gone from here with its partition. Prometheus' own client takes ten times as long for so many samples. However many
places there are, only so many cells are told: beyond the limit districts alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from projections.announcement import STAGES, TARGETS
from projections.overview import PERIODS, SCOPES, Overview
from projections.place import Cell
from projections.promises import PRIORITIES

CELL: Final = ("district", "scope", "school", "department")


class CellMetric(NamedTuple):
    """One gauge."""

    name: str
    meaning: str
    labels: tuple[str, ...]


OPEN = CellMetric("frontdesk_open_episodes", "Questions that are not resolved", CELL)
WAITING = CellMetric("frontdesk_waiting_episodes", "Questions with a message that waits for an answer", CELL)
OLDEST = CellMetric("frontdesk_oldest_waiting_seconds", "Since when the oldest of these messages waits", CELL)
OVERDUE = CellMetric(
    "frontdesk_overdue_episodes", "Open promises past 80 % (warning) or all (breach) of their time", (*CELL, "target", "stage", "priority")
)
BACKLOG = CellMetric(
    "frontdesk_backlog_overdue_episodes",
    "Broken promises, open, that were over an hour past when they became known",
    (*CELL, "target", "priority"),
)
DUE = CellMetric("frontdesk_due", "Promises that came due in the last open hours", (*CELL, "target", "window"))
MISSED = CellMetric("frontdesk_missed", "Of those, not kept", (*CELL, "target", "window"))
LAST_CONTACT = CellMetric("frontdesk_last_contact_timestamp_seconds", "When somebody last contacted the district", ("district",))
DISTRICT_OPEN = CellMetric("frontdesk_district_open", "1 while the district's offices are open", ("district",))
"""Alert rules take it for the sign that what pages is told of a district: while it is absent, what they knew last holds."""
PROMISED_SHARE = CellMetric("frontdesk_promised_share", "Share of its promises that the district means to keep", ("district",))
ROUTE = CellMetric("frontdesk_alert_route", "Always 1: whom alerts of the cell go to, as the directory says", (*CELL, "route"))
LEFT_OUT = CellMetric("frontdesk_metric_cells_left_out", "Cells beyond FRONTDESK_METRIC_CELLS, which have no metrics", ())
CELL_METRICS: Final = (OPEN, WAITING, OLDEST, OVERDUE, BACKLOG, DUE, MISSED, LAST_CONTACT, DISTRICT_OPEN, PROMISED_SHARE, ROUTE, LEFT_OUT)


class Seen(NamedTuple):
    """One partition at this moment. `is_current` is false while it is over an hour behind: then nothing is told that would page.

    `route_of` gives whom alerts of (district, department) go to, '' for nobody in particular.
    """

    overview: Overview
    is_current: bool
    last_contact_at: Mapping[str, int]
    open_districts: Mapping[str, bool]
    promised_shares: Mapping[str, float]
    route_of: Callable[[str, str], str]


def exposition(seen: Sequence[Seen], limit: int) -> str:
    """Write all gauges of `CELL_METRICS` in Prometheus' text format; the same is OpenMetrics but for its end."""
    chosen, left_out = _chosen(seen, limit)
    current = [one for one in seen if one.is_current]
    lines: list[str] = []
    for metric, samples in (
        (OPEN, _each(chosen, "open_n")),
        (WAITING, _each(chosen, "waiting_n")),
        (OLDEST, _oldest(chosen)),
        (OVERDUE, _overdue(chosen)),
        (BACKLOG, _backlog(chosen)),
        (DUE, _came_due(chosen, "due")),
        (MISSED, _came_due(chosen, "missed")),
        (LAST_CONTACT, (f'{{district="{_escaped(d)}"}} {at / 1000:.3f}' for one in current for d, at in one.last_contact_at.items())),
        (DISTRICT_OPEN, (f'{{district="{_escaped(d)}"}} {int(is_open)}' for one in current for d, is_open in one.open_districts.items())),
        (PROMISED_SHARE, (f'{{district="{_escaped(d)}"}} {share}' for one in current for d, share in one.promised_shares.items())),
        (ROUTE, _routes(chosen)),
        (LEFT_OUT, (f" {left_out}",)),
    ):
        lines += (f"# HELP {metric.name} {metric.meaning}", f"# TYPE {metric.name} gauge")
        lines += [metric.name + sample for sample in samples]
    return "\n".join(lines) + "\n"


Chosen = list[tuple[Seen, list[int]]]
"""Of each partition the numbers of the cells that are told."""


def _chosen(seen: Sequence[Seen], limit: int) -> tuple[Chosen, int]:
    """The cells that are told, and how many are not: all of the three scopes, or the districts, or the first of these by name."""
    told = [(one, _of_scopes(one.overview.cells, SCOPES)) for one in seen]
    count = sum(len(numbers) for _, numbers in told)
    if count <= limit:
        return told, 0
    districts = sorted(
        (one.overview.cells[number].district, i, number)
        for i, one in enumerate(seen)
        for number in _of_scopes(one.overview.cells, ("district",))
    )[:limit]
    return [(one, [number for _, j, number in districts if i == j]) for i, one in enumerate(seen)], count - len(districts)


def _of_scopes(cells: Sequence[Cell], scopes: Iterable[str]) -> list[int]:
    wanted = set(scopes)
    return [number for number, cell in enumerate(cells) if cell.scope in wanted]


def _each(chosen: Chosen, column: str) -> Iterator[str]:
    for one, numbers in chosen:
        values = getattr(one.overview, column).tolist()
        cells = one.overview.cells
        for number in numbers:
            yield f"{{{labels(cells[number])}}} {values[number]}"


def _oldest(chosen: Chosen) -> Iterator[str]:
    for one, numbers in chosen:
        clock, since, cells = one.overview.clock, one.overview.oldest_waiting_since.tolist(), one.overview.cells
        for number in numbers:
            seconds = max(0, clock - since[number]) / 1000 if since[number] else 0
            yield f"{{{labels(cells[number])}}} {seconds}"


def _overdue(chosen: Chosen) -> Iterator[str]:
    for one, numbers in chosen:
        if one.is_current:
            counts = one.overview.overdue[numbers]
            for i, target, stage, priority in np.argwhere(counts).tolist():
                told = f'target="{TARGETS[target]}",stage="{STAGES[stage]}",priority="{PRIORITIES[priority]}"'
                yield f"{{{labels(one.overview.cells[numbers[i]])},{told}}} {counts[i, target, stage, priority]}"


def _backlog(chosen: Chosen) -> Iterator[str]:
    for one, numbers in chosen:
        counts = one.overview.backlog[numbers]
        for i, target, priority in np.argwhere(counts).tolist():
            told = f'target="{TARGETS[target]}",priority="{PRIORITIES[priority]}"'
            yield f"{{{labels(one.overview.cells[numbers[i]])},{told}}} {counts[i, target, priority]}"


def _came_due(chosen: Chosen, column: str) -> Iterator[str]:
    """Where nothing came due there is no sample of either: no share can be made of it."""
    for one, numbers in chosen:
        if one.is_current:
            values, cells = getattr(one.overview, column)[numbers].tolist(), one.overview.cells
            for i, target, period in np.argwhere(one.overview.due[numbers]).tolist():
                yield f"{{{labels(cells[numbers[i]])},{_OF_PERIOD[target][period]}}} {values[i][target][period]}"


def _routes(chosen: Chosen) -> Iterator[str]:
    """A school's is that of its district."""
    for one, numbers in chosen:
        if one.is_current:
            route_of = lru_cache(maxsize=None)(one.route_of)
            for cell in (one.overview.cells[number] for number in numbers):
                route = route_of(cell.district, cell.department)
                if route:
                    yield f'{{{labels(cell)},route="{_escaped(route)}"}} 1'


_OF_PERIOD: Final = [[f'target="{target}",window="{period}"' for period in PERIODS] for target in TARGETS]


@lru_cache(maxsize=50_000)
def labels(cell: Cell) -> str:
    """Write the labels of a cell. Names come from publishers: they may have quotes in them."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(CELL, cell, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
