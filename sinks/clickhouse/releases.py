"""How a completed month becomes public: it is released as it is then, once; later numbers change nothing. It may be withdrawn."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal

from clickhouse_driver import Client

from sinks.clickhouse.publication import COLUMNS

Month = tuple[str, date]
"""District, and the first day of the month."""
State = Literal["ready", "released", "withdrawn"]


@dataclass(frozen=True)
class Standing:
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


def standings(client: Client, district: str | None = None) -> list[Standing]:
    """Every month that is published, was, or may be by now; by district, the newest first. Computes all that may be: seconds."""
    public = {each.key: each for each in published(client, district)}
    ready = {each.key: each for each in _months_of(client, "publishable_indicators", "ready", "NULL", district)}
    query = f"SELECT district, month, max(acted_at) FROM releases WHERE act = 'withdrawn' {_only(district)} GROUP BY district, month"
    withdrawn = {}
    for name, month, at in client.execute(query, {"district": district}):
        cells = ready.get((name, month)) or Standing(name, month, "ready", None, 0, 0)
        withdrawn[cells.key] = replace(cells, state="withdrawn", since=at)
    return sorted((ready | withdrawn | public).values(), key=_newest_first)


def published(client: Client, district: str | None = None) -> list[Standing]:
    """The months that are public; by district, the newest first. Reads what was kept: milliseconds."""
    return sorted(_months_of(client, "public_indicators", "released", "max(released_at)", district), key=_newest_first)


def _newest_first(standing: Standing) -> tuple[str, int]:
    return standing.district, -standing.month.toordinal()


def _months_of(client: Client, view: str, state: State, since: str, district: str | None) -> list[Standing]:
    query = f"""
        SELECT district, month, {since}, countIf(NOT suppressed), countIf(suppressed) FROM {view} WHERE 1 {_only(district)}
        GROUP BY district, month"""
    rows = client.execute(query, {"district": district})
    return [Standing(name, month, state, at, shown, hidden) for name, month, at, shown, hidden in rows]


def _only(district: str | None) -> str:
    return "" if district is None else "AND district = %(district)s"


def release(client: Client, months: Collection[Month]) -> None:
    """Publish completed months as they are now, all at once or none. What is public already stays as it is."""
    columns = ", ".join(("district", "month", *COLUMNS))
    client.execute(
        f"INSERT INTO releases ({columns}, act, acted_at)"
        f" SELECT {columns}, 'released', now64(3) FROM publishable_indicators WHERE (district, month) IN %(months)s",
        {"months": tuple(months)},
        settings=ONE_BLOCK,
    )


ONE_BLOCK: Final = {"max_insert_threads": 1, "min_insert_block_size_rows": 1 << 24, "min_insert_block_size_bytes": 0}
"""A block of an insert is seen as a whole or not at all."""


def withdraw(client: Client, month: Month) -> None:
    """Take a month back. Who has copied it keeps the copy."""
    query = "INSERT INTO releases (district, month, act, acted_at) SELECT %(district)s, %(month)s, 'withdrawn', now64(3)"
    client.execute(query, {"district": month[0], "month": month[1]})
