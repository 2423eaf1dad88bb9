"""The Faust application: one agent on one topic, which hands what was fetched to the processor.

Faust gives the group membership, the assignment, the agent's life and the order of start and stop. There are no tables
(the processor keeps its state in a changelog of its own), no leader, no web server, no producer and nothing on disk.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from faust.app import App as FaustApp
from faust.app import BootStrategy
from faust.tables.manager import TableManager
from faust.types import StreamT
from faust.types.transports import TransportT
from mode.supervisors import CrashingSupervisor
from yarl import URL

from streams.kafka import client_options
from streams.settings import Settings
from streams.worker.transport import Bounds, Fetched, PartitionAssignment, Receiver
from streams.worker.transport.away import Away
from streams.worker.transport.consumer import Look, Transport
from streams.worker.transport.thread import Subscription


class NoTables(TableManager):
    """Faust waits a second for tables to be declared; there are none."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class ConsumerOnly(BootStrategy):
    """Nothing is sent through Faust."""

    enable_kafka_producer = False


class App(FaustApp):
    """Faust's application on our transport. `assignment` is what the processor asks before it writes."""

    BootStrategy = ConsumerOnly

    def __init__(self, settings: Settings, processor: Receiver, assignment: PartitionAssignment, look: Look, note: str) -> None:
        self.assignment = assignment
        self._processor = processor
        self._look = look
        self._subscription = Subscription(settings.topic, settings.group, settings.session_timeout_s, client_options(settings), note)
        super().__init__(
            settings.group,
            broker=[URL(f"kafka://{host.strip()}") for host in settings.kafka_bootstrap.split(",")],
            store="memory://",
            TableManager=NoTables,
            autodiscover=False,
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            table_standby_replicas=0,
            stream_wait_empty=True,
            stream_recovery_delay=0.0,
            broker_session_timeout=settings.session_timeout_s,
            broker_request_timeout=self._subscription.request_timeout_s,
        )

    def _new_transport(self) -> TransportT:
        return Transport(
            self.conf.broker_consumer,
            self,
            assignment=self.assignment,
            receiver=self._processor,
            look=self._look,
            subscription=self._subscription,
        )

    def _create_directories(self) -> None:
        """Nothing: Faust would make folders in the current one."""


def assignment_of(settings: Settings, bounds: Bounds | None = None) -> PartitionAssignment:
    """The state of a consumer with these settings, before anything is in hand."""
    return PartitionAssignment(bounds or Bounds(), Away(settings.session_timeout_s))


async def _no_look() -> None:
    """All is as it was."""


def make_app(
    settings: Settings, processor: Receiver, assignment: PartitionAssignment | None = None, *, look: Look = _no_look, note: str = ""
) -> App:
    """The application, not started. The processor has the same assignment.

    `look` is awaited before partitions are read, and raises where that may not be; `note` is kept beside each committed offset.
    Raises OSError or ssl.SSLError when the certificate authority's file cannot be read.
    """
    app = App(settings, processor, assignment or assignment_of(settings), look, note)

    @app.agent(app.topic(settings.topic), name="processor", supervisor_strategy=CrashingSupervisor)
    async def hand_over(stream: StreamT[Fetched]) -> None:
        async for fetched in stream:
            if app.assignment.delivers(fetched.epoch):
                await processor.take(fetched)

    return app


async def serve(app: App, stop: asyncio.Event, *companions: Coroutine[Any, Any, None]) -> None:
    """Run the app, and these coroutines beside it, until `stop` is set or one of them fails or ends.

    On the way out the app stops first (the processor settles, offsets are committed, the group is left), then the companions are
    cancelled. Raises what made it fail.
    """
    beside = [asyncio.create_task(companion) for companion in companions]
    starting = asyncio.create_task(app.start())
    ending = [asyncio.create_task(stop.wait()), asyncio.create_task(app.wait_until_stopped()), *beside]
    try:
        await asyncio.wait({starting, *ending}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and starting.exception() is None:
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
    finally:
        failed = [task for task in (starting, *beside) if task.done() and not task.cancelled() and task.exception()]
        stopping = asyncio.create_task(app.stop())  # a task: what fails on the way out must not hide what made it fail
        await asyncio.wait({stopping})
        for task in (starting, *ending):
            task.cancel()
        await asyncio.wait({starting, *ending})
    for task in failed:
        task.result()
    if app.crash_reason is not None:
        raise app.crash_reason
    stopping.result()
