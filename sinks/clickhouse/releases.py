"""How a completed month becomes public: it is released as it is then, once; later numbers change nothing. It may be withdrawn."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal

from clickhouse_driver import Client

from sinks.clickhouse import pieces
from sinks.clickhouse.pieces import Range
from sinks.clickhouse.publication import COLUMNS

PUBLISHABLE: Final = "publishable_indicators(first = %(first)s, last = %(last)s)"

Month = tuple[str, date]
"""District, and the first day of the month."""
State = Literal["ready", "released", "withdrawn"]


@dataclass(frozen=True)
class MonthStatus:
    """How a month stands that is completed or published. `shown` and `hidden` count the cells that are, or would be, public."""

    district: str
    month: date
    state: State
    since: datetime | None
    """When it was released or withdrawn; None where it never was."""
    shown: int
    hidden: int

    @property
    def key(self) -> Month:
        return self.district, self.month

    @property
    def has_cells(self) -> bool:
        """Not so where it was withdrawn, and its district is listed no more."""
        return self.shown + self.hidden > 0


def month_statuses(client: Client, district: str | None = None) -> list[MonthStatus]:
    """Every month that is published, was, or may be by now; by district, the newest first.

    Computes all that may be, some districts after the others, so that memory holds the questions of these.
    """
    public = {each.key: each for each in published(client, district)}
    ready = {
        each.key: each
        for some in (pieces.of_cases(client) if district is None else [Range(district, district)])
        for each in _months_of(client, PUBLISHABLE, "ready", "NULL", some)
    }
    query = f"SELECT district, month, max(acted_at) FROM releases WHERE act = 'withdrawn' {_only(district)} GROUP BY district, month"
    withdrawn = {}
    for name, month, at in client.execute(query, {"district": district}):
        cells = ready.get((name, month)) or MonthStatus(name, month, "ready", None, 0, 0)
        withdrawn[cells.key] = replace(cells, state="withdrawn", since=at)
    return sorted((ready | withdrawn | public).values(), key=_newest_first)


def published(client: Client, district: str | None = None) -> list[MonthStatus]:
    """The months that are public; by district, the newest first. Reads what was kept: milliseconds."""
    some = EVERY if district is None else Range(district, district)
    return sorted(_months_of(client, "public_indicators", "released", "max(released_at)", some), key=_newest_first)


def _newest_first(standing: MonthStatus) -> tuple[str, int]:
    return standing.district, -standing.month.toordinal()


EVERY: Final = Range("", "\U0010ffff")


def _months_of(client: Client, view: str, state: State, since: str, some: Range) -> list[MonthStatus]:
    query = f"""
        SELECT district, month, {since}, countIf(NOT suppressed), countIf(suppressed)
        FROM {view}
        WHERE district BETWEEN %(first)s AND %(last)s
        GROUP BY district, month"""
    rows = client.execute(query, some._asdict())
    return [MonthStatus(name, month, state, at, shown, hidden) for name, month, at, shown, hidden in rows]


def _only(district: str | None) -> str:
    return "" if district is None else "AND district = %(district)s"


def release(client: Client, months: Collection[Month]) -> None:
    """Publish completed months as they are now; those of a district all at once or none. What is public already stays as it is.

    Broken off, it may be done again: the months that are not public yet are still ready.
    """
    columns = ", ".join(("district", "month", *COLUMNS))
    for some in pieces.of_cases(client):
        if its := tuple(month for month in months if some.first <= month[0] <= some.last):
            client.execute(
                f"INSERT INTO releases ({columns}, act, acted_at)"
                f" SELECT {columns}, 'released', now64(3) FROM {PUBLISHABLE} WHERE (district, month) IN %(months)s",
                some._asdict() | {"months": its},
                settings=ONE_BLOCK,
            )


ONE_BLOCK: Final = {"max_insert_threads": 1, "min_insert_block_size_rows": 1 << 24, "min_insert_block_size_bytes": 0}
"""A block of an insert is seen as a whole or not at all."""


def withdraw(client: Client, month: Month) -> None:
    """Take a month back. Who has copied it keeps the copy."""
    query = "INSERT INTO releases (district, month, act, acted_at) SELECT %(district)s, %(month)s, 'withdrawn', now64(3)"
    client.execute(query, {"district": month[0], "month": month[1]})
