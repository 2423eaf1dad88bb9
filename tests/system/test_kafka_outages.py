"""Kafka fails a worker in every way that has a name: it recovers by itself, or it stops and says what is missing and what to do.

The brokers are real. What is done to topics is done through Kafka's own requests; the broker that goes away is a process that
is stopped and started again. FRONTDESK_FULL=1 lets it be away for two minutes instead of twelve seconds.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import tail
from streams.kafka.client import administration, client_options
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode
from tests.support.outages import Traffic, Watched, assert_exact, wait_for, watched
from tests.support.workers import POLL_S, committed, fresh_settings

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(420)]

SESSION_S = 6.0
AWAY_S = 120.0 if os.environ.get("FRONTDESK_FULL") == "1" else 2 * SESSION_S


@pytest.fixture
def settings(kafka: Kafka, clickhouse: ClickHouseServer, request: pytest.FixtureRequest) -> Settings:
    """Topics and tables of this test's own, on servers that are well."""
    return fresh_settings(f"kafka_{abs(hash(request.node.name))}", kafka, clickhouse, partitions=2, session_timeout_s=SESSION_S)


@pytest.fixture
def counted(settings: Settings, tmp_path: Path) -> Iterator[tuple[Watched, Traffic]]:
    """A worker that has counted a few events."""
    traffic = Traffic(settings)
    with watched(settings, tmp_path / "worker.log") as worker:
        traffic.send(20)
        worker.wait_until_ready()
        worker.wait_until_counted()
        yield worker, traffic


async def _delete(settings: Settings, topic: str) -> None:
    async with administration(settings) as admin:
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():  # noqa: ASYNC110 - a broker has no event for it
            await asyncio.sleep(POLL_S)


def delete(settings: Settings, topic: str) -> None:
    """Deleted, and gone from the brokers' list."""
    asyncio.run(_delete(settings, topic))


def make(settings: Settings) -> None:
    """The topics that are missing, as `frontdesk migrate` makes them."""
    asyncio.run(ensure_topics(settings))


def make_anew(settings: Settings, topic: str) -> None:
    delete(settings, topic)
    make(settings)


async def _delete_records(settings: Settings, before: dict[int, int]) -> None:
    async with administration(settings) as admin:
        await admin.delete_records({TopicPartition(settings.topic, p): RecordsToDelete(before_offset=o) for p, o in before.items()})


async def _add_partitions(settings: Settings, count: int) -> None:
    async with administration(settings) as admin:
        await admin.create_partitions({settings.topic: NewPartitions(count)})


def stopped(worker: Watched) -> str:
    """It ended by itself, refusing; its last line says why, in a sentence, and its log says so with a name for machines."""
    code, line = worker.ended()
    assert code == ExitCode.REFUSED, tail(worker.log)
    assert line.startswith("frontdesk: ")
    assert "Traceback" not in worker.log.read_text()
    [told] = worker.lines("worker failed")
    assert told["why"] in line
    return line


def started_and_stopped(settings: Settings, log: Path) -> str:
    """What a worker says that does not even begin."""
    with watched(settings, log) as worker:
        return stopped(worker)


# -- the broker ----------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker that may be hurt."""
    with Kafka(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.fixture(scope="module")
def hurt(broker: Kafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Watched, Traffic]]:
    """One worker that lives through all that is done to the broker."""
    settings = fresh_settings("kafka_hurt", broker, clickhouse, partitions=2, session_timeout_s=SESSION_S)
    with watched(settings, tmp_path_factory.mktemp("hurt") / "worker.log") as worker:
        worker.wait_until_ready()
        yield worker, Traffic(settings)


def gone_under_load(broker: Kafka, worker: Watched, traffic: Traffic, end: Callable[[], None], away: Callable[[], None]) -> None:
    """Take the broker away while records are being counted, and bring it back."""
    before = committed(worker.settings)
    traffic.send(4_000)
    wait_for(lambda: committed(worker.settings) > before, "something is committed")
    end()
    away()
    broker.start()
    worker.wait_until_ready()
    traffic.send(50)
    worker.wait_until_counted()
    assert_exact(worker.settings, traffic.sent)


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
def test_a_broker_that_restarts_under_load_is_waited_for(broker: Kafka, hurt: tuple[Watched, Traffic], crash: bool) -> None:
    gone_under_load(broker, *hurt, broker.kill if crash else broker.stop, lambda: None)


