"""Every query of the page, the command line and Grafana, on tables of many districts: how long it takes, and how many rows it reads.

The list is made from the code: whatever public function of `sinks.clickhouse` takes a client has to stand in one of the tables below, and
every query of every dashboard is asked. `OF_DISTRICT` are about one district, and may read what is its own; `OF_ALL` are about
everybody, and may read places and lists, but nobody's history; `APART` are no questions of people who wait for an answer.
"""

import inspect
import pkgutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from clickhouse_driver import Client

import sinks.clickhouse
from deploy.embedded.clickhouse import ClickHouseServer
from sinks.clickhouse import dead_letters, directory, exports, ledger, overview, publication, releases
from sinks.clickhouse import queries as asked
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from tests.benchmarks.tables import DAYS, LARGE, TOPIC_ID, Size, district_of, fill
from tests.support.grafana import ALL, Chosen, Look
from tests.support.grafana import queries as of_dashboards

RUNS: Final = 20
SETTINGS: Final = {"do_not_merge_across_partitions_select_final": 1}
"""As the provisioned data source has them."""
ZONE: Final = "America/Chicago"
DAY_MS: Final = 86_400_000
OF_OPERATORS: Final = "frontdesk-pipeline"
"""The dashboard that is about everybody."""


@dataclass(frozen=True)
class Query:
    """`passes`: how often it may look at the rows of its district; 0 where it is about everybody."""

    name: str
    ask: Callable[[Client], Any]
    passes: int = 2


@dataclass(frozen=True)
class Measured:
    """How long a query takes, in milliseconds, and how many rows the engine read for it."""

    query: str
    p50_ms: float
    p95_ms: float
    rows: int


def _now_ms() -> int:
    return round(time.time() * 1000)


def _first_day() -> str:
    return str((datetime.now(UTC) - timedelta(days=DAYS - 1)).date())


def _month() -> str:
    return f"{datetime.now(UTC) - timedelta(days=60):%Y-%m}"


def _chosen(district: str) -> exports.Chosen:
    return exports.Chosen(district, _now_ms() - DAYS * DAY_MS, _now_ms(), {})


def _subject(client: Client, district: str) -> str:
    [(subject,)] = client.execute("SELECT subject FROM cases WHERE district = %(district)s LIMIT 1", {"district": district})
    return str(subject)


def _exported(client: Client, district: str) -> list[Any]:
    [(week, _), *_] = exports.weeks(client, _chosen(district))
    return [row for block in exports.cases(client, ["opened_at", "subject"], _chosen(district), week) for row in block]


