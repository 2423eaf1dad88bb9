"""A flood of records that are no events: among good ones each is set aside and nothing stops; alone they stop their partition.

20,000 of them; with FRONTDESK_FULL=1 it is 200,000.
"""

import asyncio
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.port import chosen
from deploy.embedded.process import Child, tail
from events.partition import partition_of
from streams.cli import run
from streams.kafka.publisher import STRUCTURED, Headers, Publisher
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode
from streams.worker.breaker import MOST_REFUSED
from tests.support.hostile import Large, crowded, event, hostile, large, wire
from tests.support.workers import POLL_S, committed, fresh_settings, query, wait_until_counted, worker

FULL = "FRONTDESK_FULL" in os.environ
HOSTILE = 200_000 if FULL else 20_000
ALONE = 3_000
DISTRICT, OTHER = "riverside", "hillside"

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(1_200 if FULL else 120)]

Sent = tuple[str, bytes, Headers]


async def send(settings: Settings, records: list[Sent]) -> None:
    async with Publisher(settings) as publisher:
        for district, value, headers in records:
            await publisher.send(district, value, headers)


async def send_at_once(settings: Settings, partition: int, records: list[Sent]) -> None:
    """All with one timestamp, so that they are of one minute."""
    now = time.time_ns() // 1_000_000
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True, max_request_size=1 << 20) as producer:
        for acknowledged in [
            await producer.send(settings.topic, value, partition=partition, timestamp_ms=now, headers=headers)
            for _, value, headers in records
        ]:
            await acknowledged


def good(count: int, district: str = DISTRICT, name: str = "good") -> list[Sent]:
    draw = random.Random(5)
    made = []
    for number in range(count):
        content = event(draw)
        content["data"]["district"] = district
        made.append((district, wire(content | {"id": f"{name}-{number}", "subject": f"case-{number % (count // 10)}"}), STRUCTURED))
    return made


def dead_letters(settings: Settings) -> dict[int, str]:
    """Reason by offset, in the flooded partition."""
    return dict(query(settings, f"SELECT offset, reason FROM dead_letters FINAL WHERE partition = {partition_of(DISTRICT, 4)}"))


def copies(settings: Settings) -> int:
    """Records in the dead letter topic."""
    return asyncio.run(_ends(settings))


async def _ends(settings: Settings) -> int:
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap) as consumer:
        return sum((await consumer.end_offsets([TopicPartition(settings.dead_letter_topic, n) for n in range(4)])).values())


