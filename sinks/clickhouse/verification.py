"""Are the numbers right? Computes every case and window again, from the archive of events alone, in SQL, and compares.

It shares no code with the fold: events are put in order, cut into episodes, timed and counted by ClickHouse
(`verify/*.sql`, one partition of the log at a time, through temporary tables). Windows are compared as of the newest row
of their district. Counts, sums and distinct counts have to be equal; percentiles, which the fold takes from a histogram,
within 2.5 % of the exact nearest rank.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clickhouse_driver import Client

from projections.rows import CASE_COLUMNS, WINDOW_COLUMNS

VERIFY = Path(__file__).parent / "verify"
TOLERANCE = 0.025
"""Relative error that a percentile may have; and a millisecond, for buckets of whole milliseconds."""
MOST = 1000
"""Differences that are listed for each table and partition."""

CASE_KEY = ("district", "opened_at", "subject", "episode")
CASE_FACTS = tuple(
    c for c in CASE_COLUMNS if c not in {*CASE_KEY, "partition", "last_offset", "directory_revision", "is_deleted", "version"}
)
CELL = ("district", "scope", "school", "department", "window")
TALLIES = tuple(c for c in WINDOW_COLUMNS if c not in {*CELL, "as_of", "partition", "version"})

TABLES = ("verify_events", "verify_episodes", "verify_promises", "verify_clocks", "verify_deadlines", "verify_facts", "verify_windows")
SETTINGS = {"join_use_nulls": 0}
"""A side without the row shows zeros, whatever the user's profile says."""


@dataclass(frozen=True)
class Difference:
    """One number that is not what the events say. `row` as column means that a row is there on one side only."""

    table: str
    key: str
    column: str
    stored: str
    recomputed: str


def differences(client: Client) -> list[Difference]:
    """Every difference, at most 1,000 for each table and partition; [] when all is equal."""
    partitions = client.execute(
        "SELECT partition FROM events UNION DISTINCT SELECT partition FROM windows UNION DISTINCT SELECT partition FROM cases ORDER BY 1"
    )
    return [difference for (partition,) in partitions for difference in _of_partition(client, partition)]


def _of_partition(client: Client, partition: int) -> Iterator[Difference]:
    try:
        for path in sorted(VERIFY.glob("*.sql")):
            client.execute(path.read_text(), {"partition": partition}, settings=SETTINGS)
        for table, query in (("cases", _cases()), ("windows", _windows())):
            for row in client.execute(query, {"partition": partition}, settings=SETTINGS):
                yield Difference(table, *row)
    finally:
        for name in TABLES:
            client.execute(f"DROP TEMPORARY TABLE IF EXISTS {name}")


def _cases() -> str:
    """Facts of each episode, side by side, as text: null and 0 differ."""
    pairs = ",\n".join(f"('{c}', {_text(f's.{c}')}, {_text(f'r.{c}')})" for c in CASE_FACTS)
    same = " AND ".join(f"s.{c} = r.{c}" for c in CASE_KEY)
    key = ", ' ', ".join(f"toString(if(r.there, r.{c}, s.{c}))" for c in CASE_KEY)
    return f"""
        SELECT concat({key}) AS key, d.1, d.2, d.3
        FROM (SELECT *, 1 AS there FROM cases FINAL WHERE is_deleted = 0 AND partition = %(partition)s) AS s
        FULL OUTER JOIN (SELECT *, 1 AS there FROM verify_facts) AS r ON {same}
        ARRAY JOIN
            if(s.there AND r.there, arrayFilter(x -> x.2 != x.3, [{pairs}]), [('row', toString(s.there), toString(r.there))]) AS d
        ORDER BY key, d.1
        LIMIT {MOST}"""


def _windows() -> str:
    """Tallies of each cell and window, side by side. A row of zeros is as good as none."""
    exact = [c for c in TALLIES if "_p50_" not in c and "_p90_" not in c]
    near = [c for c in TALLIES if c not in exact]
    pairs = ",\n".join(
        [f"('{c}', toString(s.{c}), toString(r.{c}), s.{c} != r.{c})" for c in exact]
        + [f"('{c}', toString(s.{c}), toString(r.{c}), NOT (abs(s.{c} - r.{c}) <= {TOLERANCE} * r.{c} + 1))" for c in near]
    )
    same = " AND ".join(f"s.{c} = r.{c}" for c in CELL)
    key = ", ' ', ".join(f"toString(if(r.there, r.{c}, s.{c}))" for c in CELL)
    return f"""
        SELECT concat({key}) AS key, d.1, d.2, d.3
        FROM
        (
            SELECT * REPLACE (toString(window) AS window), 1 AS there
            FROM windows FINAL
            WHERE partition = %(partition)s
        ) AS s
        FULL OUTER JOIN (SELECT *, 1 AS there FROM verify_windows) AS r ON {same}
        ARRAY JOIN arrayFilter(x -> x.4, [{pairs}]) AS d
        UNION ALL
        SELECT district, 'row', 'no window', concat(toString(count()), ' episodes')
        FROM verify_facts
        WHERE received_at IS NOT NULL AND district NOT IN (SELECT district FROM windows FINAL WHERE partition = %(partition)s)
        GROUP BY district
        ORDER BY 1, 2
        LIMIT {MOST}"""


def _text(column: str) -> str:
    return f"ifNull(toString({column}), 'null')"
