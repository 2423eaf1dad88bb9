"""The engine's configuration: small, quiet, and with its time in UTC.

A default server keeps logs of every query and pools for sixteen cores; beside Kafka and a worker on two cores the
engine gets little of each. Blocks are written out from 8 MB on and read and merged by the megabyte, so that an insert,
a merge and a result of any size stay in bounded memory.
"""

from pathlib import Path
from xml.sax.saxutils import escape

TEMPORARY = "tmp"
"""In the data folder: what the engine makes while it is loaded, and long results. A killed one leaves them, the next clears them away."""

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
  <query_log remove="1"/>
  <query_thread_log remove="1"/>
  <part_log remove="1"/>
  <trace_log remove="1"/>
  <metric_log remove="1"/>
  <asynchronous_metric_log remove="1"/>
</clickhouse>
"""
# Set on every session: a server's defaults where the embedded engine has others, and bounded blocks.
SESSION_SETTINGS = ", ".join(
    (
        "implicit_select = 0",
        "async_insert = 0",
        "allow_introspection_functions = 0",
        "log_queries = 0",
        f"max_block_size = {BLOCK_ROWS}",
        f"min_insert_block_size_bytes = {BLOCK_BYTES}",
    )
)


def write_config(folder: Path, memory_bytes: int) -> Path:
    """Writes the configuration into the folder and returns its path."""
    path = folder / "engine.xml"
    path.write_text(
        CONFIG.format(
            log=escape(str(folder / "engine.log")),
            error_log=escape(str(folder / "engine.error.log")),
            memory_bytes=memory_bytes,
            granule_bytes=GRANULE_BYTES,
        ),
        "utf-8",
    )
    return path
