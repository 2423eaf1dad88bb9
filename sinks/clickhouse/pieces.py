"""Ranges of districts, for what looks at everybody's history: one range after the other, so that memory holds so many rows, not all.

A district is never cut: what is counted of it belongs together. So a piece is a range of names with at most `MOST_ROWS` rows, or one
district that has more.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

from clickhouse_driver import Client

MOST_ROWS: Final = 250_000


class Range(NamedTuple):
    """Districts from `first` to `last`, both included, by name."""

    first: str
    last: str


def ranges(sizes: Iterable[tuple[str, int]], most: int = MOST_ROWS) -> Iterator[Range]:
    """Cut (district, rows), in the order of the names, into ranges."""
    first, last, rows = "", "", 0
    for district, its in sizes:
        if rows and rows + its > most:
            yield Range(first, last)
            rows = 0
        first, last, rows = district if not rows else first, district, rows + its
    if rows:
        yield Range(first, last)


def of_cases(client: Client) -> list[Range]:
    """Of all districts that have cases."""
    return list(ranges(client.execute("SELECT district, count() FROM cases GROUP BY district ORDER BY toString(district)")))


def of_partition(client: Client, partition: int, wanted: Collection[str] = (), most: int = MOST_ROWS) -> list[Range]:
    """Of the districts of a partition of the log that have events, cases or windows; of those that are `wanted` where any are named."""
    query = """
        SELECT district, sum(rows)
        FROM
        (
            SELECT district, count() AS rows FROM events WHERE partition = %(partition)s GROUP BY district
            UNION ALL
            SELECT district, count() FROM cases WHERE partition = %(partition)s GROUP BY district
            UNION ALL
            SELECT district, count() FROM windows WHERE partition = %(partition)s GROUP BY district
        )
        GROUP BY district
        ORDER BY toString(district)"""
    sizes = client.execute(query, {"partition": partition})
    return list(ranges(((district, rows) for district, rows in sizes if not wanted or district in wanted), most))
