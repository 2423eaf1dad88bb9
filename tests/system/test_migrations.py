"""Migrations on a real server: once each, again when one broke off, never after a file changed."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clickhouse_driver.errors import ServerException
from clickhouse_migrations.migrator import Migrator

from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import MIGRATIONS, MigrationError, MigrationState, migrate, status

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

FILES = sorted(path.name for path in MIGRATIONS.glob("*.sql"))


@pytest.fixture
def server(clickhouse: "ClickHouseServer", request: pytest.FixtureRequest) -> ClickHouse:
    return ClickHouse(port=clickhouse.native_port, database=f"migrations_{abs(hash(request.node.name))}")


def tables(server: ClickHouse) -> set[str]:
    with server.connect() as client:
        return {name for (name,) in client.execute("SHOW TABLES")}


def test_a_new_database_gets_everything_and_the_second_time_nothing(server: ClickHouse) -> None:
    assert [(step.name, step.state) for step in status(server)] == [(name, MigrationState.PENDING) for name in FILES]
    assert [step.name for step in migrate(server)] == FILES
    assert migrate(server) == []
    assert {step.state for step in status(server)} == {MigrationState.APPLIED}
    assert {"events", "cases", "windows", "indicators", "scores", "open_cases", "breaches"} <= tables(server)


def test_asking_for_the_status_changes_nothing(server: ClickHouse) -> None:
    status(server)
    with server.connect(database="system") as client:
        assert client.execute("SELECT count() FROM databases WHERE name = %(name)s", {"name": server.database}) == [(0,)]


def test_a_migration_that_broke_off_goes_on(server: ClickHouse, tmp_path: Path) -> None:
    #  given a file whose second statement fails, after the first one took effect
    (tmp_path / "001_first.sql").write_text(
        "CREATE TABLE IF NOT EXISTS one (x UInt8) ENGINE = Memory; CREATE TABLE two (x NoSuchType) ENGINE = Memory;"
    )
    with pytest.raises(ServerException):
        migrate(server, directory=tmp_path, views=tmp_path / "none")
    assert [step.state for step in status(server, tmp_path)] == [MigrationState.PENDING]
    assert "one" in tables(server)
    #  when it has been mended, then it is applied from its first statement
    (tmp_path / "001_first.sql").write_text(
        "CREATE TABLE IF NOT EXISTS one (x UInt8) ENGINE = Memory; CREATE TABLE IF NOT EXISTS two (x UInt8) ENGINE = Memory;"
    )
    assert [step.name for step in migrate(server, directory=tmp_path, views=tmp_path / "none")] == ["001_first.sql"]
    assert {"one", "two"} <= tables(server)


def test_ours_go_on_wherever_they_broke_off(server: ClickHouse) -> None:
    statements = [s for name in FILES for s in Migrator.script_to_statements((MIGRATIONS / name).read_text(), multi_statement=True)]
    for number in range(len(statements)):
        broken = replace(server, database=f"{server.database}_{number}")
        with broken.connect(database="default") as client:
            client.execute(f"CREATE DATABASE {broken.database}")
        with broken.connect() as client:
            for statement in statements[:number]:
                client.execute(statement)
        assert [step.name for step in migrate(broken)] == FILES


def test_every_statement_of_ours_can_run_again(server: ClickHouse) -> None:
    migrate(server)
    with server.connect() as client:
        client.execute("TRUNCATE TABLE schema_versions")
    assert [step.name for step in migrate(server)] == FILES


def test_a_file_that_changed_after_it_was_applied_is_refused(server: ClickHouse, tmp_path: Path) -> None:
    (tmp_path / "001_first.sql").write_text("CREATE TABLE IF NOT EXISTS one (x UInt8) ENGINE = Memory;")
    migrate(server, directory=tmp_path, views=tmp_path / "none")
    (tmp_path / "001_first.sql").write_text("CREATE TABLE IF NOT EXISTS one (x UInt16) ENGINE = Memory;")
    assert [step.state for step in status(server, tmp_path)] == [MigrationState.CHANGED]
    with pytest.raises(MigrationError, match="version is 1"):
        migrate(server, directory=tmp_path, views=tmp_path / "none")


def test_a_database_newer_than_the_files_is_refused(server: ClickHouse, tmp_path: Path) -> None:
    migrate(server)
    (tmp_path / FILES[0]).write_text((MIGRATIONS / FILES[0]).read_text())
    assert status(server, tmp_path)[-1].state is MigrationState.UNKNOWN
    with pytest.raises(MigrationError):
        migrate(server, directory=tmp_path)
