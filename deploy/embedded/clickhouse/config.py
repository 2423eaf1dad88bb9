"""The engine's configuration: small, quiet, with its time in UTC, and closed towards everything outside the database.

A default server keeps logs of every query and pools for sixteen cores; beside Kafka and a worker on two cores the
engine gets little of each. Blocks are written out from 8 MB on and read and merged by the megabyte, so that an insert,
a merge and a result of any size stay in bounded memory.
"""

import uuid
from pathlib import Path
from xml.sax.saxutils import escape

ENGINE = "engine"
"""In the data folder: what the engine keeps."""

TEMPORARY = "tmp"
"""In the data folder: what the engine makes while it is loaded, and long results. A killed one leaves them, the next clears them away."""

DEFAULT_MEMORY_BYTES = 4 << 30
BLOCK_BYTES = 8 << 20
BLOCK_ROWS = 1 << 14
GRANULE_BYTES = 1 << 20
# For the environment of the engine's process: its allocator keeps freed pages for five seconds by default, which in a gigabyte
# of rows is several hundred megabytes. Measured on 1 GB inserted: 475 MB over idle by default, 150 to 190 so, for 10 % more CPU.
ALLOCATOR = {
    "JE_MALLOC_CONF": "oversize_threshold:1048576,dirty_decay_ms:200,muzzy_decay_ms:0",
    "MALLOC_ARENA_MAX": "2",
}

CONFIG = """<clickhouse>
  <logger>
    <log>{log}</log>
    <errorlog>{error_log}</errorlog>
    <size>20M</size>
    <count>2</count>
  </logger>
  <max_server_memory_usage>{memory_bytes}</max_server_memory_usage>
  <background_pool_size>2</background_pool_size>
  <background_merges_mutations_concurrency_ratio>1</background_merges_mutations_concurrency_ratio>
  <background_common_pool_size>2</background_common_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
  <background_distributed_schedule_pool_size>1</background_distributed_schedule_pool_size>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <merge_tree>
    <index_granularity_bytes>{granule_bytes}</index_granularity_bytes>
    <merge_max_block_size_bytes>{granule_bytes}</merge_max_block_size_bytes>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>0</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>0</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>0</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
  <users_config>{users}</users_config>
  <default_database>{local_database}</default_database>
  <user_files_path>{nowhere}</user_files_path>
  <user_scripts_path>{nowhere}</user_scripts_path>
  <format_schema_path>{nowhere}</format_schema_path>
  <dictionaries_config remove="1"/>
  <user_defined_executable_functions_config remove="1"/>
  <query_log remove="1"/>
  <query_thread_log remove="1"/>
  <part_log remove="1"/>
  <trace_log remove="1"/>
  <metric_log remove="1"/>
  <asynchronous_metric_log remove="1"/>
</clickhouse>
"""
GRANTS = (
    "GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE, DROP, TRUNCATE, OPTIMIZE, "
    "KILL QUERY ON *.*"
)
"""All that the engine's user may do. No source (file, URL, other server), no dictionary, function, named collection, backup, user."""

LOCAL_DATABASE = "_local"
"""The engine makes its default database one that takes file names for tables; this takes its place, and `default` is a plain one."""

FIXED_SETTINGS = {
    "implicit_select": "0",
    "input_format_values_interpret_expressions": "0",
    "input_format_values_deduce_templates_of_expressions": "0",
} | dict.fromkeys(
    (  # noqa: SIM905 - thirty quoted words are hard to read
        # SQL text, or another language, that no parser of statements sees
        "additional_result_filter additional_table_filters dialect filter order parallel_replicas_custom_key polyglot_dialect select sort "
        "promql_database promql_table implicit_table_at_top_level allow_experimental_eval_table_function "
        # names of files, disks, servers and programs
        "cluster_for_parallel_replicas errors_output_format format_avro_schema_registry_url format_schema format_schema_message_name "
        "format_schema_source format_template_resultset format_template_row input_format_record_errors_file_path merge_tree_disk "
        "merge_tree_storage_policy output_format_schema rename_files_after_processing s3_base url_base "
        "ai_function_embedding_default_credentials ai_function_text_default_credentials"
    ).split()
)
"""Settings that nobody may change, and the values of those that have to differ from the engine's own."""

USERS = """<clickhouse>
  <profiles><default>{values}<constraints>{constants}</constraints></default></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants><query>{grants}</query></grants>
  </default></users>
</clickhouse>
"""
# Set on every session: a server's defaults where the embedded engine has others, and bounded blocks.
SESSION_SETTINGS = ", ".join(
    (
        "async_insert = 0",
        "allow_introspection_functions = 0",
        "log_queries = 0",
        f"max_block_size = {BLOCK_ROWS}",
        f"min_insert_block_size_bytes = {BLOCK_BYTES}",
    )
)


def write_config(folder: Path, memory_bytes: int) -> Path:
    """Writes the configuration into the folder and returns its path."""
    path, users = folder / "engine.xml", folder / "engine.users.xml"
    values = "".join(f"<{name}>{value}</{name}>" for name, value in FIXED_SETTINGS.items() if value is not None)
    constants = "".join(f"<{name}><const/></{name}>" for name in FIXED_SETTINGS)
    users.write_text(USERS.format(values=values, constants=constants, grants=GRANTS))
    make_default_database(folder / ENGINE / "metadata" / "default.sql")
    path.write_text(
        CONFIG.format(
            log=escape(str(folder / "engine.log")),
            error_log=escape(str(folder / "engine.error.log")),
            users=escape(str(users)),
            nowhere=escape(str(folder / "nowhere")),
            local_database=LOCAL_DATABASE,
            memory_bytes=memory_bytes,
            granule_bytes=GRANULE_BYTES,
        ),
        "utf-8",
    )
    return path


def make_default_database(metadata: Path) -> None:
    """A plain database `default`, as on a server, which the engine finds when it opens the folder.

    By the link to its tables the engine would find them for `_local` too, and load them twice; it makes the link anew.
    """
    metadata.with_suffix("").unlink(missing_ok=True)
    if not metadata.exists():
        metadata.parent.mkdir(parents=True, exist_ok=True)
        metadata.write_text(f"ATTACH DATABASE `default` UUID '{uuid.uuid4()}' ENGINE = Atomic\n")
