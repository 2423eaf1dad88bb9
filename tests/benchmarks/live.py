"""What a whole state costs while it is live: 1,200 districts of heavy-tailed sizes, at a peak and at an ordinary hour.

A morning's history comes first and is caught up with, which gives the worker's cost of a replayed event in the same run. Then events come
at an even rate, each with the time at which it is sent, of cases that history knows or that are new. CPU is user and system time of each
process by events; rows are those that the worker sent, by its own metrics. The directory's hours are laid so that it is morning now,
whenever that is. Afterwards `frontdesk verify` reads everything again.

    python -m tests.benchmarks.live [SECONDS [RATE[:VIEWERS] ...]]
"""

import asyncio
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import ClientSession, ClientTimeout
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.port import chosen
from deploy.embedded.stack import Stack
from streams.cli.work.migrate import prepare
from streams.kafka.publisher import Publisher
from streams.settings import Settings
from streams.simulation import Occurrence, Plan, traffic_of
from streams.terminal.configuration import environment_of
from tests.benchmarks.freshness import page as metrics_of
from tests.benchmarks.freshness import quantile, send, wait_until_ready
from tests.benchmarks.rig import Measured, Process, client, follow, servers, worker
from tests.benchmarks.sizes import sampled
from tests.benchmarks.viewers import address_of, page

DISTRICTS: Final = 1_200
ONE_IN: Final = 10
"""Of the students, so many fewer write: a morning of all of them would take minutes to invent. Places are those of all."""
MORNING: Final = datetime(2026, 10, 6, 15, tzinfo=UTC)
"""A Tuesday, at ten in the morning of the simulated districts (Chicago), in the middle of what was simulated."""
DAYS: Final = 1
SCRAPE_S: Final = 10
WARM_UP_S: Final = 5
VIEWED: Final = 20
TOGETHER: Final = ("worker", "clickhouse", "kafka")
"""What counting an event costs; looking at it is the page's."""


@dataclass(frozen=True)
class Load:
    """Events a second, and how many districts somebody looks at meanwhile."""

    rate: int
    viewers: int = 0


LOADS: Final = (Load(2_766), Load(500), Load(2_766, VIEWED), Load(500, VIEWED))


@dataclass(frozen=True)
class Phase:
    """One load. `cpu_us` is CPU microseconds an event, by process; `rows` and `sent_bytes` are by table and event."""

    rate: int
    viewers: int
    events: int
    cpu_us: dict[str, float]
    rows: dict[str, float]
    sent_bytes: dict[str, float]
    inserts_per_s: float
    event_p50_s: float
    event_p99_s: float
    all_rows_p50_s: float
    all_rows_p99_s: float
    resident_mb: dict[str, int]


@dataclass(frozen=True)
class Live:
    """`replay_us`: CPU of the worker for an event of the history, in the same run. `is_verified`: `verify` found no difference."""

    districts: int
    history: int
    replay_us: float
    phases: list[Phase]
    is_verified: bool


