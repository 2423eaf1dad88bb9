"""Are the numbers right? Computes every case and window again, from the archive of events alone, in SQL, and compares.

It shares no code with the fold: events are put in order, cut into episodes, timed and counted by ClickHouse
(`verify/*.sql`, some districts of one partition of the log at a time, through temporary tables). Windows are compared as of the newest row
of their district. Counts, sums and distinct counts have to be equal; percentiles, which the fold takes from a histogram,
within 2.5 % of the exact nearest rank.

One pass reads tables that a worker may be writing: events first, then cases, then windows, each at its own instant. So what
one pass finds may be a turn of the worker cut in two. `confirmed` asks again about just those keys, and between two passes
waits until every turn that was visible in the first has been committed, which means: all its rows are there. What three
passes show alike (same stored row and version, same recomputed value) is a difference:

- The row stood before the middle pass began, so that pass saw all events that the row was made of (events are written before
  cases and windows, and a case's row is written with every record that names the case).
- It stood unchanged after the last pass, by when all turns of which the middle pass could have seen a part were complete. Had one
  of them touched the key, its row would have another version. So the middle pass saw neither less nor more than the row's events.

For a window this leaves out one thing: a turn whose events cancel out in a cell leaves the row alone, and a pass may see half of
it; all three passes would have to see such halves with the same sum. And windows are written when a minute passes, without a
record: that insert is one block, and the pause between passes is there for it. What changed in every pass is not judged.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clickhouse_driver import Client

from events.kinds import NAMES
from projections.rows import CASE_COLUMNS, WINDOW_COLUMNS
from sinks.clickhouse.cluster import catch_up
from sinks.clickhouse.measures import with_measures
from sinks.clickhouse.pieces import of_partition
from sinks.clickhouse.tables import insert_into

VERIFY = Path(__file__).parent / "verify"
TOLERANCE = 0.025
"""Relative error that a percentile may have; and a millisecond, for buckets of whole milliseconds."""
MOST = 1000
"""Differences that are listed for each table and piece of a partition."""
PASSES_ALIKE: Final = 3
MOST_PASSES: Final = 5
PAUSE_S: Final = 1.0
"""Between passes."""

CASE_KEY = ("district", "opened_at", "subject", "episode")
CASE_FACTS = tuple(
    c for c in CASE_COLUMNS if c not in {*CASE_KEY, "partition", "last_offset", "directory_revision", "is_deleted", "version"}
)
CELL = ("district", "scope", "school", "department", "window")
TALLIES = tuple(c for c in WINDOW_COLUMNS if c not in {*CELL, "as_of", "partition", "version"})

KEPT = ("events", "cases", "windows")
"""What is compared with what. On a cluster the replica that is asked has it all, as of the begin of a pass."""
ASKED = ("verify_cases", "verify_districts")
"""Which cases and which districts' windows a pass is about; empty where it is about all."""
WINDOWS_STEP = "7_windows"
TABLES = ("verify_events", "verify_episodes", "verify_promises", "verify_clocks", "verify_deadlines", "verify_facts", "verify_windows")
SETTINGS = {"join_use_nulls": 0}
"""A side without the row shows zeros, whatever the user's profile says."""


@dataclass(frozen=True)
class Difference:
    """One number that is not what the events say. `row` as column means that a row is there on one side only.

    `version` is the stored row's, '0' where there is none; `subject` is '' for a window.
    """

    table: str
    partition: int
    key: str
    column: str
    stored: str
    recomputed: str
    version: str
    district: str
    subject: str

    def __str__(self) -> str:
        if self.column == "row":
            return f"{self.table}: {self.key}: {self.stored} stored, {self.recomputed} recomputed from events"
        return f"{self.table}: {self.key}: {self.column} is {self.stored!r}, but {self.recomputed!r} when recomputed from events"


@dataclass(frozen=True)
class VerifiedScope:
    """What is compared. Windows count all cases of a district: so they are left out where only some are looked at.

    `since`, in ms: only episodes opened then or later. `sample`: so many cases, chosen by chance.
    """

    districts: tuple[str, ...] = ()
    since: int | None = None
    sample: int | None = None

    @property
    def windows(self) -> bool:
        return self.since is None and self.sample is None


EVERYTHING: Final = VerifiedScope()


