"""How a completed month becomes public: it is released as it is then, once; later numbers change nothing. It may be withdrawn."""

from collections.abc import Collection
from dataclasses import dataclass
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
    def has_cells(self) -> bool:
        """Not so where it was withdrawn, and its district is listed no more."""
        return self.shown + self.hidden > 0


def standings(client: Client, district: str | None = None) -> list[Standing]:
    """Every month that is published, was, or may be by now; by district, the newest first."""
    public = _months_of(client, "public_indicators", "max(released_at)", district)
    ready = _months_of(client, "publishable_indicators", "NULL", district)
    query = f"SELECT district, month, max(acted_at) FROM releases WHERE act = 'withdrawn' {_only(district)} GROUP BY district, month"
    withdrawn = {(name, month): at for name, month, at in client.execute(query, {"district": district})}
    found = []
    for key in public.keys() | ready.keys() | withdrawn.keys():
        state: State = "released" if key in public else "withdrawn" if key in withdrawn else "ready"
        released_at, shown, hidden = public.get(key) or ready.get(key) or (None, 0, 0)
        found.append(Standing(key[0], key[1], state, withdrawn[key] if state == "withdrawn" else released_at, shown, hidden))
    return sorted(found, key=lambda each: (each.district, -each.month.toordinal()))


def _months_of(client: Client, view: str, since: str, district: str | None) -> dict[Month, tuple[datetime | None, int, int]]:
    query = f"""
        SELECT district, month, {since}, countIf(NOT suppressed), countIf(suppressed) FROM {view} WHERE 1 {_only(district)}
        GROUP BY district, month"""
    return {(name, month): (at, shown, hidden) for name, month, at, shown, hidden in client.execute(query, {"district": district})}


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
