"""`frontdesk.breaches` on real servers: each promise that breaks is told, also when the worker is killed in the middle; old ones never."""

import asyncio
import json
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import Child, tail
from events.breach import Breach
from events.partition import partition_of
from streams.clock import WallClock
from streams.kafka.client import client_options
from streams.kafka.publisher import STRUCTURED, STRUCTURED_BACKFILL
from streams.settings import Settings
from tests.support.workers import fresh_settings, publish, query, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]

PARTITIONS = 2
WITHIN_S = 90.0
HOUR, MINUTE = 3_600_000, 60_000
PROMISED = 2 * HOUR
DIRECTORY = """
revision: 1
zone: America/Chicago
hours: {monday: "08:00-16:00"}
targets:
  critical: {response: 2 calendar hours}
  urgent: {response: 4 business hours}
  routine: {response: 8 business hours}
"""
SOON_S = 12
"""Questions whose promise breaks while the workers run; the first of them so many seconds from now."""
MANY = 120


def event(kind: str, subject: str, at: int, district: str, **data: object) -> tuple[str, bytes]:
    time_of = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // 1000))}.{at % 1000:03}Z"
    told = {"specversion": "1.0", "id": f"{subject}-{kind}-{at}", "source": "/invented", "type": f"org.frontdesk.{kind}.v1"}
    return district, json.dumps(told | {"subject": subject, "time": time_of, "data": {"district": district, **data}}).encode()


def asked(subject: str, at: int, district: str = "riverside") -> tuple[str, bytes]:
    return event("contact", subject, at, district, priority="critical", school="north", department="nursing")


async def _records(settings: Settings) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(settings.breach_topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends, found = await consumer.end_offsets(places), []
        for place in places:
            while await consumer.position(place) < ends[place]:
                found += (await consumer.getmany(place, timeout_ms=500)).get(place, [])
        return found
    finally:
        await consumer.stop()


def messages(settings: Settings) -> list[ConsumerRecord]:
    """Everything that has been said, partition by partition, in order."""
    return asyncio.run(_records(settings))


def words(records: list[ConsumerRecord]) -> dict[tuple[str, str], list[str]]:
    """(subject, stage) -> what was said of it, repeats left out."""
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        breach = Breach.model_validate_json(record.value)
        told = said[breach.subject, breach.data.stage]
        if breach.data.state not in told:
            told.append(breach.data.state)
    return dict(said)


def wait_for(settings: Settings, condition: Callable[[dict[tuple[str, str], list[str]]], bool], *alive: tuple[Child, Path]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition(said := words(messages(settings))):
        for child, log in alive:
            assert child.alive(), tail(log)
        assert time.monotonic() < deadline, f"{said}\n{[tail(log) for _, log in alive]}"
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scraped(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {(s.name, tuple(s.labels.values())): s.value for family in text_string_to_metric_families(text) for s in family.samples}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("directory") / "directory.yaml"
    file.write_text(DIRECTORY, "utf-8")
    return file


@contextmanager
def at_work(settings: Settings, log: Path) -> Iterator[tuple[Child, Path]]:
    with worker(settings, log) as child:
        yield child, log


def test_every_promise_that_breaks_is_told_though_the_worker_is_killed_in_the_middle(
    kafka: Kafka, clickhouse: ClickHouseServer, directory: Path, tmp_path: Path
) -> None:
    ports = free_port(), free_port()
    settings = fresh_settings(
        "breach_messages", kafka, clickhouse, partitions=PARTITIONS, directory=directory, session_timeout_s=6, metrics_port=ports[0]
    )
    heirs = settings.model_copy(update={"metrics_port": ports[1]})
    now = WallClock().now()
    many = {f"many-{i}": now - PROMISED + SOON_S * 1_000 + i * 100 for i in range(MANY)}
    old = [asked(f"old-{i}", now - 40 * HOUR - i * MINUTE, ("riverside", "hillside")[i % 2]) for i in range(200)]
    broken = asked("broken", now - PROMISED - 10 * MINUTE)
    kept = [asked("kept", now - HOUR), event("reply", "kept", now - HOUR // 2, "riverside")]
    asyncio.run(publish(settings, old, STRUCTURED_BACKFILL))
    asyncio.run(publish(settings, [broken, *kept, *(asked(subject, at) for subject, at in many.items())], STRUCTURED))

    # killed when it has told of some, and not of all
    with at_work(settings, tmp_path / "first.log") as first:
        wait_for(settings, lambda said: sum(stage == "breach" for _, stage in said) > MANY // 3, first)
        cells = scraped(ports[0])
        assert cells["frontdesk_open_episodes", ("riverside", "department", "", "nursing")] == 100 + MANY + 2
        assert cells["frontdesk_overdue_episodes", ("riverside", "district", "", "", "response", "breach", "critical")] > MANY // 3
        assert cells["frontdesk_backlog_overdue_episodes", ("hillside", "district", "", "", "response", "critical")] == 100
        first[0].kill()
    told = words(messages(settings))
    assert sum(stage == "breach" for _, stage in told) < MANY, "killed too late: all had been told"

    with at_work(heirs, tmp_path / "second.log") as second:
        wait_for(settings, lambda said: {subject for subject, stage in said if stage == "breach"} == {*many, "broken"}, second)
        late = [event("reply", "broken", now - PROMISED, "riverside"), event("reply", "many-0", WallClock().now(), "riverside")]
        asyncio.run(publish(settings, late, STRUCTURED))
        wait_for(settings, lambda said: "withdrawn" in said["broken", "breach"] and "cleared" in said["many-0", "breach"], second)
        cells = scraped(ports[1])
        assert cells["frontdesk_overdue_episodes", ("riverside", "school", "north", "", "response", "breach", "critical")] == MANY - 1
        withdrawn = ("frontdesk_breach_messages_total", ("breach", "withdrawn", "response"))  # by the labels' names
        wait_for(settings, lambda _: scraped(ports[1]).get(withdrawn) == 1, second)  # counted once Kafka has told that it has it
        assert second[0].stop()
    records = messages(settings)
    said = words(records)
    assert set(said) == {(subject, stage) for subject in (*many, "broken") for stage in ("warning", "breach")}
    assert all(said[subject, "breach"] == ["raised"] for subject in many if subject != "many-0")
    assert said["many-0", "breach"] == ["raised", "cleared"]
    assert said["broken", "breach"] == ["raised", "withdrawn"]

    # a repeat is known by its id, and says the same
    by_id: dict[str, set[bytes]] = defaultdict(set)
    for record in records:
        breach = Breach.model_validate_json(record.value)
        assert (record.key, record.partition) == (b"riverside", partition_of("riverside", PARTITIONS))
        assert breach.id == f"{breach.data.breach}-{breach.data.state}"
        by_id[breach.id].add(record.value)
    assert len(by_id) == 2 * (MANY + 1) + 4
    assert all(len(contents) == 1 for contents in by_id.values())
    assert len({Breach.model_validate_json(record.value).data.breach for record in records}) == 2 * (MANY + 1)

    # the view has them all, the old ones too, once each
    rows = query(
        settings, "SELECT count(), uniqExact(subject, stage), countIf(subject LIKE 'old-%') FROM breaches WHERE target = 'response'"
    )
    assert rows == [(2 * (200 + MANY), 2 * (200 + MANY), 400)]