@dataclass(frozen=True)
class Verdict:
    """`differences` are proven; `changing` were other ones in every pass, because a worker went on writing these keys."""

    differences: tuple[Difference, ...]
    changing: tuple[Difference, ...] = ()
    passes: int = 1


def differences(client: Client, scope: VerifiedScope = EVERYTHING) -> list[Difference]:
    """What one pass finds, at most 1,000 for each table and piece; [] when all is equal. Exact where no worker writes meanwhile."""
    catch_up(client, *KEPT)
    partitions = client.execute(
        "SELECT partition FROM events UNION DISTINCT SELECT partition FROM windows UNION DISTINCT SELECT partition FROM cases ORDER BY 1"
    )
    bounds = {"all_cases": int(scope == EVERYTHING), "all_districts": int(not scope.districts), "since": scope.since or 0}
    with _forgotten(client, ASKED):
        _choose(client, scope)
        found: list[Difference] = []
        for (partition,) in partitions:
            found += _of_partition(client, bounds | {"partition": partition}, scope.districts, windows=scope.windows)
        return found


def confirmed(client: Client, settled: Callable[[], None], scope: VerifiedScope = EVERYTHING, pause_s: float = PAUSE_S) -> Verdict:
    """What is different while workers go on. `settled` returns when what is now visible in ClickHouse has been committed.

    Raises whatever `settled` raises when that takes too long.
    """
    found, alike = [set(differences(client, scope))], set[Difference]()
    while found[-1] != alike and len(found) < MOST_PASSES:
        settled()
        time.sleep(pause_s)
        found.append(set(_again(client, found[-1], scope)))
        if len(found) >= PASSES_ALIKE:
            alike = set.intersection(*found[-PASSES_ALIKE:])
    return Verdict(_sorted(alike), _sorted(found[-1] - alike), len(found))


