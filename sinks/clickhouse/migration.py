# mypy: disable-error-code="import-untyped"
# (clickhouse-migrations publishes no types)
"""Tables by numbered files, applied once each; views made anew each time, because they hold nothing.

`clickhouse-migrations` keeps the books (version, md5, when) over our own connection and refuses a file that changed after
it was applied. A file is recorded when its last statement has run: one that broke off half-way runs again from its first,
so every statement says IF NOT EXISTS. With `cluster`, the same files make Replicated tables ON CLUSTER.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clickhouse_migrations.connection import ClickhouseDriverConnection
from clickhouse_migrations.exceptions import MigrationException
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import Migrator
from clickhouse_migrations.substitution import substitute

from events.exit_code import ExitCode
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


def migrate(server: ClickHouse, *, cluster: str | None = None, directory: Path = MIGRATIONS, views: Path = VIEWS) -> list[Step]:
    """Bring the database up to these files and return the steps that were taken; nothing to do is no error.

    Raises `MigrationError` when a file changed after it was applied, or when the database is newer than the files.
    """
    variables = _variables(cluster)
    _create_database(server, variables)
    storage = MigrationStorage(directory)
    names = storage.migration_filenames()
    with server.connect() as client:
        migrator = Migrator(ClickhouseDriverConnection(client), migrations_table=BOOK)
        try:
            migrator.init_schema(cluster)
            applied = migrator.apply_migration(storage.migrations(), multi_statement=True, variables=variables, sources=names)
        except MigrationException as problem:
            raise MigrationError(str(problem)) from problem
        for path in sorted(views.glob("*.sql")):
            for statement in Migrator.script_to_statements(substitute(path.read_text("utf-8"), variables, path.name), multi_statement=True):
                client.execute(statement)
    return [Step(m.version, names[m.version], MigrationState.APPLIED) for m in applied]


def _variables(cluster: str | None) -> dict[str, str]:
    if cluster is None:
        return {"ON_CLUSTER": "", "REPLICATED": ""}
    return {"ON_CLUSTER": f"ON CLUSTER `{cluster.replace('`', '')}`", "REPLICATED": "Replicated"}


def _create_database(server: ClickHouse, variables: dict[str, str]) -> None:
    with server.connect(database="default") as client:
        client.execute(f"CREATE DATABASE IF NOT EXISTS `{server.database}` {variables['ON_CLUSTER']}")
