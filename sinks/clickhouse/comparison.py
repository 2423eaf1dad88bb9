"""How the tables made anew differ from the old ones, district by district: the rows that say something else, and a few of their keys.

Left out is what says nothing (windows of zeros), what tells when a row was written, and rows that workers wrote meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clickhouse_driver import Client

from sinks.clickhouse.verification import CASE_FACTS, CASE_KEY, CELL, TALLIES

EXAMPLES: Final = 3
KEYS: Final = {"events": ("district", "subject", "source", "id", "time", "content_hash"), "cases": CASE_KEY, "windows": CELL}
SAYS: Final = {"events": ("content_hash",), "cases": CASE_FACTS, "windows": TALLIES}
COUNTS: Final = {
    "events": "1",
    "cases": "is_deleted = 0",
    "windows": " OR ".join(f"{tally} > 0" for tally in TALLIES if tally.endswith("_n")),
}
"""Which rows say anything."""


@dataclass(frozen=True)
class Contrast:
    """Of one table: rows that are alike, that say something else, that only the old and that only the new one has."""

    table: str
    same: int = 0
    other: int = 0
    gone: int = 0
    new: int = 0
    examples: tuple[str, ...] = ()

    @property
    def differs(self) -> int:
        return self.other + self.gone + self.new

    def __add__(self, more: "Contrast") -> "Contrast":
        return Contrast(
            self.table,
            self.same + more.same,
            self.other + more.other,
            self.gone + more.gone,
            self.new + more.new,
            (*self.examples, *more.examples)[:EXAMPLES],
        )


def contrast(client: Client, beside: str, table: str, district: str, untouched: str) -> Contrast:
    """Compare the rows of a district with those in the database `beside`; `untouched`: the condition for what no worker wrote meanwhile."""
    key, says = KEYS[table], SAYS[table]
    query = f"""
        SELECT countIf(o = 1 AND n = 1 AND old = new), countIf(o = 1 AND n = 1 AND old != new), countIf(n = 0), countIf(o = 0),
            groupArrayIf({EXAMPLES})(name, o != n OR old != new)
        FROM
        (
            SELECT {_text(key)} AS name, sum(is_new = 0) AS o, sum(is_new = 1) AS n, anyIf(hash, is_new = 0) AS old,
                anyIf(hash, is_new = 1) AS new, max(moved) AS moves
            FROM
            (
                SELECT {", ".join(key)}, cityHash64({_text(says)}) AS hash, 0 AS is_new, NOT ({untouched}) AS moved
                FROM {table} FINAL
                WHERE district = %(district)s AND ({COUNTS[table]})
                UNION ALL
                SELECT {", ".join(key)}, cityHash64({_text(says)}) AS hash, 1 AS is_new, NOT ({untouched}) AS moved
                FROM {beside}.{table} FINAL
                WHERE district = %(district)s AND ({COUNTS[table]})
            )
            GROUP BY {", ".join(key)}
            HAVING moves = 0
        )"""
    [(same, other, gone, new, examples)] = client.execute(query, {"district": district})
    return Contrast(table, same, other, gone, new, tuple(examples))


def _text(columns: Sequence[str]) -> str:
    return "concatWithSeparator(' ', " + ", ".join(f"ifNull(toString({column}), 'null')" for column in columns) + ")"