def _sorted(found: Iterable[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(found, key=lambda d: (d.partition, d.table, d.key, d.column)))


# -- which ones -----------------------------------------------------------------------------------------------------------
def _choose(client: Client, scope: VerifiedScope) -> None:
    """Fill `verify_cases` and `verify_districts`; where everything is compared both stay empty and nobody asks them."""
    limit = "" if scope.sample is None else "ORDER BY rand() LIMIT %(sample)s"
    of_districts = "district IN %(districts)s" if scope.districts else "1"
    chosen = "0" if scope == EVERYTHING else "1"
    client.execute(
        f"""
        CREATE TEMPORARY TABLE verify_cases AS
        SELECT DISTINCT district, subject
        FROM
        (
            SELECT district, subject FROM events WHERE {of_districts} AND time >= fromUnixTimestamp64Milli(%(since)s, 'UTC')
            UNION ALL
            SELECT district, subject FROM cases FINAL WHERE {of_districts} AND opened_at >= fromUnixTimestamp64Milli(%(since)s, 'UTC')
        )
        WHERE {chosen}
        {limit}""",
        {"districts": scope.districts, "since": scope.since or 0, "sample": scope.sample},
    )
    _name(client, "verify_districts", ("district",), [(district,) for district in scope.districts])


def _choose_again(client: Client, found: Iterable[Difference]) -> None:
    """The cases of these differences; where it is a window, all cases of its district."""
    cases = sorted({(d.district, d.subject) for d in found if d.subject})
    districts = sorted({(d.district,) for d in found if not d.subject})
    _name(client, "verify_districts", ("district",), districts)
    _name(client, "verify_cases", ("district", "subject"), cases)
    client.execute(
        "INSERT INTO verify_cases (district, subject) SELECT DISTINCT district, subject FROM events WHERE district IN verify_districts"
    )


def _name(client: Client, table: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    client.execute(f"CREATE TEMPORARY TABLE {table} ({', '.join(f'{column} String' for column in columns)})")
    if rows:
        client.execute(insert_into(table, columns), rows)


@contextmanager
def _forgotten(client: Client, tables: Iterable[str]) -> Iterator[None]:
    try:
        yield
    finally:
        for table in tables:
            client.execute(f"DROP TEMPORARY TABLE IF EXISTS {table}")


# -- one pass -------------------------------------------------------------------------------------------------------------
def _again(client: Client, found: Iterable[Difference], scope: VerifiedScope) -> list[Difference]:
    """What is still different of the keys that were."""
    catch_up(client, *KEPT)
    keys = {(d.table, d.key) for d in found}
    windows = any(not d.subject for d in found)
    with _forgotten(client, ASKED):
        _choose_again(client, found)
        bounds = {"all_cases": 0, "all_districts": 0, "since": scope.since or 0}
        again: list[Difference] = []
        for partition in sorted({d.partition for d in found}):
            districts = {d.district for d in found if d.partition == partition}
            again += _of_partition(client, bounds | {"partition": partition}, districts, windows=windows)
        return [d for d in again if (d.table, d.key) in keys]


def _of_partition(client: Client, bounds: Mapping[str, int], districts: Collection[str], *, windows: bool) -> list[Difference]:
    """`bounds` are the parameters of the SQL: partition, all_cases, all_districts (0 or 1), since (ms); no `districts` are all.

    Piece by piece, so that temporary tables, which are in memory, hold a piece and not the partition's archive.
    """
    pieces = of_partition(client, bounds["partition"], districts)
    return [difference for some in pieces for difference in _of_piece(client, {**bounds, **some._asdict()}, windows=windows)]


def _of_piece(client: Client, bounds: Mapping[str, Any], *, windows: bool) -> list[Difference]:
    with _forgotten(client, TABLES):
        for path in sorted(VERIFY.glob("*.sql")):
            if windows or path.stem != WINDOWS_STEP:
                client.execute(with_measures(path.read_text("utf-8")), {**bounds, "kinds": list(NAMES)}, settings=SETTINGS)
        queries = {"cases": _cases(), "windows": _windows()} if windows else {"cases": _cases()}
        return [
            Difference(table, bounds["partition"], *row)
            for table, query in queries.items()
            for row in client.execute(query, bounds, settings=SETTINGS)
        ]


def _cases() -> str:
    """Facts of each episode, side by side, as text: null and 0 differ."""
    pairs = ",\n".join(f"('{c}', {_text(f's.{c}')}, {_text(f'r.{c}')})" for c in CASE_FACTS)
    same = " AND ".join(f"s.{c} = r.{c}" for c in CASE_KEY)
    key = ", ' ', ".join(f"toString({_either(c)})" for c in CASE_KEY)
    opened = "opened_at >= fromUnixTimestamp64Milli(%(since)s, 'UTC')"
    return f"""
        SELECT concat({key}) AS key, d.1, d.2, d.3, toString(s.version), {_either("district")}, {_either("subject")}
        FROM
        (
            SELECT *, 1 AS there
            FROM cases FINAL
            WHERE is_deleted = 0 AND partition = %(partition)s AND district BETWEEN %(first)s AND %(last)s AND {opened}
                AND (%(all_cases)s OR (district, subject) IN verify_cases)
        ) AS s
        FULL OUTER JOIN (SELECT *, 1 AS there FROM verify_facts WHERE {opened}) AS r ON {same}
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
    key = ", ' ', ".join(f"toString({_either(c)})" for c in CELL)
    asked = "(%(all_districts)s OR district IN verify_districts)"
    return f"""
        SELECT concat({key}) AS key, d.1, d.2, d.3, toString(s.version) AS version, {_either("district")} AS whose, ''
        FROM
        (
            SELECT * REPLACE (toString(window) AS window), 1 AS there
            FROM windows FINAL
            WHERE partition = %(partition)s AND district BETWEEN %(first)s AND %(last)s AND {asked}
        ) AS s
        FULL OUTER JOIN (SELECT *, 1 AS there FROM verify_windows WHERE {asked}) AS r ON {same}
        ARRAY JOIN arrayFilter(x -> x.4, [{pairs}]) AS d
        UNION ALL
        SELECT district, 'row', 'no window', concat(toString(count()), ' episodes'), '0', district, ''
        FROM verify_facts
        WHERE {asked} AND received_at IS NOT NULL
            AND district NOT IN (
                SELECT district FROM windows FINAL WHERE partition = %(partition)s AND district BETWEEN %(first)s AND %(last)s
            )
        GROUP BY district
        ORDER BY 1, 2
        LIMIT {MOST}"""


def _either(column: str) -> str:
    return f"if(r.there, r.{column}, s.{column})"


def _text(column: str) -> str:
    return f"ifNull(toString({column}), 'null')"