def test_among_more_good_ones_each_is_set_aside_for_its_reason_and_all_good_ones_are_counted(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    settings, log = fresh_settings("hostile", kafka, clickhouse), tmp_path / "worker.log"
    bad = list(hostile(HOSTILE, seed=1))
    fine = iter(good(HOSTILE * 3 // 2))
    records: list[Sent] = []
    reasons: dict[int, str] = {}
    for number, (value, headers, reason) in enumerate(bad):
        records += [next(fine) for _ in range(1 + (number + 1) % 2)]
        reasons[len(records)] = reason.value
        records.append((DISTRICT, value, headers))
    asyncio.run(send(settings, records))

    began = time.monotonic()
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log, within_s=900 if FULL else 90)
        took_s, times = time.monotonic() - began, psutil.Process(child.identity.pid).cpu_times()
        cpu_s = times.user + times.system

    assert dead_letters(settings) == reasons
    assert len(set(reasons.values())) == 6, "of every reason that the codec gives"
    assert copies(settings) == HOSTILE
    assert query(settings, "SELECT count(), uniqExact(id) FROM events FINAL") == [(HOSTILE * 3 // 2, HOSTILE * 3 // 2)]
    record_property("records_per_second", round(len(records) / took_s))
    record_property("records_per_cpu_second", round(len(records) / cpu_s))
    print(  # for pytest -rP
        f"{len(records):,} records, {HOSTILE:,} of them hostile: {len(records) / took_s:,.0f} records/s, "
        f"{len(records) / cpu_s:,.0f} a CPU-second of the worker, start included"
    )


def ready(settings: Settings) -> tuple[int, list[str]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics_port}/health/ready", timeout=5) as response:
            return response.status, json.load(response)["reasons"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["reasons"]
    except OSError:  # not there yet
        return 0, []


def metric(settings: Settings, name: str, partition: int) -> float | None:
    """The value of a gauge of a partition, as Prometheus sees it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=5) as response:
        families = text_string_to_metric_families(response.read().decode())
    wanted = (f"frontdesk_{name}", {"partition": str(partition)})
    return next((sample.value for family in families for sample in family.samples if (sample.name, sample.labels) == wanted), None)


def wait_for(condition: Callable[[], Any], child: Child, log: Path, within_s: float = 40) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert child.alive(), tail(log)
        assert time.monotonic() < deadline, tail(log)
        time.sleep(POLL_S)


def test_alone_they_stop_their_partition_and_no_other_until_somebody_accepts_them(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, log = (
        fresh_settings("hostile_alone", kafka, clickhouse, metrics_port=chosen(["metrics"], {})["metrics"]),
        tmp_path / "worker.log",
    )
    flooded = partition_of(DISTRICT, 4)
    assert flooded != partition_of(OTHER, 4)
    bad = list(hostile(ALONE, seed=2))
    asyncio.run(send_at_once(settings, flooded, [(DISTRICT, value, headers) for value, headers, _ in bad]))

    def stands() -> bool:
        return any(f"breaker open: partition {flooded} stands at offset {MOST_REFUSED}:" in reason for reason in ready(settings)[1])

    for life in range(2):
        with worker(settings, log) as child:
            wait_for(stands, child, log)
            assert ready(settings)[0] == 503
            assert metric(settings, "partition_stopped", flooded) == 1
            wait_for(lambda: (metric(settings, "lag_events", flooded) or 0) >= ALONE - MOST_REFUSED, child, log)
            assert metric(settings, "lag_seconds", flooded)
            asyncio.run(send(settings, good(100, OTHER, f"life-{life}")))
            counted = [((life + 1) * 100,)]
            wait_for(lambda: query(settings, "SELECT count() FROM events FINAL") == counted, child, log)  # noqa: B023 - ends in the loop
            assert committed(settings) <= counted[0][0] + MOST_REFUSED
            assert sorted(dead_letters(settings)) == list(range(MOST_REFUSED))

    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    with worker(settings, log) as child:
        wait_for(stands, child, log)
        assert run(["dead-letters", "accept", "--partition", str(flooded), "--until", str(ALONE - 1)]) == 0
        wait_until_counted(settings, child, log)
        wait_for(lambda: ready(settings) == (200, []), child, log)

    assert dead_letters(settings) == {offset: reason.value for offset, (_, _, reason) in enumerate(bad)}


# -- large ones ----------------------------------------------------------------------------------------------------------
async def send_compressed(settings: Settings, records: list[Large]) -> None:
    """In their district's partition, each in a batch of its own."""
    options = {"compression_type": "gzip", "max_request_size": 64 << 20}
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, **options) as producer:
        for key, value, headers, _ in records:
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=time.time_ns() // 1_000_000, headers=headers)
            await (await producer.send_batch(batch, settings.topic, partition=partition_of(DISTRICT, 4)))


def test_large_ones_are_set_aside_and_a_crowded_case_is_full_and_the_worker_goes_on(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    settings, log = fresh_settings("hostile_large", kafka, clickhouse), tmp_path / "worker.log"
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    bad = list(large(random.Random(4)))
    asyncio.run(send_compressed(settings, bad))
    asyncio.run(send(settings, [(DISTRICT, value, STRUCTURED) for value in crowded(2_000, "crowded", DISTRICT)]))
    asyncio.run(send(settings, good(100)))

    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
        peak = psutil.Process(child.identity.pid).memory_info().rss
    with worker(settings, log) as child:  # and once more from what the first one left
        asyncio.run(send(settings, good(100, name="later")))
        wait_until_counted(settings, child, log)

    set_aside = dict(query(settings, "SELECT offset, reason FROM dead_letters FINAL WHERE reason != 'case_full'"))
    assert set_aside == {offset: reason.value for offset, (_, _, _, reason) in enumerate(bad)}
    full = query(settings, "SELECT count(), countIf(message LIKE '%bytes%') FROM dead_letters FINAL WHERE reason = 'case_full'")
    [(held,)] = query(settings, "SELECT count() FROM events FINAL WHERE subject = 'crowded'")
    assert full == [(2_000 - held, 2_000 - held)]
    assert 150 < held < 2_000
    assert query(settings, "SELECT count() FROM events FINAL WHERE subject != 'crowded'") == [(200,)]
    assert peak < 1 << 30
    assert run(["verify"]) == 0
    capfdbinary.readouterr()

    place = ("--partition", str(partition_of(DISTRICT, 4)), "--offset")
    for offset in (2, 11, len(bad) - 6, len(bad) - 3):
        assert run(["dead-letters", "show", *place, str(offset), "--raw"]) == 0
        assert capfdbinary.readouterr().out == (bad[offset][1] or b"")
    mended = tmp_path / "mended.json"
    mended.write_bytes(wire(event(random.Random(6)) | {"id": "mended"}))
    assert run(["dead-letters", "redrive", *place, "11"]) == ExitCode.REFUSED
    assert b"too_large" in capfdbinary.readouterr().err
    assert run(["dead-letters", "redrive", *place, "11", "--with", str(mended)]) == 0


def test_where_retention_took_a_large_one_it_is_said(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings, log = fresh_settings("hostile_gone", kafka, clickhouse), tmp_path / "worker.log"
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    asyncio.run(send_compressed(settings, list(large(random.Random(4)))[:1]))
    asyncio.run(send(settings, good(10)))
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
    flooded = partition_of(DISTRICT, 4)
    asyncio.run(delete_before(settings, flooded, 5))
    assert run(["dead-letters", "show", "--partition", str(flooded), "--offset", "0"]) == ExitCode.REFUSED
    assert "the topic keeps nothing before offset 5 any more" in capfd.readouterr().err


async def delete_before(settings: Settings, partition: int, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(settings.topic, partition): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()