OF_DISTRICT: Final[dict[Callable[..., Any], Callable[[Client, str], Any]]] = {
    overview.cells: lambda client, district: overview.cells(client, district, "28d"),
    overview.waiting: overview.waiting,
    overview.days: lambda client, district: overview.days(client, district, ZONE, _first_day()),
    overview.true_as_of: overview.true_as_of,
    asked.newest_event: asked.newest_event,
    asked.indicators: lambda client, district: asked.indicators(client, district=district),
    asked.waiting: lambda client, district: asked.waiting(client, district=district),
    asked.events_of: lambda client, district: asked.events_of(client, [(district, _subject(client, district))]),
    publication.cells: lambda client, district: publication.cells(client, district, _month()),
    releases.published: releases.published,
    exports.is_known: lambda client, district: exports.is_known(client, district, {"school": "school-1"}),
    exports.weeks: lambda client, district: exports.weeks(client, _chosen(district)),
    exports.cases: _exported,
    ledger.weights: lambda client, district: ledger.weights(client, [(district, _subject(client, district))]),
}
OF_ALL: Final[dict[Callable[..., Any], Callable[[Client], Any]]] = {
    overview.districts: overview.districts,
    publication.months: publication.months,
    asked.cells_not_empty: lambda client: asked.cells_not_empty(client, 0),
    asked.newest_as_of: lambda client: asked.newest_as_of(client, 0),
    dead_letters.count: lambda client: dead_letters.count(client, dead_letters.Selection()),
    dead_letters.find: lambda client: dead_letters.find(client, dead_letters.Selection(), 100),
    ledger.dead_letter_rows: lambda client: ledger.dead_letter_rows(client, TOPIC_ID, 0),
    directory.in_force: directory.in_force,
}
APART: Final[dict[str, frozenset[str]]] = {
    "writes": frozenset(
        [
            "directory.write_directory",
            "dead_letters.mark",
            "dead_letters.accept",
            "cluster.catch_up",
            "cluster.define",
            "queries.claim",
            "rebuilds.record",
            "releases.release",
            "releases.withdraw",
            "staging.add_dead_letters",
            "staging.begin_epoch",
            "staging.carry_over",
            "staging.drop",
            "staging.exchange",
            "staging.keep_history",
        ]
    ),
    "works through everything, piece by piece": frozenset(
        [
            "archive.cases_of",
            "archive.clocks",
            "archive.districts",
            "archive.lacking",
            "comparison.contrast",
            "exports.districts",
            "exports.tallies",
            "ledger.event_rows",
            "ledger.names",
            "ledger.reach",
            "ledger.strangers",
            "pieces.of_cases",
            "pieces.of_partition",
            "releases.month_statuses",
            "verification.confirmed",
            "verification.differences",
        ]
    ),
    "reads a register of a few rows": frozenset(
        [
            "cluster.shards",
            "dead_letters.accepted",
            "queries.log_identity",
            "rebuilds.last_switch",
            "rebuilds.newest",
            "rebuilds.quiet_for_s",
            "rebuilds.rebuilds",
            "staging.uuids",
        ]
    ),
    "looks once for a name that somebody typed": frozenset({"places.is_known", "places.names"}),
    "asks what it is given": frozenset({"queries.dictionaries"}),
}


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def in_the_code() -> set[str]:
    """Every public function of `sinks.clickhouse` that takes a client first."""
    modules = [import_module(f"{sinks.clickhouse.__name__}.{each.name}") for each in pkgutil.iter_modules(sinks.clickhouse.__path__)]
    return {
        name_of(function)
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and "client" in list(inspect.signature(function).parameters)[:1]
    }


def told_of() -> list[str]:
    """Every function that stands in a table here."""
    return [*map(name_of, (*OF_DISTRICT, *OF_ALL)), *(name for names in APART.values() for name in names)]


def questions(client: Client, district: str) -> Iterator[Query]:
    """All of them, of one district, and those about everybody."""
    for function, ask in OF_DISTRICT.items():
        yield Query(name_of(function), lambda client, ask=ask: ask(client, district))
    for function, about_all in OF_ALL.items():
        yield Query(name_of(function), about_all, passes=0)
    look = _look(district, _subject(client, district))
    for each in of_dashboards():
        passes = 0 if each.dashboard == OF_OPERATORS or each.name == "$district" else 2
        sql = look.expand(each.sql)
        yield Query(str(each), lambda client, sql=sql: client.execute(sql, settings=SETTINGS), passes)


def _look(district: str, case: str) -> Look:
    known = {"district": district, "window": "28d", "clock": "business", "case": case}
    known |= dict.fromkeys(("school", "department", "status", "priority", "channel", "audience", "language"), ALL)
    now = int(time.time())
    return Look({name: Chosen(value, ("a", "b")) for name, value in known.items()}, now - DAYS * 86_400, now)


def rows_read(client: Client) -> int:
    """By the last query of a client, as the server told it."""
    return int(client.last_query.progress.rows)


def measure(size: Size = LARGE) -> list[Measured]:
    """Each question of the largest district, the slowest first."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder, ClickHouseServer(Path(folder)) as running:
        server = ClickHouse(port=running.native_port)
        migrate(server)
        with server.connect() as client:
            fill(client, size)
            return measured(client, district_of(0))


def measured(client: Client, district: str) -> list[Measured]:
    return sorted((_timed(client, query) for query in questions(client, district)), key=lambda each: -each.p95_ms)


def _timed(client: Client, query: Query) -> Measured:
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        query.ask(client)
        took.append((time.perf_counter() - began) * 1000)
    cuts = quantiles(took, n=20)
    return Measured(query.name, cuts[9], cuts[18], rows_read(client))


if __name__ == "__main__":
    for each in measure():
        print(f"{each.p50_ms:8.0f} {each.p95_ms:8.0f} ms {each.rows:12,} rows  {each.query}")