def measure(seconds: int = 60, loads: Sequence[Load] = LOADS) -> Live:
    shift = (now := time.time_ns() // 1_000_000) - int(MORNING.timestamp() * 1000)
    plan = Plan(now - shift, days=DAYS, districts=DISTRICTS)
    events = traffic_of([sampled(place, DISTRICTS, ONE_IN) for place in range(DISTRICTS)], plan)
    with ExitStack() as stack:
        settings = stack.enter_context(servers(metrics_port=chosen(("metrics",), {})["metrics"], page_port=0))
        settings = settings.model_copy(update={"directory": written_directory(settings.folder)})
        prepare(settings)
        before = takewhile(lambda event: event.time <= plan.until, events)
        history = asyncio.run(publish(settings, (moved(event, event.time + shift) for event in before)))
        wanted = [islice(events, load.rate * (seconds + WARM_UP_S)) for load in loads]
        ready = [list(some) for some in wanted]
        process = stack.enter_context(worker(settings))
        readings = follow(settings, process, until=history)
        replayed = readings[-1].committed - readings[0].committed
        stack.enter_context(scraped(settings))
        wait_until_ready(settings)
        phases, sent = list[Phase](), history
        for load, events_of_it in zip(loads, ready, strict=True):
            sent += len(events_of_it)
            phases.append(phase(settings, process, load, events_of_it, sent))
        return Live(DISTRICTS, history, (readings[-1].cpu_s - readings[0].cpu_s) / replayed * 1e6, phases, is_verified(settings))


def phase(settings: Settings, process: Process, load: Load, events: Sequence[Occurrence], end: int) -> Phase:
    """Some seconds of warming up, then what is measured, until its last row is written. `end` is the number of records then."""
    warm = load.rate * WARM_UP_S
    with ExitStack() as stack:
        measured = {"worker": process, **processes(settings)}
        if load.viewers:
            watched = stack.enter_context(page(settings.model_copy(update={"metrics_port": 0})))
            stack.enter_context(viewed(address_of(watched), load.viewers))
            measured["page"] = watched
        asyncio.run(send(settings, now_sent(events[:warm]), load.rate))
        follow(settings, process, until=end - len(events) + warm)
        before, at, began = counted(settings), {name: each.read() for name, each in measured.items()}, time.time()
        asyncio.run(send(settings, now_sent(events[warm:]), load.rate))
        follow(settings, process, until=end)
        seconds = time.time() - began
        after, then = counted(settings), {name: each.read() for name, each in measured.items()}
    n = len(events) - warm
    p50, p99 = event_freshness(settings, began)
    ages = [(float(le), count - before.ages[le]) for le, count in after.ages.items()]
    return Phase(
        rate=load.rate,
        viewers=load.viewers,
        events=n,
        cpu_us={name: (then[name].cpu_s - at[name].cpu_s) / n * 1e6 for name in measured},
        rows={table: (rows - before.rows.get(table, 0)) / n for table, rows in after.rows.items()},
        sent_bytes={table: (size - before.sizes.get(table, 0)) / n for table, size in after.sizes.items()},
        inserts_per_s=(after.inserts - before.inserts) / seconds,
        event_p50_s=p50,
        event_p99_s=p99,
        all_rows_p50_s=quantile(ages, 0.5),
        all_rows_p99_s=quantile(ages, 0.99),
        resident_mb={name: round(each.resident / 1e6) for name, each in then.items()},
    )


# -- what is sent ------------------------------------------------------------------------------------------------------
def moved(event: Occurrence, at: int) -> Occurrence:
    """The same event at another time."""
    head, _, tail = event.value.partition(b'"time":"')
    _, _, rest = tail.partition(b'"')
    text = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return Occurrence(at, event.district, b'%s"time":"%sZ"%s' % (head, text.encode(), rest))


def now_sent(events: Sequence[Occurrence]) -> Iterator[Occurrence]:
    return (moved(event, time.time_ns() // 1_000_000) for event in events)


async def publish(settings: Settings, events: Iterator[Occurrence]) -> int:
    async with Publisher(settings) as publisher:
        for event in events:
            await publisher.send(event.district, event.value)
    return publisher.acknowledged


def written_directory(folder: Path) -> Path:
    """All districts, open every day, in a zone in which it is about ten in the morning: promises run, whenever this is."""
    west = (datetime.now(UTC).hour - 10) % 24  # hours behind UTC; Etc/GMT+12 and Etc/GMT-14 are the last ones
    zone = f"Etc/GMT+{west}" if west <= 12 else f"Etc/GMT-{24 - west}"
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    names = [sampled(place, DISTRICTS, ONE_IN).name for place in range(DISTRICTS)]
    content = {
        "revision": 1,
        "zone": zone,
        "hours": dict.fromkeys(days, "07:00-18:00"),
        "targets": {
            "critical": {"response": "1 business hours", "resolution": "8 business hours"},
            "urgent": {"response": "2 business hours", "resolution": "16 business hours"},
            "routine": {"response": "8 business hours", "resolution": "40 business hours"},
        },
        "districts": {name: {"name": f"{name} (invented)"} for name in names},
    }
    path = folder / "directory.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


# -- who looks on ------------------------------------------------------------------------------------------------------
@contextmanager
def scraped(settings: Settings) -> Iterator[None]:
    """Prometheus reads the worker's metrics, where it is installed."""
    program = shutil.which("prometheus")
    if program is None:
        yield
        return
    port, folder = chosen(("prometheus",), {})["prometheus"], settings.folder
    jobs = [{"job_name": "frontdesk", "static_configs": [{"targets": [f"127.0.0.1:{settings.metrics_port}"]}]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"global": {"scrape_interval": f"{SCRAPE_S}s"}, "scrape_configs": jobs}))
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    running = Process([*command, f"--web.listen-address=127.0.0.1:{port}"], {}, folder / "prometheus.log")
    try:
        yield
    finally:
        running.stop()


@contextmanager
def viewed(address: str, viewers: int) -> Iterator[None]:
    """A viewer in each of so many districts, evenly from the largest to the smallest, in a thread."""
    loop = asyncio.new_event_loop()
    names = [sampled(place, DISTRICTS, ONE_IN).name for place in range(0, DISTRICTS, DISTRICTS // viewers)][:viewers]
    thread = threading.Thread(target=loop.run_until_complete, args=[_look(address, names)])
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join()
        loop.close()


async def _look(address: str, names: Sequence[str]) -> None:
    async def look(session: ClientSession, name: str) -> None:
        async with session.get(f"{address}live?district={name}&window=28d") as answer:
            async for _ in answer.content.iter_any():
                pass

    async with ClientSession(timeout=ClientTimeout(total=None)) as session:
        await asyncio.gather(*(look(session, name) for name in names), return_exceptions=True)


# -- what is read ------------------------------------------------------------------------------------------------------
def processes(settings: Settings) -> dict[str, Measured]:
    """The servers of the stack."""
    return {status.name: Measured(status.pid) for status in Stack(settings.folder).status() if status.pid}


@dataclass(frozen=True)
class Counted:
    """What the worker counts: rows, bytes and inserts by table, records by age; the history's rows are those that stand."""

    rows: dict[str, float]
    sizes: dict[str, float]
    inserts: float
    ages: dict[str, float]


def counted(settings: Settings) -> Counted:
    samples: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(metrics_of(settings)):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)

    def by_table(name: str) -> dict[str, float]:
        return {s.labels["table"]: s.value for s in samples[name] if s.labels["outcome"] == "acknowledged"}

    with client(settings) as clickhouse:
        [(kept,)] = clickhouse.execute("SELECT count() FROM windows_history")
    return Counted(
        by_table("frontdesk_insert_rows_total") | {"windows_history": kept},
        by_table("frontdesk_insert_bytes_total"),
        sum(by_table("frontdesk_insert_seconds_count").values()),
        {s.labels["le"]: s.value for s in samples["frontdesk_freshness_seconds_bucket"]},
    )


def event_freshness(settings: Settings, since: float) -> tuple[float, float]:
    """p50 and p99 of seconds from an event being produced to the insert of its row; the table notes both."""
    age = "quantiles(0.5, 0.99)(dateDiff('millisecond', produced_at, ingested_at) / 1000)"
    with client(settings) as clickhouse:
        [((p50, p99),)] = clickhouse.execute(f"SELECT {age} FROM events WHERE produced_at >= toDateTime64(%(since)s, 3)", {"since": since})
    return p50, p99


def is_verified(settings: Settings) -> bool:
    command = [sys.executable, "-m", "streams.cli", "verify"]
    done = subprocess.run(command, env=environment_of(settings), capture_output=True, text=True, check=False, timeout=1_800)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", file=sys.stderr)
    return done.returncode == 0


def load_of(text: str) -> Load:
    rate, _, viewers = text.partition(":")
    return Load(int(rate), int(viewers or 0))


if __name__ == "__main__":
    print(json.dumps(asdict(measure(int((sys.argv[1:] or ["60"])[0]), [load_of(text) for text in sys.argv[2:]] or LOADS))))
