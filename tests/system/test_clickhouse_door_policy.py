"""Nothing outside the database can be read or written through the door, by any name or spelling, by anybody."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.clickhouse.config import FIXED_SETTINGS
from deploy.embedded.clickhouse.policy import TABLE_ENGINES, TABLE_FUNCTIONS

pytestmark = pytest.mark.embedded

DENIED, FIXED, NO_EXPRESSIONS, SYNTAX = 497, 452, 344, 62
SECRET = "nobody reads this"  # what stands in the file outside
HARMLESS_TEXT_SETTINGS = set(
    "bool_false_representation bool_true_representation chdb_client_name column_names_for_schema_inference compatibility "  # noqa: SIM905 - so many quoted words are hard to read
    "compression count_distinct_implementation database default_format default_view_definer distributed_cache_client_id "
    "distributed_cache_file_cache_name distributed_plan_force_exchange_kind exclude_materialize_skip_indexes_on_insert "
    "filesystem_cache_name force_data_skipping_indices force_optimize_projection_name format format_csv_null_representation "
    "format_custom_field_delimiter format_custom_result_after_delimiter format_custom_result_before_delimiter "
    "format_custom_row_after_delimiter format_custom_row_before_delimiter format_custom_row_between_delimiter "
    "format_json_object_each_row_column_for_object_name format_regexp format_template_resultset_format format_template_row_format "
    "format_template_rows_between_delimiter format_tsv_null_representation framing_output_format function_implementation "
    "http_response_headers iceberg_metadata_compression_method ignore_data_skipping_indices input_format "
    "input_format_mysql_dump_table_name input_format_orc_reader_time_zone_name insert_deduplication_token "
    "local_filesystem_read_method log_comment metrics_perf_events_list network_compression_method output_format "
    "output_format_avro_codec output_format_avro_confluent_subject output_format_avro_string_column_pattern "
    "output_format_image_terminal_mode output_format_orc_writer_time_zone_name output_format_pretty_grid_charset "
    "output_format_sql_insert_table_name preferred_optimize_projection_name query_cache_tag remote_filesystem_read_method "
    "s3_upload_checksum_algorithm s3queue_default_zookeeper_path schema_inference_hints send_logs_source_regexp "
    "stream_like_engine_insert_queue temporary_files_codec trace_profile_events_list workload".split()
)
"""They hold neither SQL nor the name of anything outside that the door's grants would let in."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse") / "data") as running:
        yield running


