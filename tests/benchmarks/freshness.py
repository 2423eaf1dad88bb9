"""How old news is: from the producing of an event until its row can be read, at a steady rate of events a second.

The n-th event is readable when `count()` of `events` has reached n; a second process asks for it every few milliseconds.
`all rows` is the worker's own measure, from the oldest event of a fetch until every table has its rows.
"""

import asyncio
import contextlib
import json
import sys
import threading
import time
import urllib.request
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.port import chosen
from streams.kafka.publisher import Publisher
from streams.settings import Settings
from streams.simulation import Occurrence, Plan, traffic
from tests.benchmarks.rig import Stuck, client, servers, worker

DISTRICTS, STUDENTS, HISTORY_DAYS = 40, 640, 28
TICK_S = 0.01
ASK_S = 0.004


@dataclass(frozen=True)
class Freshness:
    """Seconds from produced to readable at `rate` events a second; `worker_cpu` is its share of one core."""

    rate: int
    events: int
    p50_s: float
    p99_s: float
    worst_s: float
    all_rows_p50_s: float
    all_rows_p99_s: float
    worker_cpu: float


def measure(rate: int, seconds: int = 60) -> Freshness:
    with servers(metrics_port=chosen(("metrics",), {})["metrics"]) as settings, worker(settings) as process:
        wait_until_ready(settings)
        events = islice(traffic(Plan(time.time_ns() // 1_000_000, STUDENTS, HISTORY_DAYS, districts=DISTRICTS)), rate * seconds)
        watch = Watch(settings)
        before = process.read(0)
        produced = asyncio.run(send(settings, events, rate))
        ages = watch.ages(produced)
        after = process.read(0)
        p50, p99 = all_rows(settings)
        share = (after.cpu_s - before.cpu_s) / (after.wall_s - before.wall_s)
        return Freshness(rate, len(ages), ages[len(ages) // 2], ages[len(ages) * 99 // 100], ages[-1], p50, p99, share)


def wait_until_ready(settings: Settings) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # it does not listen yet
            if page(settings).count("frontdesk_recovered_records_total{") == settings.partitions:
                return
        time.sleep(0.1)
    raise Stuck("the worker has not recovered all partitions within a minute")


def page(settings: Settings) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


async def send(settings: Settings, events: Iterator[Occurrence], rate: int) -> list[float]:
    """Send at an even rate; returns when each was produced."""
    produced: list[float] = []
    async with Publisher(settings) as publisher:
        began = time.time()
        for number, event in enumerate(events):
            ahead = began + number / rate - time.time()
            if ahead > TICK_S:
                await publisher.flush()
                await asyncio.sleep(max(0.0, began + number / rate - time.time()))
            produced.append(time.time())
            await publisher.send(event.district, event.value)
    return produced


class Watch:
    """Asks for the number of rows, again and again, in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counts: list[int] = []
        self._times: list[float] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        with client(self._settings) as clickhouse:
            while not self._done.wait(ASK_S):
                [(count,)] = clickhouse.execute("SELECT count() FROM events")
                self._counts.append(count)
                self._times.append(time.time())

    def ages(self, produced: list[float]) -> list[float]:
        """Sorted seconds between the producing of the n-th event and the first answer that counts n."""
        deadline = time.monotonic() + 60
        while (not self._counts or self._counts[-1] < len(produced)) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._done.set()
        self._thread.join()
        if self._counts[-1] < len(produced):
            raise Stuck(f"{self._counts[-1]} of {len(produced)} events are readable after a minute")
        return sorted(self._times[bisect_left(self._counts, n)] - at for n, at in enumerate(produced, 1))


def all_rows(settings: Settings) -> tuple[float, float]:
    """p50 and p99 of the worker's own histogram, by linear interpolation within a bucket."""
    [family] = [f for f in text_string_to_metric_families(page(settings)) if f.name == "frontdesk_freshness_seconds"]
    buckets = [(float(s.labels["le"]), s.value) for s in family.samples if s.name.endswith("_bucket")]
    return quantile(buckets, 0.5), quantile(buckets, 0.99)


def quantile(buckets: list[tuple[float, float]], share: float) -> float:
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for high, count in buckets:
        if count >= wanted:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / max(1.0, count - below)
        low, below = high, count
    return low


if __name__ == "__main__":
    print(json.dumps(asdict(measure(*map(int, sys.argv[1:])))))
