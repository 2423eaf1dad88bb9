"""A question about one district reads the rows of that district, however many others there are; one about everybody reads no history."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from tests.benchmarks.queries import Query, in_the_code, questions, rows_read, told_of
from tests.benchmarks.tables import SMALL, district_of, fill

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

TABLES = ("cases", "events", "windows", "windows_history", "releases")
GRANULE = 8_192
A_LARGE, A_SMALL = 0, 30


def test_every_query_of_the_code_is_told_of_here() -> None:
    told = told_of()
    assert sorted(told) == sorted(in_the_code())


@pytest.fixture(scope="module")
def client(clickhouse: "ClickHouseServer") -> "Iterator[Client]":
    server = ClickHouse(port=clickhouse.native_port, database="rows_read")
    migrate(server)
    with server.connect() as client:
        fill(client, SMALL)
        for table in TABLES:
            client.execute(f"OPTIMIZE TABLE {table} FINAL")
        yield client


def most(client: "Client", query: Query, district: str) -> int:
    """In each pass the district's rows and, in each part of a table, the two granules at whose edges they lie."""
    if not query.passes:
        [(places,)] = client.execute("SELECT (SELECT count() FROM windows) + (SELECT count() FROM releases)")
        return int(places) + 4 * GRANULE
    own = max(client.execute(f"SELECT count() FROM {table} WHERE district = %(d)s", {"d": district})[0][0] for table in TABLES)
    [(parts,)] = client.execute(
        "SELECT max(n) FROM (SELECT count() AS n FROM system.parts WHERE database = currentDatabase() AND active GROUP BY table)"
    )
    return query.passes * (int(own) + 2 * GRANULE * int(parts))


@pytest.mark.parametrize("number", [A_LARGE, A_SMALL])
def test_a_question_reads_what_it_is_about(client: "Client", number: int) -> None:
    district, read = district_of(number), {}
    for query in questions(client, district):
        bound = most(client, query, district)
        query.ask(client)
        read[query.name] = rows_read(client), bound
    assert {name: rows for name, (rows, bound) in read.items() if not 0 < rows <= bound} == {}


def test_to_read_everybodys_cases_would_show(client: "Client") -> None:
    query = Query("all", lambda client: client.execute("SELECT countIf(resolved_at IS NULL) FROM cases"), passes=1)
    query.ask(client)
    assert rows_read(client) > most(client, query, district_of(A_SMALL))
