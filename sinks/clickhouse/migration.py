# mypy: disable-error-code="import-untyped"
# (clickhouse-migrations publishes no types)
"""Tables by numbered files, applied once each; views made anew each time, because they hold nothing.

`clickhouse-migrations` keeps the books (version, md5, when) over our own connection and refuses a file that changed after
it was applied. A file is recorded when its last statement has run: one that broke off half-way runs again from its first,
so every statement says IF NOT EXISTS. On a cluster `sinks.clickhouse.cluster` makes of the same files what all replicas run.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clickhouse_migrations.connection import ClickhouseDriverConnection
from clickhouse_migrations.exceptions import MigrationException
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import Migrator

from events.exit_code import ExitCode
from sinks.clickhouse.cluster import catch_up, define, shards
from sinks.clickhouse.connection import ClickHouse

MIGRATIONS = Path(__file__).parent / "migrations"
VIEWS = Path(__file__).parent / "views"
BOOK = "schema_versions"


class MigrationState(StrEnum):
    """Of one migration file against one database."""

    PENDING = "pending"
    APPLIED = "applied"
    CHANGED = "changed since it was applied"
    UNKNOWN = "applied by a newer Frontdesk"


STATES = {
    "applied": MigrationState.APPLIED,
    "pending": MigrationState.PENDING,
    "md5-mismatch": MigrationState.CHANGED,
    "unknown": MigrationState.UNKNOWN,
}


@dataclass(frozen=True)
class Step:
    """One migration: its file name ('' where only the database knows it) and how it stands."""

    version: int
    name: str
    state: MigrationState


class MigrationError(Exception):
    """The database and the files do not belong together; says which migration and why."""

    exit_code = ExitCode.REFUSED


def status(server: ClickHouse, directory: Path = MIGRATIONS) -> list[Step]:
    """How every migration stands, without changing anything: also what `migrate` would do (a dry run)."""
    storage = MigrationStorage(directory)
    names = storage.migration_filenames()
    with server.connect(database="system") as client:
        known = client.execute(
            "SELECT count() FROM system.tables WHERE database = %(database)s AND name = %(book)s",
            {"database": server.database, "book": BOOK},
        )[0][0]
    if not known:
        return [Step(version, name, MigrationState.PENDING) for version, name in sorted(names.items())]
    with server.connect() as client:
        rows = Migrator(ClickhouseDriverConnection(client), migrations_table=BOOK).migration_status(storage.migrations())
    return [Step(row.version, names.get(row.version, ""), STATES[row.state]) for row in rows]


def migrate(server: ClickHouse, *, directory: Path = MIGRATIONS, views: Path = VIEWS) -> list[Step]:
    """Bring the database up to these files and return the steps that were taken; nothing to do is no error.

    Raises `MigrationError` when a file changed after it was applied, when the database is newer than the files, or where the server
    knows no such cluster.
    """
    with server.connect(database="default") as client:
        if server.cluster and (number := shards(client)) != 1:
            raise MigrationError(
                f"the server knows {number} shards of a cluster {server.cluster!r}, and Frontdesk needs one, of replicas: "
                "see system.clusters, and FRONTDESK_CLICKHOUSE_CLUSTER"
            )
        define(client, f"CREATE DATABASE IF NOT EXISTS `{server.database}`")
    storage = MigrationStorage(directory)
    names = storage.migration_filenames()
    with server.connect() as client:
        migrator = Migrator(_Definitions(client), migrations_table=BOOK)
        try:
            migrator.init_schema()
            catch_up(client, BOOK)
            applied = migrator.apply_migration(storage.migrations(), multi_statement=True)
        except MigrationException as problem:
            raise MigrationError(str(problem)) from problem
        for path in sorted(views.glob("*.sql")):
            for statement in Migrator.script_to_statements(path.read_text("utf-8"), multi_statement=True):
                define(client, statement)
    return [Step(m.version, names[m.version], MigrationState.APPLIED) for m in applied]


class _Definitions(ClickhouseDriverConnection):  # type: ignore[misc] # its library publishes no types
    """What the migrator defines is defined on every replica. It also has its books merged, which any one may do."""

    def command(self, statement: str, log_statement: str | None = None) -> None:  # noqa: ARG002 - the migrator's signature
        if statement.startswith("OPTIMIZE"):
            self._client.execute(statement)
        else:
            define(self._client, statement)
