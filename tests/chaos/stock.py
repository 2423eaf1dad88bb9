"""Stock Faust in the worker's place, as its manual shows: one agent appends a row for each record, another counts in a table.

    python -m tests.chaos.stock FOLDER

It has the same servers, lines and faults as the worker. It is asked for less: no cases, no windows, only that each record of
the topic is counted once.
"""

import sys
from typing import Any

import faust
import structlog

from streams.log import configure_logging
from streams.settings import Settings
from streams.terminal.configuration import load_settings
from streams.warehouse import clickhouse_of

ROWS, TOTALS = "stock_rows", "stock_totals"
AT_ONCE, WITHIN_S = 100, 0.5
TELL_S = 1.0


def stock_app(settings: Settings, folder: str) -> faust.App:
    """The application, with its agents. Rows are acknowledged only after they are in ClickHouse (`take_events`)."""
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

    @app.agent(source)
    async def append(stream: Any) -> None:
        async for events in stream.take_events(AT_ONCE, within=WITHIN_S):
            client.execute(f"INSERT INTO {ROWS} (partition, offset) VALUES", [(e.message.partition, e.message.offset) for e in events])

    @app.agent(source)
    async def count(stream: Any) -> None:
        async for event in stream.events():
            counts[str(event.message.partition)] += 1

    @app.timer(TELL_S)  # type: ignore[untyped-decorator] # Faust's own
    async def tell() -> None:
        told = [(int(partition), total) for partition, total in counts.items()]
        if told:
            client.execute(f"INSERT INTO {TOTALS} (partition, total) VALUES", told)

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
