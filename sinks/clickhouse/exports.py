"""What `frontdesk export` asks: cases in the order in which they came in, and what each cell counted in a period of the past.

Answers come block by block. Cases are asked for a week at a time, because a server sorts what it is asked for in its memory: a week
of the largest district of the US is half a million rows.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from clickhouse_driver import Client

from events.kinds import NAMES
from sinks.clickhouse.measures import with_measures

ROWS_A_BLOCK: Final = 8_192
WEEK_MS: Final = 7 * 86_400_000
TALLIES: Final = with_measures((Path(__file__).parent / "export" / "tallies.sql").read_text("utf-8"))
PARTS: Final = {
    "": "toDate(%(first_day)s)",
    "day": "toDate(at, %(zone)s)",
    "week": "toMonday(at, %(zone)s)",
    "month": "toStartOfMonth(at, %(zone)s)",
}
"""First day of the part that an instant `at` belongs to; '' leaves a period whole."""
BLOCKS: Final = {"max_block_size": ROWS_A_BLOCK, "do_not_merge_across_partitions_select_final": 1}
Row = tuple[Any, ...]


class Chosen(NamedTuple):
    """Questions of a district that came in from `begin` up to `end` (ms); `places` names a school, a department, both or neither.

    What opens an episode is when it came in, unless nobody is known to have asked; and rows lie in the order of `opened_at`.
    """

    district: str
    begin: int
    end: int
    places: dict[str, str]

    @property
    def condition(self) -> str:
        return """district = %(district)s AND is_deleted = 0 AND received_at IS NOT NULL
            AND opened_at >= fromUnixTimestamp64Milli(%(begin)s) AND opened_at < fromUnixTimestamp64Milli(%(end)s)""" + "".join(
            f" AND {name} = %({name})s" for name in self.places
        )

    @property
    def parameters(self) -> dict[str, Any]:
        return {"district": self.district, "begin": self.begin, "end": self.end} | self.places


def districts(client: Client) -> list[str]:
    """Every district of which there ever was a case."""
    return [name for (name,) in client.execute("SELECT DISTINCT district FROM cases ORDER BY district")]


def is_known(client: Client, district: str | None, places: dict[str, str]) -> bool:
    """Whether a case of the district (None: of any) ever was asked, answered or settled at the school and department that are named."""
    parts = (" AND ".join(f"{part}{name} = %({name})s" for name in places) for part in ("", "responded_", "resolved_"))
    query = f"SELECT 1 FROM cases WHERE ({' OR '.join(parts)}) {'' if district is None else 'AND district = %(district)s'} LIMIT 1"
    return bool(client.execute(query, {"district": district} | places))


def weeks(client: Client, chosen: Chosen) -> list[tuple[int, int]]:
    """In which weeks cases came in, and how many: (weeks since the epoch, cases)."""
    query = f"""
        SELECT intDiv(toUnixTimestamp64Milli(opened_at), {WEEK_MS}) AS week, count() FROM cases FINAL
        WHERE {chosen.condition}
        GROUP BY week ORDER BY week"""
    found: list[tuple[int, int]] = client.execute(query, chosen.parameters, settings=BLOCKS)
    return found


def cases(client: Client, columns: Sequence[str], chosen: Chosen, week: int) -> Iterator[Sequence[Row]]:
    """Blocks of the cases of one week; instants in ms."""
    query = f"""
        SELECT {", ".join(map(_asked, columns))} FROM cases FINAL
        WHERE {chosen.condition}
        ORDER BY opened_at, subject, episode"""
    of_week = chosen._replace(begin=max(chosen.begin, week * WEEK_MS), end=min(chosen.end, (week + 1) * WEEK_MS))
    blocks: Iterator[Sequence[Row]] = client.execute_iter(query, of_week.parameters, settings=BLOCKS, chunk_size=ROWS_A_BLOCK)
    return blocks


def tallies(
    client: Client, district: str, zone: str, first_minute: int, last_minute: int, *, first_day: str, part: str
) -> Iterator[dict[str, Any]]:
    """What each cell of a district counted from one minute to another, both included; `part` is one of `PARTS`."""
    parameters = {
        "district": district,
        "zone": zone,
        "first": first_minute,
        "last": last_minute,
        "first_day": first_day,
        "kinds": list(NAMES),
    }
    rows = client.execute_iter(TALLIES.format(part=PARTS[part]), parameters, with_column_types=True, settings=BLOCKS)
    names = [name for name, _ in next(rows)]
    for row in rows:
        yield dict(zip(names, row, strict=True))


def _asked(column: str) -> str:
    return f"toUnixTimestamp64Milli({column})" if column.endswith(("_at", "_since")) else column
