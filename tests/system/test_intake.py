"""The intake before a real Kafka: clients that others wrote, kills, Kafka away, the end of the process, and bad neighbours."""

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import confluent_kafka
import pytest
from cloudevents.core.bindings import http as ce_http
from cloudevents.core.bindings import kafka as ce_kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import Child, tail, until
from events.codec import Decoder
from events.event import Contacted
from events.partition import partition_of
from streams.intake.signature import signature
from streams.intake.token_file import new_id, new_signing_key, new_token
from streams.kafka.backlog import backlog
from streams.settings import Settings
from tests.support.intakes import BATCH, STRUCTURED, answers, event, free_port, get, intake, metric, post, wire
from tests.support.npm import with_packages
from tests.support.workers import fresh_settings, query, wait_until_counted, worker
from tests.system.test_publish import records_of

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]

FULL = "FRONTDESK_FULL" in os.environ
MIB = 1 << 20
HERE = Path(__file__).parent


@pytest.fixture
def settings(kafka: Kafka, clickhouse: ClickHouseServer) -> Settings:
    return fresh_settings(f"intake_{new_id()}", kafka, clickhouse, intake_port=free_port())


# -- clients that others wrote -----------------------------------------------------------------------------------------
def cloud_event(number: int) -> CloudEvent:
    attributes = {
        "id": f"sdk-{number}",
        "source": "/riverside/sdk",
        "type": "org.frontdesk.contact.v1",
        "subject": f"case-{number}",
        "time": datetime(2026, 11, 20, 14, 3, 22, 120_000, tzinfo=UTC),
        "datacontenttype": "application/json",
        "partitionkey": "riverside",
    }
    return CloudEvent(attributes, {"district": "riverside", "topic": "café"})


def as_dict(of: CloudEvent) -> dict[str, Any]:
    return {**of.get_attributes(), "data": of.get_data()}


def as_known(of: CloudEvent) -> dict[str, Any]:
    """What the intake writes of it: with what the contract takes as said, and the partition key as the SDK reads it off the record's."""
    told = as_dict(of)
    said = {"priority": "routine", "needs_reply": True} | told["data"]
    return {name: value for name, value in told.items() if name != "datacontenttype"} | {"data": said}


def test_the_python_sdk_through_http(settings: Settings, tmp_path: Path) -> None:
    sent = [cloud_event(number) for number in range(3)]
    binary, structured = ce_http.to_binary(sent[0], JSONFormat()), ce_http.to_structured(sent[1], JSONFormat())
    batch = b"[" + ce_http.to_structured(sent[2], JSONFormat()).body + b"]"
    with intake(settings, tmp_path / "intake.log"):
        assert post(settings, binary.body, binary.headers)[0] == 202
        assert post(settings, structured.body, structured.headers)[0] == 202
        assert post(settings, batch, BATCH)[0] == 202
    records = asyncio.run(records_of(settings))
    arrived = [ce_kafka.from_kafka(ce_kafka.KafkaMessage(dict(r.headers), r.key, r.value), JSONFormat()) for r in records]
    assert sorted(map(as_dict, arrived), key=lambda e: e["id"]) == [as_known(each) for each in sent]