def test_a_broker_that_is_gone_for_two_minutes_is_waited_for_and_the_operator_is_told(broker: Kafka, hurt: tuple[Watched, Traffic]) -> None:
    worker, _ = hurt
    since = time.monotonic()

    def away() -> None:
        assert "it has not answered for" in worker.wait_for_reason("away from Kafka")
        assert worker.metric("frontdesk_ready") == 0
        wait_for(lambda: time.monotonic() > since + AWAY_S, "the time is over", AWAY_S + 60)
        assert worker.child.alive(), tail(worker.log)

    gone_under_load(broker, *hurt, broker.kill, away)


# -- topics --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("which", ["topic", "changelog_topic", "dead_letter_topic"])
def test_a_topic_that_is_missing_at_the_start(settings: Settings, tmp_path: Path, which: str) -> None:
    name = getattr(settings, which)
    delete(settings, name)
    with watched(settings, tmp_path / "worker.log") as worker:
        code, line = worker.ended()
    assert code == ExitCode.UNAVAILABLE
    assert line.startswith("frontdesk: Kafka lacks a topic: make it with `frontdesk migrate`")
    assert name in line


def test_the_events_topic_is_deleted(counted: tuple[Watched, Traffic]) -> None:
    worker, _ = counted
    delete(worker.settings, worker.settings.topic)
    line = stopped(worker)
    assert f"topic {worker.settings.topic} was deleted while the worker ran" in line
    assert "lost unless its publishers send it again" in line
    assert "`frontdesk rebuild`" in line


def test_the_events_topic_is_made_anew_while_the_worker_runs_and_soon_is_longer_than_before(
    counted: tuple[Watched, Traffic], tmp_path: Path
) -> None:
    worker, traffic = counted
    delete(worker.settings, worker.settings.topic)
    make(worker.settings)
    Traffic(worker.settings, sent=traffic.sent).send(200)
    line = stopped(worker)
    assert f"topic {worker.settings.topic} was deleted" in line
    assert "`frontdesk rebuild`" in line

    again = started_and_stopped(worker.settings, tmp_path / "next.log")
    assert "the tables were filled from topic" in again


