"""A stock Faust agent in the worker's place: counts each record in a Faust table and appends a row to ClickHouse, as the manual shows.

    python -m tests.chaos.stock FOLDER

It has the same servers, lines and faults as the worker. It is asked for less: no cases, no windows, only that each record of
the topic is counted once.
"""

import json
import sys
from typing import Any

import faust
import structlog

from streams.cli.configuration import load_settings
from streams.log import configure_logging
from streams.settings import Settings
from streams.warehouse import clickhouse_of

TABLE = "stock_rows"
AT_ONCE = 50
FLUSH_S = 0.5


def stock_app(settings: Settings, folder: str) -> faust.App:
    """The application, with its agent."""
    app = faust.App(
        settings.group,
        broker=f"kafka://{settings.kafka_bootstrap}",
        topic_partitions=settings.partitions,
        topic_replication_factor=1,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 10,
        broker_request_timeout=2 * settings.session_timeout_s + 10,
        datadir=f"{folder}/stock",
        web_enabled=False,
        topic_disable_leader=True,
    )
    source = app.topic(settings.topic, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
    counts = app.Table("counts", default=int, partitions=settings.partitions)
    client = clickhouse_of(settings).connect()
    rows: list[tuple[int, int, int]] = []

    def flush() -> None:
        if rows:
            client.execute(f"INSERT INTO {TABLE} (partition, offset, total) VALUES", rows)
            rows.clear()

    @app.agent(source)
    async def count(stream: Any) -> None:
        async for event in stream.events():
            partition = event.message.partition
            counts[str(partition)] = total = counts[str(partition)] + 1
            rows.append((partition, event.message.offset, total))
            if len(rows) >= AT_ONCE:
                flush()

    @app.timer(FLUSH_S)  # type: ignore[untyped-decorator] # Faust's own
    async def flush_in_time() -> None:
        flush()

    @app.on_partitions_assigned.connect
    async def assigned(*told: Any, **_: Any) -> None:
        structlog.get_logger("stock").info("assigned", partitions=sorted(tp.partition for tp in told[1] if tp.topic == settings.topic))

    return app


def main(folder: str) -> None:
    settings = load_settings()
    configure_logging("json")
    faust.Worker(stock_app(settings, folder), loglevel="warning", override_logging=False, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
    print(json.dumps({"ended": True}))
