"""Where this process finds ClickHouse: one translation of the settings."""

from sinks.clickhouse.connection import ClickHouse
from streams.settings import Settings


def clickhouse_of(settings: Settings) -> ClickHouse:
    return ClickHouse(
        host=settings.clickhouse_host,
        port=settings.clickhouse_port,
        user=settings.clickhouse_user,
        password=settings.clickhouse_password.get_secret_value(),
        database=settings.clickhouse_database,
        cluster=settings.clickhouse_cluster,
        secure=settings.clickhouse_secure,
        ca_file=settings.clickhouse_ca_file,
    )