def test_the_events_topic_was_made_anew_before_the_start(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    worker, _ = counted
    worker.child.stop()
    make_anew(worker.settings, worker.settings.topic)
    line = started_and_stopped(worker.settings, tmp_path / "next.log")
    assert "the tables were filled from topic" in line
    assert "but the topic is now" in line


def test_the_changelog_is_deleted(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    worker, traffic = counted
    before = committed(worker.settings)
    delete(worker.settings, worker.settings.changelog_topic)
    traffic.send(20)
    line = stopped(worker)
    assert f"topic {worker.settings.changelog_topic} was deleted while the worker ran" in line
    assert "what was known of each case is gone" in line
    assert committed(worker.settings) == before

    make(worker.settings)
    again = started_and_stopped(worker.settings, tmp_path / "next.log")
    assert "was committed for another topic or another changelog" in again
    assert "`frontdesk rebuild --from log`" in again


def test_the_changelog_is_made_anew_while_the_worker_runs(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    """What the worker writes until it notices makes the new one look like a state, which it is not."""
    worker, traffic = counted
    make_anew(worker.settings, worker.settings.changelog_topic)
    traffic.send(20)
    line = stopped(worker)
    assert worker.settings.changelog_topic in line
    assert "`frontdesk rebuild --from log`" in line
    assert "was committed for another topic or another changelog" in started_and_stopped(worker.settings, tmp_path / "next.log")


def test_partitions_are_added_while_a_worker_runs(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    worker, _ = counted
    asyncio.run(_add_partitions(worker.settings, 3))
    line = stopped(worker)
    assert f"topic {worker.settings.topic} has 3 partitions and had 2: districts have other places now" in line
    assert "`frontdesk rebuild`" in line
    assert "with 2 partitions, but the topic is now" in started_and_stopped(worker.settings, tmp_path / "next.log")


def test_the_dead_letter_topic_is_deleted_and_a_bad_record_comes(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    worker, traffic = counted
    before = committed(worker.settings)
    delete(worker.settings, worker.settings.dead_letter_topic)
    asyncio.run(traffic._send([("riverside", b"no event")]))
    line = stopped(worker)
    assert f"topic {worker.settings.dead_letter_topic} was deleted while the worker ran" in line
    assert "nothing is dropped instead" in line
    assert committed(worker.settings) == before

    make(worker.settings)
    with watched(worker.settings, tmp_path / "next.log") as another:
        another.wait_until_counted()
    assert_exact(worker.settings, traffic.sent - 1)


# -- records -------------------------------------------------------------------------------------------------------------------
def test_records_that_nobody_had_read_are_deleted(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    worker, traffic = counted
    worker.child.stop()
    known = traffic.sent
    traffic.send(20)
    ends = asyncio.run(_ends(worker.settings))
    asyncio.run(_delete_records(worker.settings, {p: end - 1 for p, end in ends.items() if end}))
    line = started_and_stopped(worker.settings, tmp_path / "next.log")
    assert "were deleted before they were counted" in line
    assert "retention.ms should be -1" in line
    assert "kafka-consumer-groups --reset-offsets" in line

    assert "Let their publishers send them again; then `frontdesk rebuild --from log+events`" in line
    sent, traffic.sent = traffic.sent, known
    traffic.send(20)
    rebuilt(worker.settings, "log+events")
    with watched(worker.settings, tmp_path / "last.log") as another:
        another.wait_until_counted()
    assert_exact(worker.settings, sent)


def rebuilt(settings: Settings, source: str) -> None:
    """By the command that the worker names."""
    command = [sys.executable, "-m", "streams.cli", "rebuild", "--yes", "--from", source]
    done = subprocess.run(command, env=os.environ | environment_of(settings), capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr


def test_a_topic_that_lost_its_end(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    """As after an unclean leader election; what the tables had counted from it stays counted."""
    worker, traffic = counted
    worker.child.stop()
    ends = asyncio.run(_ends(worker.settings))
    asyncio.run(_commit(worker.settings, {p: end + 5 for p, end in ends.items()}))
    line = started_and_stopped(worker.settings, tmp_path / "next.log")
    assert "were counted and are not in the topic any more" in line

    assert "`frontdesk rebuild --from log+events`" in line
    rebuilt(worker.settings, "log+events")
    with watched(worker.settings, tmp_path / "last.log") as another:
        traffic.send(20)
        another.wait_until_counted()
    assert_exact(worker.settings, traffic.sent)


def test_the_offset_was_set_forward_past_records_that_are_there(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    worker, traffic = counted
    worker.child.stop()
    known = asyncio.run(_ends(worker.settings))
    traffic.send(20)
    ends = asyncio.run(_ends(worker.settings))
    asyncio.run(_commit(worker.settings, ends))
    line = started_and_stopped(worker.settings, tmp_path / "next.log")
    assert "are in the topic and would not be counted" in line
    asyncio.run(_commit(worker.settings, known))
    with watched(worker.settings, tmp_path / "last.log") as another:
        another.wait_until_counted()
    assert_exact(worker.settings, traffic.sent)


def test_a_changelog_that_lost_its_records(counted: tuple[Watched, Traffic], tmp_path: Path) -> None:
    worker, _ = counted
    worker.child.stop()
    changelog = worker.settings.model_copy(update={"topic": worker.settings.changelog_topic})
    asyncio.run(_no_longer_compact(changelog))
    asyncio.run(_delete_records(changelog, asyncio.run(_ends(changelog))))
    line = started_and_stopped(worker.settings, tmp_path / "next.log")
    assert "what the changelog knows of it ends at 0" in line
    assert "if the changelog lost records, `frontdesk rebuild --from log` computes the state again" in line


async def _no_longer_compact(settings: Settings) -> None:
    """As somebody may set it who does not know what the topic is for."""
    async with administration(settings) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic, {"cleanup.policy": "delete"})])


async def _ends(settings: Settings) -> dict[int, int]:
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415

    async with AIOKafkaConsumer(**client_options(settings)) as consumer:
        found = await consumer.end_offsets([TopicPartition(settings.topic, p) for p in range(settings.partitions)])
    return {tp.partition: end for tp, end in found.items()}


async def _commit(settings: Settings, offsets: dict[int, int]) -> None:
    """As an operator does with Kafka's own tools: no member is there, and no note beside the offset."""
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415

    async with AIOKafkaConsumer(**client_options(settings), group_id=settings.group, enable_auto_commit=False) as consumer:
        tps = {TopicPartition(settings.topic, p): offset for p, offset in offsets.items()}
        consumer.assign(list(tps))
        await consumer.commit(tps)