@pytest.fixture
def client(server: ClickHouseServer) -> Iterator[Client]:
    with Client("127.0.0.1", port=server.native_port) as client:
        client.execute("CREATE OR REPLACE TABLE notes (a UInt8, b String) ENGINE = MergeTree ORDER BY a")
        client.execute("INSERT INTO notes VALUES", [(1, "one")])
        yield client


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file outside the data folder."""
    file = tmp_path / "outside.csv"
    file.write_text(f'1,"{SECRET}"\n')
    return file


def code_of(client: Client, sql: str, **options: object) -> int:
    with pytest.raises(ServerException) as raised:
        client.execute(sql, **options)
    assert SECRET not in str(raised.value)
    return int(raised.value.code)


READS = [
    "SELECT file('{file}')",
    "SELECT `file` /* x */ -- (\n ('{file}')",
    "SELECT \"fi\\x6ce\" ('{file}')",
    "SELECT “file”('{file}')",
    "SELECT arrayMap(file, ['{file}'])",
    "SELECT arrayMap(x -> file(x), ['{file}'])",
    "SELECT * APPLY file FROM (SELECT '{file}')",
    "SELECT * APPLY(`fi\\x6ce`) FROM (SELECT '{file}')",
    "SELECT COLUMNS('b') REPLACE (file('{file}') AS b) FROM notes",
    "WITH file AS f SELECT f('{file}')",
    "EXPLAIN SELECT file('{file}')",
    "SHOW TABLES WHERE throwIf(1, file('{file}'))",
    "DESCRIBE TABLE (SELECT file('{file}'))",
    "ALTER TABLE notes UPDATE b = file('{file}') WHERE 1",
    "DELETE FROM notes WHERE throwIf(1, file('{file}'))",
    "CREATE TABLE other (a String DEFAULT file('{file}')) ENGINE = Memory",
    "CREATE VIEW other AS SELECT file('{file}')",
    "INSERT INTO notes SELECT 1, file('{file}')",
    "INSERT INTO notes FROM INFILE '{file}' FORMAT CSV",
    "INSERT /* x */ INTO notes FROM\nINFILE '{file}' FORMAT CSV",
    "SELECT * FROM file('{file}')",
    "DESCRIBE file('{file}')",
    "SELECT * FROM merge('default', 'notes') WHERE b IN (SELECT b FROM file('{file}', 'CSV', 'a UInt8, b String'))",
    "CREATE TABLE other (a UInt8, b String) ENGINE = File(CSV, '{file}')",
    "CREATE TABLE other ENGINE /* x */ `Fi\\x6ce`(CSV, '{file}') AS SELECT 1",
    "CREATE TEMPORARY TABLE other (a UInt8) ENGINE = File(CSV, '{file}')",
    "SELECT * FROM _local.`{file}`",
    "SELECT * FROM executable('cat {file}', 'CSV', 'a UInt8, b String')",
    "SELECT * FROM eval('SELECT file(''{file}'')')",
    "SELECT * FROM python(os)",
    "SELECT * FROM sqlite('{file}', 'x')",
    "CREATE DATABASE other ENGINE = SQLite('{file}')",
    "CREATE DATABASE other ENGINE = Filesystem('/')",
    "CREATE DICTIONARY other (a UInt8, b String) PRIMARY KEY a SOURCE(FILE(PATH '{file}' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY other (a UInt8) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'cat {file}' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY other (a UInt8) PRIMARY KEY a SOURCE(HTTP(URL 'http://127.0.0.1:1/' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE FUNCTION other AS x -> file(x)",
    "RESTORE TABLE notes FROM File('{file}')",
]
WRITES = [
    "SELECT 1 INTO OUTFILE '{new}'",
    "SELECT 1 INTO/**/OUTFILE '{new}' TRUNCATE FORMAT CSV",
    "SHOW TABLES INTO OUTFILE '{new}'",
    "INSERT INTO FUNCTION file('{new}', 'CSV', 'a UInt8') VALUES (1)",
    "INSERT INTO TABLE FUNCTION file('{new}', 'CSV', 'a UInt8') SELECT 1",
    "CREATE TABLE other (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local', path = '{new}/')",
    "CREATE TABLE other (a UInt8) ENGINE = Log SETTINGS disk = disk(type = object_storage, object_storage_type = local, path = '{new}/')",
    "BACKUP TABLE notes TO File('{new}')",
]
ELSEWHERE = [
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1:1/a.csv')",
    "DESCRIBE s3('http://127.0.0.1:1/a.csv')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "CREATE TABLE other (a UInt8) ENGINE = URL('http://127.0.0.1:1/', CSV)",
    "CREATE NAMED COLLECTION other AS url = 'x'",
    "CREATE USER other",
    "GRANT ALL ON *.* TO default",
    "SYSTEM SHUTDOWN",
]


@pytest.mark.parametrize("sql", READS)
def test_no_file_is_read(client: Client, outside: Path, sql: str) -> None:
    assert code_of(client, sql.format(file=outside)) == DENIED
    assert client.execute("SELECT * FROM notes") == [(1, "one")]


@pytest.mark.parametrize("sql", WRITES)
def test_no_file_is_written(client: Client, tmp_path: Path, sql: str) -> None:
    new = tmp_path / "new"
    assert code_of(client, sql.format(new=new)) == DENIED
    assert not new.exists()


@pytest.mark.parametrize("sql", ELSEWHERE)
def test_no_other_server_is_asked_and_no_right_given(client: Client, sql: str) -> None:
    assert code_of(client, sql) == DENIED


def test_what_is_refused_is_refused_every_time(client: Client, outside: Path) -> None:
    """Statements that passed are remembered by their text; those that did not are asked about again."""
    allowed, refused = "SELECT b FROM notes", READS[0].format(file=outside)
    for _ in range(3):
        assert client.execute(allowed) == [("one",)]
        assert code_of(client, refused) == DENIED


def test_values_are_literals(client: Client, outside: Path) -> None:
    assert code_of(client, f"INSERT INTO notes VALUES (2, file('{outside}'))") == NO_EXPRESSIONS
    client.execute("INSERT INTO notes VALUES (2, 'file(')")
    assert client.execute("SELECT b FROM notes WHERE a = 2") == [("file(",)]


@pytest.mark.parametrize(
    "first", ["SELECT 1", "INSERT INTO notes VALUES (2, 'x')", "SET max_threads = 1", "INSERT INTO notes SELECT 2, 'x'"]
)
def test_no_second_statement_rides_along(client: Client, outside: Path, first: str) -> None:
    assert code_of(client, f"{first}; SELECT file('{outside}')") == SYNTAX
    assert client.execute("SELECT * FROM notes") == [(1, "one")]


def test_a_client_cannot_blind_the_judge(client: Client, outside: Path) -> None:
    client.execute("SET limit = 1, offset = 1, max_result_rows = 1, max_query_size = 100000000")
    assert code_of(client, f"SELECT file('{outside}')") == DENIED
    assert code_of(client, f"SELECT '{'x' * 500_000}', file('{outside}')") == DENIED


@pytest.mark.parametrize("name", sorted(FIXED_SETTINGS))
def test_settings_that_hold_sql_or_name_files_stay(client: Client, name: str) -> None:
    if name.startswith("merge_tree_"):
        sql = f"CREATE TABLE other (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS {name.removeprefix('merge_tree_')} = 'x'"
        assert code_of(client, sql) in {FIXED, 479}  # unknown disk
        return
    ((value,),) = client.execute("SELECT value FROM system.settings WHERE name = %(name)s", {"name": name})
    other = "1" if value == "0" else "{'notes': '1'}" if name == "additional_table_filters" else "kusto" if name == "dialect" else "x"
    assert code_of(client, "SELECT 1", settings={name: other}) == FIXED


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'file(', $$ url( $$ /* INTO OUTFILE */ FROM notes -- file('x')",
        "SELECT count() AS file FROM notes AS url",
        "SELECT * FROM numbers(3)",
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x WHERE a IN (SELECT a FROM values('a UInt8', 1, 2))",
        "CREATE TABLE IF NOT EXISTS plain (a UInt8) ENGINE = ReplacingMergeTree ORDER BY a",
        "SELECT engine FROM system.tables WHERE engine = 'File'",
        "SHOW CREATE TABLE notes",
        "EXPLAIN SELECT * FROM notes",
    ],
)
def test_what_only_looks_like_it_is_answered(client: Client, sql: str) -> None:
    client.execute(sql)


# ---- what a newer engine brings


def test_every_table_function_is_known_to_be_harmless_or_refused(client: Client) -> None:
    found = {name for (name,) in client.execute("SELECT name FROM system.table_functions")}
    assert found >= TABLE_FUNCTIONS, "names that are none"
    assert {name: code_of(client, f"SELECT * FROM {name}('x')") for name in found - TABLE_FUNCTIONS} == dict.fromkeys(
        found - TABLE_FUNCTIONS, DENIED
    )


def test_every_table_engine_is_known_to_be_harmless_or_refused(client: Client) -> None:
    tables = {name for (name,) in client.execute("SELECT name FROM system.table_engines")}
    databases = {name for (name,) in client.execute("SELECT name FROM system.database_engines")}
    assert tables | databases >= TABLE_ENGINES, "names that are none"
    for name in tables - TABLE_ENGINES:
        assert code_of(client, f"CREATE TABLE other (a UInt8) ENGINE = {name}('x')") == DENIED, name
    for name in databases - TABLE_ENGINES:
        assert code_of(client, f"CREATE DATABASE other ENGINE = {name}('x')") == DENIED, name


def test_every_setting_that_holds_a_text_is_fixed_or_known_to_be_harmless(client: Client) -> None:
    found = {name for (name,) in client.execute("SELECT name FROM system.settings WHERE type IN ('String', 'Map', 'URI')")}
    unknown = {name for name in found - FIXED_SETTINGS.keys() - HARMLESS_TEXT_SETTINGS if not name.startswith("ai_")}
    assert unknown == set()


def test_no_other_function_reaches_outside(client: Client) -> None:
    """By name; what reads files, asks servers or runs programs says so in it."""
    pattern = "(?i)^(file|url|http|s3|exec|python|eval|remote|catboost|ai[A-Z])"
    found = {name for (name,) in client.execute("SELECT name FROM system.functions WHERE match(name, %(p)s)", {"p": pattern})}
    inside = {
        "filesystemAvailable",
        "filesystemCapacity",
        "filesystemUnreserved",
        "URLHash",
        "URLHierarchy",
        "URLPathHierarchy",
        "evalMLMethod",
    }
    asking = {name for name in found if name.lower().startswith("ai")}
    assert found - inside - asking == {"file"}
    for name in asking:
        assert code_of(client, f"SELECT {name}('x', 'y')")