def test_the_python_sdk_and_confluent_kafka_without_the_intake(settings: Settings, tmp_path: Path) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": settings.kafka_bootstrap, "partitioner": "murmur2_random", "acks": "all"})
    for number, mode in enumerate((ce_kafka.to_binary, ce_kafka.to_structured)):
        message = mode(cloud_event(number), JSONFormat())
        producer.produce(settings.topic, key=message.key, value=message.value, headers=dict(message.headers))
    assert producer.flush(30) == 0
    with worker(settings, tmp_path / "worker.log") as child:
        wait_until_counted(settings, child, tmp_path / "worker.log")
    found = query(settings, "SELECT id, source, subject, topic, toUnixTimestamp64Milli(time) FROM events FINAL ORDER BY id")
    assert found == [(f"sdk-{n}", "/riverside/sdk", f"case-{n}", "café", 1_795_183_402_120) for n in range(2)]
    assert query(settings, "SELECT count() FROM dead_letters FINAL") == [(0,)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs of node and the packages that they import."""
    folder = with_packages(tmp_path_factory.mktemp("node"))
    for client in HERE.glob("npm_*.mjs"):
        shutil.copy(client, folder)
    return folder


def run_node(folder: Path, *command: str) -> str:
    run = subprocess.run(["node", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_the_npm_sdk_through_http(node: Path, settings: Settings, tmp_path: Path) -> None:
    with intake(settings, tmp_path / "intake.log"):
        url = f"http://127.0.0.1:{settings.intake_port}/events"
        answers = [run_node(node, "npm_http.mjs", url, mode) for mode in ("binary", "structured")]
    assert [answer.partition(" ")[0] for answer in answers] == ["202", "202"], answers
    assert_arrived(settings, {"node-binary", "node-structured"})


def test_kafkajs_and_the_npm_sdk_without_the_intake(node: Path, settings: Settings) -> None:
    run_node(node, "npm_kafka.mjs", settings.kafka_bootstrap, settings.topic)
    assert_arrived(settings, {"kafkajs-binary", "kafkajs-structured"})


def assert_arrived(settings: Settings, ids: set[str]) -> None:
    """The event of the programs of node, under these ids, each where its district lives."""
    records = asyncio.run(records_of(settings))
    events = {Decoder().decode(record.value, record.headers, record.timestamp) for record in records}
    expected = (Contacted(1_795_183_402_120, "/riverside/node", each, topic="bus-late") for each in ids)
    assert events == {("riverside", "case-node", contact) for contact in expected}
    assert {record.partition for record in records} == {partition_of("riverside", settings.partitions)}


# -- where events are, and who may send them ---------------------------------------------------------------------------
def test_the_answer_says_where_each_event_is(settings: Settings, tmp_path: Path) -> None:
    content = [event(number, f"district-{number % 5}") for number in range(50)]
    with intake(settings, tmp_path / "intake.log"):
        status, answer = post(settings, wire(content), BATCH)
    assert status == 202
    told = {(each["partition"], each["offset"]): content[each["index"]]["id"] for each in answer["events"]}
    assert told == {(r.partition, r.offset): json.loads(r.value)["id"] for r in asyncio.run(records_of(settings))}


def test_tokens_of_a_process_are_read_again_on_sighup(settings: Settings, tmp_path: Path) -> None:
    file, log = tmp_path / "tokens.yaml", tmp_path / "intake.log"
    (one, first, sha_of_one), (two, second, sha_of_two) = new_token(), new_token()
    signer, key = new_id(), new_signing_key()
    write_tokens(file, f"{{id: {one}, sha256: '{sha_of_one}'}}")
    guarded = settings.model_copy(update={"intake_tokens": file})
    with intake(guarded, log) as child:
        assert post(guarded, wire(event(1)), STRUCTURED)[0] == 401
        assert post(guarded, wire(event(1)), STRUCTURED | bearer(first))[0] == 202
        write_tokens(file, "{id: nonsense}")
        os.kill(child.identity.pid, signal.SIGHUP)
        assert until(lambda: metric(guarded, 'frontdesk_intake_reloads_total{outcome="refused"}') == 1, 30), tail(log)
        assert post(guarded, wire(event(2)), STRUCTURED | bearer(first))[0] == 202
        write_tokens(file, f"{{id: {two}, sha256: '{sha_of_two}', districts: [riverside]}}, {{id: {signer}, signing_key: {key}}}")
        os.kill(child.identity.pid, signal.SIGHUP)
        assert until(lambda: metric(guarded, 'frontdesk_intake_reloads_total{outcome="read"}') == 1, 30), tail(log)
        assert post(guarded, wire(event(3)), STRUCTURED | bearer(first))[0] == 401
        assert post(guarded, wire(event(3)), STRUCTURED | bearer(second))[0] == 202
        assert post(guarded, wire(event(4, "lakeside")), STRUCTURED | bearer(second))[0] == 403
        assert post(guarded, wire(event(5)), STRUCTURED | signed(key, wire(event(5))), f"/events/signed?signer={signer}")[0] == 202
    assert [json.loads(r.value)["id"] for r in asyncio.run(records_of(settings))] == ["e-1", "e-2", "e-3", "e-5"]
    assert first not in log.read_text()


def write_tokens(file: Path, tokens: str) -> None:
    file.touch(0o600)
    file.write_text(f"tokens: [{tokens}]\n")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed(key: str, body: bytes) -> dict[str, str]:
    secret, now = base64.b64decode(key.removeprefix("whsec_")), str(int(time.time()))
    return {"webhook-id": "m-1", "webhook-timestamp": now, "webhook-signature": signature(secret, "m-1", now, body)}


# -- Kafka away, and the end -------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A Kafka of these tests' own, to be stopped and killed at will, and left running."""
    with Kafka(tmp_path_factory.mktemp("kafka")) as own:
        yield own


@pytest.fixture
def own(server: Kafka, clickhouse: ClickHouseServer) -> tuple[Kafka, Settings]:
    return server, fresh_settings(f"intake_{new_id()}", server, clickhouse, intake_port=free_port(), session_timeout_s=6)


def test_kafka_away_is_told_and_what_was_held_is_answered(own: tuple[Kafka, Settings], tmp_path: Path) -> None:
    server, settings = own
    log = tmp_path / "intake.log"
    with intake(settings, log) as child, ThreadPoolExecutor(1) as aside:
        os.kill(server.identity.pid, signal.SIGSTOP)
        try:
            held = aside.submit(post, settings, wire(event(1)), STRUCTURED)
            assert until(lambda: not answers(settings, "ready"), 60), tail(log)
            status, told = post(settings, wire(event(2)), STRUCTURED)
            assert (status, told["type"]) == (503, "urn:frontdesk:problem:kafka_away")
            status, told = held.result()
            assert (status, told["events"]) == (503, [{"index": 0, "status": "unknown"}])
            assert metric(settings, "frontdesk_intake_held_bytes") > 0, "what the producer still holds is still counted"
        finally:
            os.kill(server.identity.pid, signal.SIGCONT)
        assert until(lambda: answers(settings, "ready"), 60), tail(log)
        assert post(settings, wire(event(1)), STRUCTURED)[0] == 202
        assert until(lambda: metric(settings, "frontdesk_intake_held_bytes") == 0, 60)

        os.kill(server.identity.pid, signal.SIGSTOP)
        try:
            held = aside.submit(post, settings, wire(event(3)), STRUCTURED)
            assert until(lambda: metric(settings, "frontdesk_intake_held_bytes") > 0, 30)
            os.kill(child.identity.pid, signal.SIGTERM)
            assert until(lambda: "intake drains" in log.read_text(), 30)
        finally:
            os.kill(server.identity.pid, signal.SIGCONT)
        assert held.result()[0] == 202
        assert until(lambda: not child.alive(), 60), tail(log)
    assert "intake stopped" in log.read_text()
    ids = [json.loads(r.value)["id"] for r in asyncio.run(records_of(settings))]
    assert set(ids) == {"e-1", "e-3"}


def test_an_intake_starts_while_kafka_is_away(own: tuple[Kafka, Settings], tmp_path: Path) -> None:
    server, settings = own
    server.stop()
    with intake(settings, tmp_path / "intake.log", ready=False):
        assert post(settings, wire(event(1)), STRUCTURED)[0] == 503
        assert get(settings, "/health/ready")[0] == 503
        server.start()
        assert until(lambda: answers(settings, "ready"), 60)
        assert post(settings, wire(event(1)), STRUCTURED)[0] == 202


# -- kill -9 -----------------------------------------------------------------------------------------------------------
LASTS_S = 60 if FULL else 0
"""At least one round of kills, and rounds for so long."""
BETWEEN = 2_000 if FULL else 200
EVENTS_OF_A_REQUEST, SENDERS = 10, 4


class Traffic:
    """Publishers that send each request until it is answered with 202, however often."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._numbers = count()
        self._ended = threading.Event()
        self.accepted: set[str] = set()
        self.again = 0

    def run(self) -> None:
        while not self._ended.is_set():
            numbers = [next(self._numbers) for _ in range(EVENTS_OF_A_REQUEST)]
            self._send([event(number, f"district-{number % 7}") for number in numbers])

    def _send(self, events: list[dict[str, Any]]) -> None:
        while not self._ended.is_set():
            try:
                status, _ = post(self._settings, wire(events), BATCH)
            except (OSError, ValueError, urllib.error.URLError):
                status = 0
            if status == 202:
                self.accepted.update(each["id"] for each in events)
                return
            assert status in (0, 503)
            self.again += 1
            self._ended.wait(0.1)

    def end(self) -> None:
        self._ended.set()

    def grown(self, by: int) -> None:
        goal = len(self.accepted) + by
        assert until(lambda: len(self.accepted) >= goal, 120), f"{len(self.accepted)} of {goal} accepted"


def test_kills_lose_nothing_that_was_accepted(own: tuple[Kafka, Settings], tmp_path: Path) -> None:
    server, settings = own
    traffic, logs = Traffic(settings), count()
    with ExitStack() as processes, ThreadPoolExecutor(SENDERS) as senders:
        processes.callback(traffic.end)

        def started(make: Callable[[Settings, Path], Any]) -> Child:
            child: Child = processes.enter_context(make(settings, tmp_path / f"{next(logs)}.log"))
            return child

        intake_child, worker_child = started(intake), started(worker)
        sending = [senders.submit(traffic.run) for _ in range(SENDERS)]
        begun, rounds = time.monotonic(), 0
        while rounds == 0 or time.monotonic() - begun < LASTS_S:
            rounds += 1
            traffic.grown(BETWEEN)
            intake_child.kill()
            intake_child = started(intake)
            traffic.grown(BETWEEN)
            worker_child.kill()
            worker_child = started(worker)
            traffic.grown(BETWEEN)
            server.kill()
            server.start()
            traffic.grown(BETWEEN)
        traffic.end()
        for each in sending:
            each.result()
        deadline = time.monotonic() + 300
        while left := asyncio.run(backlog(settings)).left:
            assert time.monotonic() < deadline, f"{left} events are not counted"
            if not worker_child.alive():  # one that a busy machine starved ends by itself, and a supervisor starts it again
                worker_child = started(worker)
            time.sleep(0.2)
    rows = query(settings, "SELECT id, count() FROM events FINAL GROUP BY id")
    assert traffic.accepted <= {row[0] for row in rows}
    assert {row[1] for row in rows} == {1}
    assert traffic.again > 0, "no kill hit a request"
    assert query(settings, "SELECT sum(contacts) FROM cases FINAL WHERE is_deleted = 0") == [(len(rows),)]
    assert query(settings, "SELECT count() FROM dead_letters FINAL") == [(0,)]


# -- bad neighbours ----------------------------------------------------------------------------------------------------
SLOW, OVERSIZED, REQUESTS = 50, 50, 300


async def test_slow_and_oversized_clients_do_not_hurt_the_others(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "intake.log"
    with ExitStack() as stack:
        child = await asyncio.to_thread(stack.enter_context, intake(settings, log))
        before = child.resident_bytes()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.intake_port}") as client, asyncio.TaskGroup() as group:
            slow = [group.create_task(trickle(settings)) for _ in range(SLOW)]
            oversized = [group.create_task(too_much(client)) for _ in range(OVERSIZED)]
            statuses = [await ordinary(client, number) for number in range(REQUESTS)]
            assert {await each for each in oversized} <= {413, 503}, "too much, or too much at a time"
            for each in slow:
                each.cancel()
        assert statuses == [202] * REQUESTS
        assert child.resident_bytes() - before < 100 * MIB
        assert await asyncio.to_thread(until, lambda: metric(settings, "frontdesk_intake_held_bytes") == 0, 60)
        refused = [metric(settings, f'frontdesk_intake_refusals_total{{reason="{reason}"}}') for reason in ("too_large", "crowded")]
        assert sum(refused) == OVERSIZED
    assert len(await records_of(settings)) == REQUESTS * 10


async def ordinary(client: aiohttp.ClientSession, number: int) -> int:
    body = wire([event(number * 10 + each) for each in range(10)])
    async with client.post("/events", data=body, headers=BATCH) as answer:
        await answer.read()
        return answer.status


async def too_much(client: aiohttp.ClientSession) -> int:
    """A body without a length, so that it has to be read to be refused."""

    async def pieces() -> Any:
        for _ in range(40):
            yield b"x" * 64 * 1024

    try:
        async with client.post("/events", data=pieces(), headers=BATCH) as answer:
            return answer.status
    except aiohttp.ClientConnectionError:  # it was told, and cut off while it still sent
        return 413


async def trickle(settings: Settings) -> None:
    """A byte now and then, of a body that never ends, until cancelled or cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.intake_port)
    try:
        writer.write(b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"{")
            await asyncio.sleep(0.1)
    except ConnectionError:
        return
    finally:
        writer.close()
