"""One worker from its settings to its exit code: puts the parts together, and takes them apart again.

Everything that can be wrong before the first record is looked at first and said plainly: the directory, the servers, the
topic that the rows in ClickHouse come from.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from events.directory import Directory
from events.headers import MARKED_BACKFILL
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.queries import claim
from sinks.clickhouse.rebuilds import last_switch
from sinks.clickhouse.store import Store
from sinks.metrics import WorkerMetrics
from streams.clock import WallClock
from streams.directory import directory_of
from streams.http import Policy, answer
from streams.kafka import TopicIdentity, TopicMismatch, changelog_of, has_offset, idempotent_producer, reader, topic_identity
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from streams.worker.app import App, assignment_of, make_app, serve
from streams.worker.cells import Cells
from streams.worker.changelog import Changelog, ChangelogRestarted
from streams.worker.continuity import Continuity
from streams.worker.health import Health, Progress, application, follow_log
from streams.worker.outbox import Outbox
from streams.worker.processor import Processor
from streams.worker.transport import LostRecords, PartitionAssignment
from streams.worker.watches.acceptances import follow_acceptances
from streams.worker.watches.directory import follow_directory
from streams.worker.watches.switches import follow_switches
from streams.worker.watches.topics import TopicWatch, watch_of

BATCH_BYTES = 900_000
"""Of the changelog: just under what a broker takes at once by default."""
MOST_BYTES = 4 << 20
"""Of a request: a dead letter is a whole record and what is wrong with it."""

LOG_OPTIONS: Final[dict[str, Any]] = {
    "auto_offset_reset": "earliest",
    "isolation_level": "read_committed",
    "max_partition_fetch_bytes": 16 << 20,
    "fetch_max_wait_ms": 50,
    "max_poll_records": 20_000,
}
"""Of the consumer for the changelog and for a look at the events."""

PARTING_S = 5.0
"""What the brokers have not acknowledged by then is not waited for: they are away, or the topic is gone."""

Companion = Callable[[Processor], Coroutine[Any, Any, None]]
"""What runs beside the processor, and ends the worker when it ends."""

log = structlog.get_logger("worker")


@dataclass(frozen=True)
class WorkerParts:
    """What a worker writes through, in the order of writing: rows, records set aside or sent on, state; and what it may commit."""

    rows: Store
    outbox: Outbox
    changelog: Changelog
    assignment: PartitionAssignment


def as_they_are(parts: WorkerParts) -> WorkerParts:
    return parts


def run_worker(settings: Settings, fitted: Callable[[WorkerParts], WorkerParts] = as_they_are) -> int:
    """Work until SIGTERM or SIGINT; 0 then. Raises what made it stop otherwise: no error is survived by ignoring it.

    `fitted` may put something around the parts before they are used: whoever tests a worker sees there what it writes, and when.
    """
    return asyncio.run(_run(settings, fitted))


def run_beside(settings: Settings, companion: Companion) -> None:
    """Work until the companion, which is given the processor, ends or fails (then that is raised), or until SIGTERM or SIGINT."""
    asyncio.run(_run(settings, as_they_are, companion))


def keep_garbage_apart() -> None:
    """Let the collector leave alone what was loaded, and look rarely: millions of small values, none in a cycle (3 us an event)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 50, 100)


