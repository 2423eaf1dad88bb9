"""A stock Faust agent doing a smaller job, as the baseline: parse, one table write and one row for each event.

    python -m tests.benchmarks.stock BOOTSTRAP TOPIC PARTITIONS EVENTS CLICKHOUSE_PORT

It prints one JSON line: events, CPU seconds and wall seconds from its first event to its last row.
"""

import json
import os
import sys
import tempfile
import time
from typing import Any

import faust
from clickhouse_driver import Client

FLUSH = 10_000
TABLE = "default.stock_rows"


def main(bootstrap: str, topic: str, partitions: str, events: str, clickhouse_port: str) -> None:
    expected = int(events)
    client = Client("127.0.0.1", int(clickhouse_port), password=os.environ["FRONTDESK_CLICKHOUSE_PASSWORD"])
    client.execute(f"CREATE OR REPLACE TABLE {TABLE} (subject String, kind String, n UInt32) ENGINE = MergeTree ORDER BY subject")
    app = faust.App(
        "frontdesk-stock",
        broker=f"kafka://{bootstrap}",
        topic_partitions=int(partitions),
        topic_replication_factor=1,
        datadir=tempfile.mkdtemp(),
        web_enabled=False,
        topic_disable_leader=True,
    )
    source = app.topic(topic, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
    counts = app.Table("counts", default=int, partitions=int(partitions))
    rows: list[tuple[str, str, int]] = []
    seen = started_cpu = started = 0.0

    @app.agent(source)
    async def count(stream: Any) -> None:
        nonlocal seen, started_cpu, started
        async for value in stream:
            if not seen:
                started_cpu, started = time.process_time(), time.monotonic()
            event = json.loads(value)
            key = event["subject"]
            counts[key] = n = counts[key] + 1
            rows.append((key, event["type"], n))
            seen += 1
            if len(rows) == FLUSH or seen == expected:
                client.execute(f"INSERT INTO {TABLE} VALUES", rows)
                rows.clear()
            if seen == expected:
                report = {"events": expected, "cpu_s": time.process_time() - started_cpu, "wall_s": time.monotonic() - started}
                print(json.dumps(report), file=sys.__stdout__, flush=True)  # Faust takes sys.stdout for its log
                os._exit(0)  # measured: how Faust would stop is not the question

    faust.Worker(app, loglevel="error").execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
