"""What `frontdesk demo` does, step by step. Whatever a step starts is handed to one ExitStack, which stops it however it ends."""

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from time import sleep

from deploy.embedded.process import Child, launch
from deploy.embedded.process import tail as log_tail
from deploy.embedded.stack import Stack
from sinks.clickhouse.verification import differences
from streams.audit import distinct_events
from streams.cli.work.indicators import indicator_table, read_indicators
from streams.cli.work.migrate import prepare
from streams.cli.work.simulate.playback import Playback, ToKafka
from streams.clock import WallClock
from streams.kafka import Publisher, backlog
from streams.page import serve_page
from streams.settings import Settings
from streams.simulation import Plan
from streams.terminal.configuration import PREFIX, environment_of, load_settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import progress, remark, results, step
from streams.warehouse import clickhouse_of

LARGEST_SCHOOLS = 5
DIFFERENCES_SHOWN = 10
POLL_S = 0.5
LATER = """How to go on, with servers that stay until `frontdesk down`:
  frontdesk up; frontdesk worker &                 Kafka, ClickHouse, a worker
  frontdesk simulate --live                        28 days of traffic, then live (or your own: frontdesk publish events.ndjson)
  frontdesk status; frontdesk indicators           how far it is, and the numbers
  frontdesk sql 'SHOW TABLES'                      any question of your own"""
OTHER_SERVERS = tuple(
    PREFIX + name
    for name in ("KAFKA_BOOTSTRAP", "KAFKA_SECURITY", "CLICKHOUSE_HOST", "CLICKHOUSE_PORT", "CLICKHOUSE_DATABASE", "CLICKHOUSE_CLUSTER")
)


def demonstrate(given: Path | None, students: int, days: int, seed: int) -> int:
    """The demo from the first server to the last word; returns the exit code."""
    _refuse_other_servers()
    with ExitStack() as started:
        folder = given or started.enter_context(_temporary_folder())
        stack = _start_servers(folder, load_settings(folder).clickhouse_program, started)
        settings = load_settings(folder)
        prepare(settings)
        worker = _start_worker(settings, folder, started)
        playback = Playback(plan := Plan(WallClock().now(), students, days, seed))
        published = asyncio.run(_publish(settings, playback, plan))
        _wait_for_rows(settings, worker, folder)
        _show_indicators(settings)
        if not _verified(settings, published):
            return ExitCode.DIFFERENCE
        if sys.stdin.isatty() and sys.stdout.isatty():
            _say_what_to_try(stack)
            _stay(settings, playback)
    results().print(LATER, markup=False, soft_wrap=True)
    return ExitCode.OK


def _refuse_other_servers() -> None:
    """Invented events must never end up where real ones are."""
    given = [name for name in OTHER_SERVERS if name in os.environ]
    if given:
        raise Stop(ExitCode.USAGE, f"the demo brings its own servers: unset {', '.join(given)} (`frontdesk simulate` sends to others)")


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="frontdesk-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _start_servers(folder: Path, program: str | None, started: ExitStack) -> Stack:
    """In the foreground: they end with this process, however it ends."""
    stack = Stack(folder, program)
    with step("starting Kafka and ClickHouse") as report:
        stack.foreground(report)
    started.push(stack)
    started.callback(lambda: remark("stopping the servers"))
    return stack


def _start_worker(settings: Settings, folder: Path, started: ExitStack) -> Child:
    others = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    command = [sys.executable, "-m", "streams.cli", "worker"]
    worker = launch(command, _log_of_worker(folder), outlive=False, environment=others | environment_of(settings))
    started.callback(_stop_worker, worker)
    return worker


def _stop_worker(worker: Child) -> None:
    with step("stopping the worker"):
        worker.stop()


def _log_of_worker(folder: Path) -> Path:
    return folder / "worker.log"


async def _publish(settings: Settings, playback: Playback, plan: Plan) -> int:
    async with Publisher(settings) as publisher:
        await playback.history(ToKafka(publisher, plan.until))
    return publisher.acknowledged


def _wait_for_rows(settings: Settings, worker: Child, folder: Path) -> None:
    """Until the group has committed the log's end: the rows of what is committed are in ClickHouse."""
    total = asyncio.run(backlog(settings)).produced
    with progress("counting into ClickHouse", total) as advance:
        while left := asyncio.run(backlog(settings)).left:
            advance(total - left)
            if not worker.alive():
                remark(log_tail(_log_of_worker(folder)))
                raise Stop(ExitCode.UNAVAILABLE, "the worker ended before everything was counted; above is the end of its log")
            sleep(POLL_S)


def _show_indicators(settings: Settings) -> None:
    departments = read_indicators(settings, "department", "28d", None)
    schools = read_indicators(settings, "school", "28d", None)
    results().print(indicator_table(departments, "department", "by department, last 28 days"))
    results().print(indicator_table(schools[:LARGEST_SCHOOLS], "school", "the five largest schools, last 28 days"))


def _verified(settings: Settings, published: int) -> bool:
    """Every number against one computed from the raw events, and the raw events against the topic."""
    title = "computing every number anew from the raw events, and counting these in the topic"
    with step(title), ThreadPoolExecutor(1) as aside, clickhouse_of(settings).connect() as client:
        counting = aside.submit(lambda: asyncio.run(distinct_events(settings)))  # Kafka answers while ClickHouse computes
        found = differences(client)
        rows = int(client.execute("SELECT count() FROM events FINAL")[0][0])
        cells = int(client.execute("SELECT count() FROM windows FINAL")[0][0])
        distinct = counting.result()
    for difference in found[:DIFFERENCES_SHOWN]:
        remark(f"  different: {difference}")
    if found or rows != distinct:
        remark(f"{len(found):,} differences; {rows:,} rows in events, {distinct:,} distinct events in the topic")
        return False
    results().print(f"{cells:,} rows of indicators equal a computation from the raw events.")
    results().print(f"{rows:,} rows in events equal {distinct:,} distinct events in the topic ({published:,} were sent now).")
    return True


def _say_what_to_try(stack: Stack) -> None:
    folder = shlex.quote(str(stack.data))
    query = "SELECT school, contact_n FROM windows FINAL WHERE scope = 'school' AND window = '24h' ORDER BY contact_n DESC"
    lines = (
        "The demo stays up, with live traffic. In another terminal:",
        f"  how far it is        frontdesk status --folder {folder}",
        f"  other windows        frontdesk indicators --by school --window 24h --folder {folder}",
        f'  any SQL              frontdesk sql --folder {folder} "{query}"',
        f"  more traffic         frontdesk simulate --students 2000 --seed 2 --live --folder {folder}",
        "  stop everything      Ctrl-C here",
    )
    results().print("\n".join(lines), markup=False, soft_wrap=True)


def _stay(settings: Settings, playback: Playback) -> None:
    """Live traffic until Ctrl-C, which is its regular end here."""
    try:
        asyncio.run(_live(settings, playback))
    except KeyboardInterrupt:
        remark("stopping")


async def _live(settings: Settings, playback: Playback) -> None:
    async with AsyncExitStack() as stack, Publisher(settings) as publisher:
        port = await serve_page(stack, settings.model_copy(update={"page_port": 0, "metrics_port": 0}))
        results().print(f"  the page, live       http://127.0.0.1:{port}/", markup=False, soft_wrap=True)
        await playback.live(ToKafka(publisher, WallClock().now()))