async def _run(settings: Settings, fitted: Callable[[WorkerParts], WorkerParts], *companions: Companion) -> int:
    """Put the parts together, each in need of those before; long, because no two of them are needed without the others."""
    stop, hangup = _on_signals(signal.SIGTERM, signal.SIGINT), _on_signals(signal.SIGHUP)
    metrics = WorkerMetrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        directory = directory_of(settings)
        identity = await topic_identity(settings, settings.topic)
        metrics.serves(identity.partitions)
        server = clickhouse_of(settings)
        epoch, switch = await asyncio.to_thread(_introduced, server, identity, directory)
        changelog = changelog_of(settings, epoch)
        watch = await _watch(settings, identity, changelog)
        store = Store(server, metrics)
        stack.push_async_callback(store.close)
        consumer = partial(reader, settings, **LOG_OPTIONS)
        producer = await stack.enter_async_context(_producer(settings))
        parts = fitted(
            WorkerParts(
                rows=store,
                outbox=Outbox(producer, settings.dead_letter_topic, settings.breach_topic, marks=[MARKED_BACKFILL] if companions else []),
                changelog=Changelog(changelog, producer, consumer, metrics.recovering),
                assignment=assignment_of(settings),
            )
        )
        processor = Processor(
            directory=directory,
            partitions=identity.partitions,
            topic_id=identity.topic_id,
            epoch=epoch,
            rows=parts.rows,
            changelog=parts.changelog,
            outbox=parts.outbox,
            assignment=parts.assignment,
            clock=WallClock(),
            follow_wall=settings.clock == "wall",
            meter=metrics,
            continuity=Continuity(settings.topic, consumer, partial(has_offset, settings)),
        )
        app = make_app(settings, processor, parts.assignment, look=watch.look, note=watch.note)
        health = [await _health(stack, settings, app, processor, store, metrics)] if settings.metrics_port else []
        keep_garbage_apart()
        log.info("worker starts", topic=settings.topic, partitions=identity.partitions, epoch=epoch, directory=directory.revision)
        follow = (
            follow_acceptances(processor, server, identity.topic_id),
            follow_switches(processor, server, switch),
            follow_directory(processor, server, settings, hangup, directory),
            watch.follow(),
        )
        try:
            await serve(app, stop, processor.run(), *follow, *health, *(companion(processor) for companion in companions))
        except (KafkaError, LostRecords, ChangelogRestarted):
            await watch.explain()
            raise
    log.info("worker stopped")
    return 0


def _on_signals(*numbers: int) -> asyncio.Event:
    """Is set when one of them comes."""
    event = asyncio.Event()
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


async def _health(  # noqa: PLR0917 - the worker's parts
    stack: AsyncExitStack, settings: Settings, app: App, processor: Processor, store: Store, metrics: WorkerMetrics
) -> Coroutine[Any, Any, None]:
    """Answer for the worker's health and metrics. Returns what has to run beside it."""
    progress, clock = Progress(), WallClock()
    health = Health(
        processor=processor,
        inserts=store,
        progress=progress,
        committed_to=app.assignment.committed_to,
        unknown=processor.sorter.decoder.unknown_members,
        clock=clock,
    )
    cells = Cells(processor, clock, settings.metric_cells, app.assignment.beat, health.is_away)
    policy = Policy(settings.allowed_hosts)
    await answer(stack, application(health, metrics, cells, policy), settings.metrics_port, settings.metrics_host)
    return follow_log(progress, processor, app.assignment.committed_to, settings, clock)


def _introduced(server: ClickHouse, topic: TopicIdentity, directory: Directory) -> tuple[int, int]:
    """Make sure that the rows come from this topic, and that SQL knows the directory.

    Returns the epoch of the rows' versions, and which rebuild the tables are of.
    """
    with server.connect() as client:
        log = claim(client, topic.topic_id, topic.partitions)
        write_directory(client, directory)
        return log.epoch, last_switch(client)


async def _watch(settings: Settings, events: TopicIdentity, changelog_topic: str) -> TopicWatch:
    """Make sure that the topics to write to are there: a state has the number of the partition that it is of."""
    await topic_identity(settings, settings.breach_topic)
    dead_letters = await topic_identity(settings, settings.dead_letter_topic)
    changelog = await topic_identity(settings, changelog_topic)
    if changelog.partitions != events.partitions:
        raise TopicMismatch(
            f"topic {changelog_topic} has {changelog.partitions} partitions, but {settings.topic} has {events.partitions}: "
            "choose another one (FRONTDESK_CHANGELOG_TOPIC), and `frontdesk migrate` makes it"
        )
    return watch_of(settings, events=events, changelog_topic=changelog_topic, changelog=changelog, dead_letters=dead_letters)


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = idempotent_producer(settings, BATCH_BYTES, MOST_BYTES)
    try:
        await producer.start()
        yield producer
    finally:
        try:
            await asyncio.wait_for(producer.stop(), PARTING_S)
        except TimeoutError:
            log.warning("not everything was sent that was on its way", after_s=PARTING_S)
