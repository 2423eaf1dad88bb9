"""What the fold hands over and what the tables take: the same columns in the same order, each one explained."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from projections.measures import COLUMNS
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, PROGRESS_COLUMNS, WINDOW_COLUMNS
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.tables import DEAD_LETTER_COLUMNS, HISTORY, WRITTEN

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

TABLES = {
    "events": EVENT_COLUMNS,
    "cases": CASE_COLUMNS,
    "windows": WINDOW_COLUMNS,
    "windows_history": ("slot", *WINDOW_COLUMNS),
    "dead_letters": DEAD_LETTER_COLUMNS,
    "progress": PROGRESS_COLUMNS,
}


@pytest.fixture(scope="module")
def client(clickhouse: "ClickHouseServer") -> "Iterator[Client]":
    server = ClickHouse(port=clickhouse.native_port, database="columns_contract")
    migrate(server)
    with server.connect() as client:
        yield client


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_the_fold_s_then_the_server_s(client: "Client", table: str) -> None:
    columns = client.execute(
        "SELECT name, default_kind FROM system.columns WHERE database = currentDatabase() AND table = %(table)s ORDER BY position",
        {"table": table},
    )
    written = TABLES[table]
    assert tuple(name for name, _ in columns[: len(written)]) == written
    assert all(default for _, default in columns[len(written) :])


def test_the_writer_knows_every_table_that_a_worker_fills() -> None:
    sent = {table: columns for table, columns in WRITTEN.items() if table != HISTORY}
    assert {table: TABLES[table] for table in sent} == sent


def test_every_column_says_what_it_is(client: "Client") -> None:
    silent = client.execute(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = ''"
        " AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " AND name != 'schema_versions')"
    )
    assert silent == []


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("events", "district, subject, source, id, time, content_hash"),
        ("cases", "district, opened_at, subject, episode"),
        ("windows", "district, scope, school, department, window"),
        ("windows_history", "district, scope, school, department, window, slot"),
        ("dead_letters", "topic_id, partition, offset"),
    ],
)
def test_a_row_is_known_by_its_key(client: "Client", table: str, key: str) -> None:
    found = client.execute(
        "SELECT sorting_key, engine FROM system.tables WHERE database = currentDatabase() AND name = %(table)s", {"table": table}
    )
    assert found == [(key, "ReplacingMergeTree")]


@pytest.mark.parametrize("table", ["windows", "windows_history"])
def test_windows_have_what_the_table_of_measures_says(client: "Client", table: str) -> None:
    described = client.execute(
        "SELECT name, type, comment FROM system.columns WHERE database = currentDatabase() AND table = %(table)s AND name IN %(names)s"
        " ORDER BY position",
        {"table": table, "names": [column.name for column in COLUMNS]},
    )
    assert described == [(each.name, "UInt64" if each.quantile is None else "Float64", each.comment) for each in COLUMNS]
