"""What the benchmarks share: servers of their own in a temporary folder, a worker process, and its CPU seconds."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from clickhouse_driver import Client

from deploy.embedded.stack import Stack
from streams.cli.work.migrate import prepare
from streams.cli.work.simulate.playback import Playback, ToKafka
from streams.kafka.backlog import Backlog, backlog
from streams.kafka.publisher import Publisher
from streams.settings import Settings
from streams.simulation import Plan
from streams.terminal.configuration import environment_of, load_settings
from streams.warehouse import clickhouse_of

DEADLINE_S = 900


class Stuck(Exception):
    """A benchmark waited too long, or what it measures died."""


@contextmanager
def servers(**settings: object) -> Iterator[Settings]:
    """Kafka and ClickHouse with topics and tables, stopped at the end; the settings name their ports."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frontdesk-bench-")))
        stack.enter_context(Stack(folder))
        made = load_settings(folder).model_copy(update=settings)
        prepare(made)
        yield made


@dataclass(frozen=True)
class Reading:
    """Where a process stood: records committed, its CPU seconds, wall seconds, resident bytes."""

    committed: int
    cpu_s: float
    wall_s: float
    resident: int


class Measured:
    """A process that is measured."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    def read(self, committed: int = 0) -> Reading:
        times = self._process.cpu_times()
        return Reading(committed, times.user + times.system, time.monotonic(), self._process.memory_info().rss)


class Process(Measured):
    """One that the benchmark starts, and ends by its own handle."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        with log.open("wb") as out:
            self._popen = subprocess.Popen(command, env={**os.environ, **environment}, stdout=out, stderr=out)
        super().__init__(self._popen.pid)
        self.log = log

    def read(self, committed: int = 0) -> Reading:
        if self._popen.poll() is not None:
            raise Stuck(f"{self._popen.args!r} ended with {self._popen.returncode}:\n{self.log.read_text()[-2000:]}")
        return super().read(committed)

    def stop(self) -> None:
        self._popen.terminate()
        try:
            self._popen.wait(30)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


@contextmanager
def worker(settings: Settings) -> Iterator[Process]:
    process = Process([sys.executable, "-m", "streams.cli", "worker"], environment_of(settings), settings.folder / "worker.log")
    try:
        yield process
    finally:
        process.stop()


async def publish(settings: Settings, plan: Plan) -> int:
    """Send a whole history; returns how many events the brokers have acknowledged."""
    async with Publisher(settings) as publisher:
        await Playback(plan).history(ToKafka(publisher, plan.until))
    return publisher.acknowledged


def follow(settings: Settings, process: Process, *, until: int) -> list[Reading]:
    """Readings from the first commit until `until` records are committed."""
    readings: list[Reading] = []
    deadline = time.monotonic() + DEADLINE_S
    while not readings or readings[-1].committed < until:
        if time.monotonic() > deadline:
            raise Stuck(f"{readings[-1:]} of {until} records after {DEADLINE_S} s")
        state: Backlog = asyncio.run(backlog(settings))
        reading = process.read(state.committed)
        if reading.committed and (not readings or reading.committed > readings[-1].committed):
            readings.append(reading)
        time.sleep(0.1)
    return readings


def client(settings: Settings) -> Client:
    return clickhouse_of(settings).connect()
