"""What one intake takes: events for each CPU-second, answers, memory, alone and beside slow and oversized clients.

Rates are by the CPU-seconds of the intake's process: what one core of its own would do. Times are by the wall, of as many
publishers as are named, on whatever else the machine does.
"""

import asyncio
import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import aiohttp
import psutil

from deploy.embedded.process import Child
from streams.settings import Settings
from tests.benchmarks.rig import servers
from tests.support.intakes import BATCH, STRUCTURED, event, free_port, intake, wire

BODIES = 200
SLOW, OVERSIZED = 50, 50
MIB = 1 << 20
HEAD = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % (2 * MIB) + b"x" * 2 * MIB
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"x" * (1 << 16) + b"\r\n") * 32 + b"0\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """What was measured."""

    what: str
    events: int
    per_cpu_s: float
    per_wall_s: float
    p50_ms: float
    p99_ms: float
    resident_mib: tuple[int, int, int]
    """Before, half way, at the end."""


async def loaded(  # noqa: PLR0917 - a line of the table
    settings: Settings, child: Child, what: str, size: int, requests: int, publishers: int
) -> Load:
    """Publishers that wait for each answer; every one must be 202."""
    process = psutil.Process(child.identity.pid)
    bodies = [body(number, size) for number in range(BODIES)]
    headers, times, resident = BATCH if size > 1 else STRUCTURED, list[float](), [process.memory_info().rss]
    numbers = iter(range(requests))
    begun, cpu = perf_counter(), sum(process.cpu_times()[:2])
    async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.intake_port}") as client:

        async def publish() -> None:
            for number in numbers:
                asked = perf_counter()
                async with client.post("/events", data=bodies[number % BODIES], headers=headers) as answer:
                    await answer.read()
                    assert answer.status == 202, answer.status
                times.append(perf_counter() - asked)
                if len(times) == requests // 2:
                    resident.append(process.memory_info().rss)

        await asyncio.gather(*(publish() for _ in range(publishers)))
    wall, cpu = perf_counter() - begun, sum(process.cpu_times()[:2]) - cpu
    resident.append(process.memory_info().rss)
    times.sort()
    before, half_way, end = (each // MIB for each in resident)
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    return Load(what, size * requests, size * requests / cpu, size * requests / wall, p50, p99, (before, half_way, end))


def body(number: int, size: int) -> bytes:
    events = [event(number * size + each, f"district-{each % 20}", channel="web", topic="bus-late") for each in range(size)]
    return wire(events if size > 1 else events[0])


@contextmanager
def bad_neighbours(port: int) -> Iterator[None]:
    """In a process of their own, so that they take nothing from the publishers."""
    neighbours = multiprocessing.get_context("spawn").Process(target=misbehave, args=[port])
    neighbours.start()
    try:
        yield
    finally:
        neighbours.kill()
        neighbours.join()


def misbehave(port: int) -> None:
    """Clients that send a byte now and then, and clients that send too much, at once again when they were refused."""

    async def all_of_them() -> None:
        bodies = (LENGTH, CHUNKS)
        await asyncio.gather(*(slow(port) for _ in range(SLOW)), *(oversized(port, bodies[each % 2]) for each in range(OVERSIZED)))

    asyncio.run(all_of_them())


async def slow(port: int) -> None:
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b"{")
                await asyncio.sleep(0.5)
        writer.transport.abort()


async def oversized(port: int, body: bytes) -> None:
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):  # cut off while it still sends
            writer.write(HEAD + body)
            await writer.drain()
            await reader.read()
        writer.transport.abort()


async def run(settings: Settings, child: Child, scale: int) -> list[Load]:
    loads = [
        await loaded(settings, child, "batches of 100", 100, 600 * scale, 8),
        await loaded(settings, child, "one by one", 1, 6_000 * scale, 32),
    ]
    with bad_neighbours(settings.intake_port):
        loads.append(await loaded(settings, child, f"batches of 100 beside {SLOW} slow and {OVERSIZED} oversized", 100, 600 * scale, 8))
    loads.append(await loaded(settings, child, "one by one, one publisher", 1, 500 * scale, 1))
    return loads


def measure(scale: int) -> list[Load]:
    """All loads, with this many times the least number of requests."""
    with (
        tempfile.TemporaryDirectory() as folder,
        servers(intake_port=free_port()) as settings,
        intake(settings, Path(folder) / "intake.log") as child,
    ):
        return asyncio.run(run(settings, child, scale))
