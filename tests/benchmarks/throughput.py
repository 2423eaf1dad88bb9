"""Events per CPU-second of the worker, from Kafka to rows in ClickHouse, beside a stock Faust agent doing a smaller job.

Both read the same topic of simulated events in the same run. The worker writes all tables, windows and changelog; its
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
    """Rates in events per CPU-second of the process; `ratio` is worker over stock."""

    events: int
    worker: float
    worker_wall: float
    stock: float
    ratio: float
    resident_mb: float


def measure(days: int = 28) -> Throughput:
    with servers() as settings:
        events = asyncio.run(publish(settings, Plan(time.time_ns() // 1_000_000, STUDENTS, days, districts=DISTRICTS)))
        stock = stock_rate(settings, min(events, STOCK_EVENTS))
        with worker(settings) as process:
            readings = follow(settings, process, until=events)
        first, last = readings[0], readings[-1]
        done, cpu_s = last.committed - first.committed, last.cpu_s - first.cpu_s
        check_rows(settings, events)
        rate = done / cpu_s
        return Throughput(events, rate, done / (last.wall_s - first.wall_s), stock, rate / stock, max(r.resident for r in readings) / 2**20)


def stock_rate(settings: Settings, events: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.stock", settings.kafka_bootstrap, settings.topic]
    command += [str(settings.partitions), str(events), str(settings.clickhouse_port)]
    environment = os.environ | environment_of(settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    if not done.stdout.strip():
        raise Stuck(f"the stock agent gave nothing:\n{done.stderr[-2000:]}")
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
