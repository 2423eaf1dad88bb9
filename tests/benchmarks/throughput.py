"""Events per CPU-second of the worker, from Kafka to rows in ClickHouse, beside a stock Faust agent and a ceiling, both of smaller jobs.

All three read the same topic of simulated events in the same run. The worker writes all tables, windows and changelog; its
rows are counted afterwards. Its rate is taken between its first commit and its last, so starting up does not count.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from streams.settings import Settings
from streams.simulation import Plan
from streams.terminal.configuration import environment_of
from tests.benchmarks.rig import Stuck, client, follow, publish, servers, worker

DISTRICTS = 40
STUDENTS = 640
STOCK_EVENTS = 50_000
"""The stock agent is slow: a part of the topic is enough to know its rate."""


@dataclass(frozen=True)
class Throughput:
    """Rates in events per CPU-second of the process; `ratio` is worker over stock, `of_ceiling` worker over ceiling."""

    events: int
    worker: float
    worker_wall: float
    stock: float
    ceiling: float
    ratio: float
    of_ceiling: float
    resident_mb: float


def measure(days: int = 28) -> Throughput:
    with servers() as settings:
        events = asyncio.run(publish(settings, Plan(time.time_ns() // 1_000_000, STUDENTS, days, districts=DISTRICTS)))
        stock = rate_of("stock", settings, min(events, STOCK_EVENTS), str(settings.clickhouse_port))
        ceiling = rate_of("ceiling", settings, events)
        with worker(settings) as process:
            readings = follow(settings, process, until=events)
        first, last = readings[0], readings[-1]
        done, cpu_s = last.committed - first.committed, last.cpu_s - first.cpu_s
        check_rows(settings, events)
        rate = done / cpu_s
        resident_mb = max(reading.resident for reading in readings) / 2**20
        return Throughput(events, rate, done / (last.wall_s - first.wall_s), stock, ceiling, rate / stock, rate / ceiling, resident_mb)


def rate_of(name: str, settings: Settings, events: int, *more: str) -> float:
    """Events per CPU-second of a module beside this one that reads the topic."""
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", settings.kafka_bootstrap, settings.topic, str(settings.partitions)]
    environment = os.environ | environment_of(settings)
    done = subprocess.run([*command, str(events), *more], env=environment, capture_output=True, text=True, check=False, timeout=600)
    if not done.stdout.strip():
        raise Stuck(f"{name} gave nothing:\n{done.stderr[-2000:]}")
    report = json.loads(done.stdout.splitlines()[-1])
    return float(report["events"] / report["cpu_s"])


def check_rows(settings: Settings, events: int) -> None:
    """A benchmark of work that was not done is worth nothing."""
    with client(settings) as clickhouse:
        [(rows, cases)] = clickhouse.execute("SELECT count(), uniqExact(district, subject) FROM events FINAL")
        [(facts,)] = clickhouse.execute("SELECT uniqExact(district, subject) FROM cases FINAL")
        [(messages,)] = clickhouse.execute("SELECT sum(message_n) FROM windows FINAL WHERE scope = 'district' AND window = '28d'")
    if rows != events or facts != cases or not messages:
        raise Stuck(f"{events} events gave {rows} rows in events, {facts} of {cases} cases, {messages} messages in 28 days")


if __name__ == "__main__":
    print(json.dumps(asdict(measure(*map(int, sys.argv[1:])))))
