"""What tests of the intake share: a door with a Kafka that only remembers, and intake processes on a real one."""

import asyncio
import json
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from deploy.embedded.process import Child, launch, tail, until
from sinks.intake_metrics import IntakeMetrics
from streams.clock import WallClock
from streams.http.policy import Policy
from streams.intake.authentication import Authentication
from streams.intake.handler import IntakeHandler, Patience
from streams.intake.hook import Hook
from streams.intake.kafka_link import AcknowledgedAt
from streams.intake.memory_budget import Claim, MemoryBudget
from streams.intake.problem import Problem, Refusal
from streams.intake.register import Register
from streams.intake.server import HttpServer
from streams.intake.throttle import Throttle
from streams.intake.validation import OutgoingRecord, Validator
from streams.settings import Settings
from streams.terminal.configuration import environment_of

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
NDJSON = {"content-type": "application/x-ndjson"}
PARTITIONS = 8
MOST_CONNECTIONS = 120
"""Of a door: fewer than of a process, but all that a test with two crowds of fifty needs."""


def event(number: int, district: str = "riverside", **data: Any) -> dict[str, Any]:
    """An invented contact."""
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/riverside/helpdesk",
        "type": "org.frontdesk.contact.v1",
        "subject": f"case-{number}",
        "time": "2026-11-20T14:03:22.120Z",
        "data": {"district": district, **data},
    }


def wire(content: object) -> bytes:
    return json.dumps(content).encode()


class RememberingLink:
    """Kafka that keeps everything in a list. `forgets` makes it acknowledge nothing; `authentication` makes it wait."""

    def __init__(self) -> None:
        self.away: str | None = None
        self.records: list[OutgoingRecord] = []
        self.acknowledges = True
        self.waits: asyncio.Event | None = None
        self._judge = Validator(PARTITIONS)

    def validator(self) -> Validator:
        if self.away is not None:
            raise Problem(Refusal.KAFKA_AWAY, self.away, retry_after_s=5, closes=True)
        return self._judge

    async def send(self, records: Sequence[OutgoingRecord], claim: Claim) -> list[AcknowledgedAt | None]:  # noqa: ARG002 - as the real one
        if self.waits is not None:
            await self.waits.wait()
        if not self.acknowledges:
            return [None] * len(records)
        self.records += records
        return [AcknowledgedAt(record.partition, number) for number, record in enumerate(records, len(self.records) - len(records))]


class Door:
    """A running door in this process."""

    def __init__(  # noqa: PLR0917 - `door` names them
        self,
        register: Register | None,
        hooks: Mapping[str, Hook],
        budget_bytes: int,
        patience: Patience,
        silent_s: float,
        throttle: Throttle,
    ) -> None:
        self.link = RememberingLink()
        self.metrics = IntakeMetrics(CollectorRegistry())
        self.budget = MemoryBudget(budget_bytes)
        self.handler = IntakeHandler(
            authentication=Authentication(register),
            policy=Policy(),
            link=self.link,
            budget=self.budget,
            metrics=self.metrics,
            clock=WallClock(),
            connections=lambda: len(self.server.connections),
            hooks=hooks,
            patience=patience,
            throttle=throttle,
        )
        self.silent_s = silent_s
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"frontdesk_intake_{name}", labels) or 0.0

    def refusals(self) -> dict[str, float]:
        """How many of each reason."""
        [family] = [each for each in self.metrics.registry.collect() if each.name == "frontdesk_intake_refusals"]
        return {sample.labels["reason"]: sample.value for sample in family.samples if sample.name.endswith("_total")}

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Door"]:
        self.server = HttpServer(
            self.handler.handle, self.handler.refused, self.handler.overcrowded, silent_s=self.silent_s, most_connections=MOST_CONNECTIONS
        )
        runner = web.ServerRunner(self.server, handle_signals=False, shutdown_timeout=5.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = int(runner.addresses[0][1])
            yield self
        finally:
            await runner.cleanup()


def door(
    register: Register | None = None,
    *,
    hooks: Mapping[str, Hook] | None = None,
    budget_bytes: int = 32 << 20,
    patience: Patience | None = None,
    silent_s: float = 15.0,
    throttle: Throttle | None = None,
) -> Door:
    return Door(register, hooks or {}, budget_bytes, patience or Patience(), silent_s, throttle or Throttle())


@contextmanager
def door_in_thread(register: Register | None = None) -> Iterator[Door]:
    """For clients that block."""
    made, opened, end = door(register), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with made.open():
            opened.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert opened.wait(30)
        yield made
    finally:
        loops[0].call_soon_threadsafe(end.set)
        thread.join(30)


# -- processes --------------------------------------------------------------------------------------------------------
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def intake(settings: Settings, log: Path, *, ready: bool = True) -> Iterator[Child]:
    """An intake process on `settings.intake_port`, ready, and ended whatever happens."""
    child = launch([sys.executable, "-m", "streams.cli", "intake"], log, outlive=False, environment=environment_of(settings))
    try:
        page = "ready" if ready else "live"
        assert until(lambda: not child.alive() or answers(settings, page), 60), tail(log)
        assert child.alive(), tail(log)
        yield child
    finally:
        child.stop()


def answers(settings: Settings, page: str) -> bool:
    try:
        return get(settings, f"/health/{page}")[0] == 200
    except OSError:
        return False


def get(settings: Settings, path: str) -> tuple[int, bytes]:
    return ask(settings, path, None, {})


def post(settings: Settings, body: bytes, headers: Mapping[str, str], path: str = "/events") -> tuple[int, dict[str, Any]]:
    """Status and body of the answer. Raises OSError where there is none."""
    status, answer = ask(settings, path, body, headers)
    return status, json.loads(answer)


def ask(settings: Settings, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{settings.intake_port}{path}", data=body, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own http://
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def metric(settings: Settings, name: str) -> float:
    """A sample of /metrics, by its whole name with labels; 0 where it is not there."""
    lines = get(settings, "/metrics")[1].decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)
