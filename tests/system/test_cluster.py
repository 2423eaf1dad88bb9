"""What a cluster of replicas is sent: everything that defines something, for all of them, in words that the engine's parser takes.

There is no cluster here. Its statements are kept, each is parsed by the engine, and the server does what one server can do of it.
"""

import re
from typing import TYPE_CHECKING

import pytest

from sinks.clickhouse import staging
from sinks.clickhouse.cluster import REPLICA, ddl
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import MigrationError, migrate, status
from sinks.clickhouse.queries import claim, events_of
from sinks.clickhouse.verification import differences
from sinks.clickhouse.writer import history_insert
from tests.support.replicas import CLUSTER, Replicas

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def replicas(clickhouse: "ClickHouseServer") -> Replicas:
    """Everything that defines or waits for something has been done there once."""
    made = Replicas(port=clickhouse.native_port, database="replicas")
    migrate(made)
    beside = staging.make(made, "replicas__beside")
    with made.connect() as client:
        staging.carry_over(client, "replicas", "replicas__beside", staging.FACTS, ["1"] * len(staging.FACTS))
        for table in staging.FACTS:
            staging.exchange(client, "replicas", "replicas__beside", table)
        assert staging.uuids(client) == beside
        staging.keep_history(client, "replicas__beside")
        staging.add_dead_letters(client, "replicas__beside", "replicas")
        staging.drop(client, "replicas__beside")
        claim(client, "topic", 8)
        events_of(client, [("riverside", "case-1")])
        assert differences(client) == []
    return made


def test_the_engine_s_parser_takes_all_of_it(replicas: Replicas) -> None:
    with ClickHouse(port=replicas.port, database="default").connect() as client:
        for sql in replicas.sent:
            bound = re.sub(r"%\(\w+\)s", "'x'", sql)
            [(text,)] = client.execute("SELECT formatQuerySingleLine(%(sql)s)", {"sql": bound.rstrip(";")})
            if not re.search("SYSTEM SYNC REPLICA|clusterAllReplicas", sql):
                assert re.search(rf"ON CLUSTER `?{CLUSTER}`?", text), text


def test_every_kind_of_statement_is_among_them(replicas: Replicas) -> None:
    told = "\n".join(replicas.sent)
    kinds = ("CREATE DATABASE", "CREATE TABLE", "CREATE OR REPLACE VIEW", "EXCHANGE TABLES", "DROP DATABASE", "SYSTEM SYNC REPLICA")
    assert [kind for kind in kinds if kind not in told] == []


def test_every_table_is_replicated(replicas: Replicas) -> None:
    tables = [sql for sql in replicas.sent if "CREATE TABLE" in sql]
    assert len(tables) > 30
    assert [sql for sql in tables if not re.search(rf"ENGINE = Replicated(\w*)MergeTree\({re.escape(REPLICA)}(, [\w, ]+)?\)", sql)] == []


def test_a_second_migration_does_nothing(replicas: Replicas) -> None:
    assert migrate(replicas) == []
    assert {step.state.name for step in status(replicas)} == {"APPLIED"}


def test_a_cluster_that_the_server_does_not_know_is_refused(clickhouse: "ClickHouseServer") -> None:
    with pytest.raises(MigrationError, match=r"0 shards of a cluster 'nowhere'.*FRONTDESK_CLICKHOUSE_CLUSTER"):
        migrate(ClickHouse(port=clickhouse.native_port, database="nowhere", cluster="nowhere"))


def test_what_defines_nothing_is_refused_on_one_server_too() -> None:
    with pytest.raises(ValueError, match="no CREATE, DROP or EXCHANGE"):
        ddl("INSERT INTO log (epoch) VALUES (1)", "")


def test_replicas_that_differ_stop_a_switch(replicas: Replicas, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = "(SELECT * FROM system.tables UNION ALL SELECT * REPLACE (generateUUIDv4() AS uuid) FROM system.tables)"
    monkeypatch.setattr(staging, "system_tables", lambda _: twice)
    with replicas.connect() as client, pytest.raises(staging.ReplicasDiffer, match="distributed_ddl_queue"):
        staging.uuids(client)


def test_the_history_is_kept_of_columns_by_name() -> None:
    assert "*" not in history_insert([[0], [60]])
