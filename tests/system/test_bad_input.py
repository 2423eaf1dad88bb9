"""Whatever is wrong around a worker and its friends: one clear line that says what to do, the right exit code, no traceback."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import Identity, find, until
from deploy.embedded.stack import Stack
from events.codec import AHEAD_MS
from events.headers import MARKED_FORWARDED
from events.partition import partition_of
from events.rejection import Reason
from streams.clock import WallClock
from streams.kafka.claim_check import is_copied
from streams.kafka.client import administration, client_options
from streams.kafka.topics import STATE_BATCH_BYTES, ensure_topics
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode
from tests.support.workers import fresh_settings, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
DAY_MS = 86_400_000
DISTRICT = "riverside"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    errors: list[str]
    """The lines of standard error that are for the user, without the worker's log."""

    @property
    def line(self) -> str:
        [line] = self.errors
        return line


def frontdesk(*arguments: str, settings: Settings | None = None, stdin: bytes = b"", folder: Path = ROOT) -> Said:
    """Run a command, with these settings or with none; fails where there is a traceback."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=folder,
        env=plain | {"PYTHONPATH": str(ROOT)} | (environment_of(settings) if settings else {}),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
    )
    out, errors = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in out + errors, out + errors
    return Said(done.returncode, out, [line for line in errors.splitlines() if line.startswith("frontdesk: ")])


def contact(subject: str = "case-1", **others: Any) -> dict[str, Any]:
    """A contact of an hour ago."""
    at = WallClock().now() - 3_600_000
    event = {"specversion": "1.0", "id": f"{subject}.1", "source": "/riverside/helpdesk", "type": "org.frontdesk.contact.v1"}
    return event | {"subject": subject, "time": rfc3339(at), "data": {"district": DISTRICT, "school": "north"}} | others


def rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


# -- servers -----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of this module's own, made ready by `frontdesk up`; down in the end."""
    made = Stack(tmp_path_factory.mktemp("stack") / "data")
    try:
        assert frontdesk("up", "--folder", str(made.data)).code == ExitCode.OK
        yield made
    finally:
        made.down()


def kill(stack: Stack, name: str) -> None:
    record = json.loads(stack.file.read_text())[name]
    child = find(Identity(record["pid"], record["created"]))
    assert child is not None
    child.kill()


@pytest.mark.parametrize(("dead", "alive", "command"), [("clickhouse", "Kafka", "indicators"), ("kafka", "ClickHouse", "publish")])
def test_a_stack_of_which_one_server_died(stack: Stack, dead: str, alive: str, command: str) -> None:
    folder = ("--folder", str(stack.data))
    kill(stack, dead)

    status = frontdesk("status", *folder)
    assert status.code == ExitCode.UNAVAILABLE
    bad, good = ([line for line in status.out.splitlines() if line.startswith(mark)] for mark in "✗✓")
    assert f"✗ {dead} process" in bad[0]
    assert "ended without being asked to" in bad[0]
    assert "`frontdesk up` starts it again" in bad[0]
    assert any(line.startswith(f"✓ {alive} ") for line in good)

    for arguments in (["worker"], [command, *(["-"] if command == "publish" else [])]):
        said = frontdesk(*arguments, *folder, stdin=json.dumps(contact()).encode())
        assert said.code == ExitCode.UNAVAILABLE
        assert "does not answer" in said.line
        assert "`frontdesk up`" in said.line

    again = frontdesk("up", *folder)
    assert again == Said(ExitCode.OK, "", [])
    assert frontdesk("status", *folder).code == ExitCode.OK


def test_a_demo_in_the_folder_of_a_running_stack(stack: Stack) -> None:
    said = frontdesk("demo", "--folder", str(stack.data))
    assert said.code == ExitCode.UNAVAILABLE
    assert "are already up: end them with `frontdesk down`, or choose another" in said.line


@pytest.fixture
def settings(kafka: Kafka, clickhouse: ClickHouseServer, request: pytest.FixtureRequest) -> Settings:
    """Topics and tables of this test's own."""
    return fresh_settings(f"bad_{abs(hash(request.node.name))}", kafka, clickhouse, partitions=2)


def refused_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_worker_while_clickhouse_is_away(settings: Settings) -> None:
    said = frontdesk("worker", settings=settings.model_copy(update={"clickhouse_port": refused_port()}))
    assert said.code == ExitCode.UNAVAILABLE
    assert "ClickHouse does not answer: start the servers with `frontdesk up`" in said.line


def test_a_worker_while_kafka_is_away(settings: Settings) -> None:
    away = f"127.0.0.1:{refused_port()}"
    said = frontdesk("worker", settings=settings.model_copy(update={"kafka_bootstrap": away}))
    assert said.code == ExitCode.UNAVAILABLE
    assert f"Kafka does not answer at {away}" in said.line


# -- what was never made -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("setting", ["topic", "changelog_topic", "dead_letter_topic", "breach_topic"])
def test_a_worker_without_its_topic(settings: Settings, setting: str) -> None:
    said = frontdesk("worker", settings=settings.model_copy(update={setting: "nowhere"}))
    assert said.code == ExitCode.UNAVAILABLE
    assert "nowhere" in said.line
    assert "`frontdesk migrate`" in said.line


@pytest.mark.parametrize("command", ["worker", "indicators"])
def test_a_database_without_tables(settings: Settings, command: str) -> None:
    query(settings, "CREATE DATABASE IF NOT EXISTS bare")
    for database in ("bare", "nowhere"):
        said = frontdesk(command, settings=settings.model_copy(update={"clickhouse_database": database}))
        assert said.code == ExitCode.UNAVAILABLE
        assert "make them with `frontdesk migrate`" in said.line


def test_status_tells_what_was_never_made(settings: Settings) -> None:
    said = frontdesk("status", settings=settings.model_copy(update={"clickhouse_database": "nowhere", "folder": Path("nowhere")}))
    assert said.code == ExitCode.UNAVAILABLE
    assert "make them with `frontdesk migrate`" in said.out


# -- what does not belong together -----------------------------------------------------------------------------------------
def test_a_topic_with_another_number_of_partitions_than_the_settings_say(settings: Settings) -> None:
    other = settings.model_copy(update={"partitions": 3})
    for command in (["publish", "-"], ["migrate"], ["simulate", "--students", "1"]):
        said = frontdesk(*command, settings=other)
        assert said.code == ExitCode.REFUSED
        assert "has 2 partitions, but FRONTDESK_PARTITIONS is 3: set it to 2" in said.line


def test_a_worker_on_another_topic_than_the_tables_came_from(settings: Settings, tmp_path: Path) -> None:
    introduced(settings, tmp_path / "worker.log")
    asyncio.run(deleted_and_made_again(settings))
    said = frontdesk("worker", settings=settings)
    assert said.code == ExitCode.REFUSED
    assert "the tables were filled from topic " in said.line
    assert "`frontdesk rebuild` counts it anew" in said.line


def test_a_worker_on_a_topic_that_has_got_more_partitions(settings: Settings, tmp_path: Path) -> None:
    introduced(settings, tmp_path / "worker.log")
    asyncio.run(with_more_partitions(settings, settings.topic, 5))
    said = frontdesk("worker", settings=settings)
    assert said.code == ExitCode.REFUSED
    assert "with 2 partitions, but the topic is now " in said.line
    assert "with 5: `frontdesk rebuild` counts it anew" in said.line


def test_a_worker_whose_changelog_has_another_number_of_partitions(settings: Settings) -> None:
    asyncio.run(with_more_partitions(settings, settings.changelog_topic, 5))
    said = frontdesk("worker", settings=settings)
    assert said.code == ExitCode.REFUSED
    assert f"topic {settings.changelog_topic} has 5 partitions, but {settings.topic} has 2: choose another one" in said.line


def introduced(settings: Settings, log: Path) -> None:
    """A worker has met the topic and the tables, and has gone again."""
    with worker(settings, log):
        assert until(lambda: query(settings, "SELECT count() FROM log") == [(1,)], 60)


async def deleted_and_made_again(settings: Settings) -> None:
    async with administration(settings) as admin:
        await admin.delete_topics([settings.topic])
    async with asyncio.timeout(30):
        while settings.topic not in await ensure_topics(settings):  # noqa: ASYNC110 - the broker deletes in its own time
            await asyncio.sleep(0.05)


async def with_more_partitions(settings: Settings, topic: str, count: int) -> None:
    async with administration(settings) as admin:
        await admin.create_partitions({topic: NewPartitions(count)})


# -- files ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("revision: one\n", "line 1"),
        ("hours: [\n", "is not YAML"),
        ("- a list\n", "line 1"),
        ("colour: blue\n", "line 1"),
        ("\x00", "is not YAML"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_directory_with_a_mistake(settings: Settings, tmp_path: Path, content: str | bytes, hint: str) -> None:
    file = tmp_path / "directory.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = frontdesk("worker", settings=settings.model_copy(update={"directory": file}))
    assert said.code == ExitCode.USAGE
    assert said.line.startswith(f"frontdesk: {file}: ")
    assert hint in said.line


@pytest.mark.parametrize("command", ["worker", "indicators"])
def test_a_directory_that_is_not_there(settings: Settings, tmp_path: Path, command: str) -> None:
    said = frontdesk(command, settings=settings.model_copy(update={"directory": tmp_path / "nowhere.yaml"}))
    assert said.code == ExitCode.USAGE
    assert "nowhere.yaml" in said.line


def test_a_metrics_port_that_is_taken(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = frontdesk("worker", settings=settings.model_copy(update={"metrics_port": taken.getsockname()[1]}))
    assert said.code in {ExitCode.USAGE, ExitCode.UNAVAILABLE}
    assert "ddress already in use" in said.line


# -- records ---------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Bad:
    """A record that is to be set aside, in the partition of its district or elsewhere; `path` is where it is wrong."""

    reason: Reason
    value: bytes | None
    path: str = "$"
    headers: tuple[tuple[str, bytes], ...] = ()
    elsewhere: bool = False
    timestamp: int | None = None

    @property
    def keeps_nothing(self) -> bool:
        return self.reason is Reason.PERSONAL_DATA


PRIVATE = "jane.doe@example.org"


def records_of_each_wrong_kind(now: int) -> list[Bad]:
    def wire(**others: Any) -> bytes:
        return json.dumps(contact("wrong") | others).encode()

    return [
        Bad(Reason.NOT_JSON, None),
        Bad(Reason.NOT_JSON, b"nonsense"),
        Bad(Reason.NOT_JSON, b"\xff"),
        Bad(Reason.NOT_CLOUDEVENT, b"[1]"),
        Bad(Reason.NOT_CLOUDEVENT, wire(specversion="2.0"), "$.specversion"),
        Bad(Reason.PERSONAL_DATA, wire(id=PRIVATE), "$.id"),
        Bad(Reason.PERSONAL_DATA, wire(data={"district": DISTRICT, "stakeholder": PRIVATE}), "$.data.stakeholder", ((PRIVATE, b"1"),)),
        Bad(Reason.UNKNOWN_TYPE, wire(type="org.frontdesk.party.v1"), "$.type"),
        Bad(Reason.INVALID, wire(data={"district": DISTRICT, "channel": "pigeon"}), "$.data.channel"),
        Bad(Reason.INVALID, wire(time="yesterday"), "$.time"),
        Bad(Reason.NOT_CLOUDEVENT, b"{}", "$.id", headers=(("ce_specversion", b"1.0"),)),
        Bad(Reason.TOO_LARGE, wire(note="x" * 262_144)),
        Bad(Reason.FROM_THE_FUTURE, wire(time=rfc3339(now + AHEAD_MS + 60_000)), "$.time", timestamp=now),
        Bad(Reason.TOO_LATE, wire(subject="ancient", time=rfc3339(now - 101 * DAY_MS)), "$.time"),
        Bad(Reason.MISROUTED, wire(), "$.data.district", headers=(MARKED_FORWARDED,), elsewhere=True),
    ]


async def send(settings: Settings, records: list[Bad], good: list[bytes]) -> None:
    """Good ones before, between and after the bad ones."""
    home = partition_of(DISTRICT, settings.partitions)
    async with AIOKafkaProducer(**client_options(settings), max_request_size=1 << 20) as producer:
        for bad, value in zip(records, good, strict=False):
            await producer.send_and_wait(settings.topic, value, partition=home)
            where = (home + 1) % settings.partitions if bad.elsewhere else home
            await producer.send_and_wait(
                settings.topic,
                bad.value,
                key=PRIVATE.encode() if bad.keeps_nothing else b"k",
                partition=where,
                headers=list(bad.headers),
                timestamp_ms=bad.timestamp,
            )
        for value in good[len(records) :]:
            await producer.send_and_wait(settings.topic, value, partition=home)


async def dead_letters(settings: Settings) -> list[tuple[dict[str, str], bytes | None]]:
    """(headers and key, bytes) of each dead letter in the topic, in the order in which they had been sent."""
    consumer = AIOKafkaConsumer(**client_options(settings), auto_offset_reset="earliest")
    partitions = [TopicPartition(settings.dead_letter_topic, number) for number in range(settings.partitions)]
    consumer.assign(partitions)
    await consumer.start()
    try:
        total = sum((await consumer.end_offsets(partitions)).values())
        found = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(total)]
    finally:
        await consumer.stop()
    told = [
        ({name.removeprefix("frontdesk-dead-letter-"): value.decode() for name, value in (*r.headers, ("key", r.key or b""))}, r.value)
        for r in found
    ]
    return sorted(told, key=lambda each: (int(each[0]["partition"]), int(each[0]["offset"])))


def test_records_of_each_wrong_kind_are_set_aside_and_those_between_are_counted(settings: Settings, tmp_path: Path) -> None:
    bad, log = records_of_each_wrong_kind(WallClock().now()), tmp_path / "worker.log"
    good = [json.dumps(contact(f"case-{number}")).encode() for number in range(len(bad) + 1)]
    with worker(settings, log) as child:
        asyncio.run(send(settings, bad, good))
        wait_until_counted(settings, child, log)

    rows = query(settings, "SELECT reason, path, bytes FROM dead_letters FINAL")
    assert sorted(rows) == sorted((b.reason.value, b.path, len(b.value or b"")) for b in bad)
    told = asyncio.run(dead_letters(settings))
    assert sorted((headers["reason"], headers["path"], value or b"") for headers, value in told) == sorted(
        (b.reason.value, b.path, b"" if b.keeps_nothing or not is_copied(b.value) else b.value or b"") for b in bad
    )
    everywhere = f"{told} {log.read_text()} {[query(settings, f'SELECT * FROM {table}') for table in ('dead_letters', 'events', 'cases')]}"
    assert PRIVATE not in everywhere
    assert {headers["key"] for headers, _ in told if headers["reason"] == Reason.PERSONAL_DATA.value} == {""}
    assert {headers["topic"] for headers, _ in told} == {settings.topic}
    assert all(headers["message"] for headers, _ in told)
    assert query(settings, "SELECT count(), uniqExact(subject) FROM events FINAL") == [(len(good), len(good))]
    assert query(settings, "SELECT contact_n FROM windows FINAL WHERE scope = 'school' AND window = '24h'") == [(len(good),)]
    assert "Traceback" not in log.read_text()


def test_a_record_with_neither_key_nor_value_is_set_aside(settings: Settings, tmp_path: Path) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": settings.kafka_bootstrap})
    producer.produce(settings.topic, partition=0)
    assert producer.flush(30) == 0
    with worker(settings, tmp_path / "worker.log") as child:
        wait_until_counted(settings, child, tmp_path / "worker.log")
    assert query(settings, "SELECT reason, bytes FROM dead_letters FINAL") == [(Reason.NOT_JSON.value, 0)]


def test_a_case_that_is_full(settings: Settings, tmp_path: Path) -> None:
    now, log = WallClock().now(), tmp_path / "worker.log"
    sent = [json.dumps(contact("endless", id=f"e-{number}", time=rfc3339(now - 3_600_000 + number))).encode() for number in range(2_003)]

    async def all_of_them() -> None:
        async with AIOKafkaProducer(**client_options(settings), linger_ms=20) as producer:
            futures = [await producer.send(settings.topic, value, partition=partition_of(DISTRICT, 2)) for value in sent]
            await asyncio.gather(*futures)

    with worker(settings, log) as child:
        asyncio.run(all_of_them())
        wait_until_counted(settings, child, log)
    assert query(settings, "SELECT reason, count() FROM dead_letters FINAL GROUP BY reason") == [(Reason.CASE_FULL.value, 3)]
    assert query(settings, "SELECT contacts FROM cases FINAL") == [(2_000,)]


def test_a_case_whose_state_the_changelog_does_not_take_is_named(settings: Settings, tmp_path: Path) -> None:
    """As where another build let it grow; here the topic takes less than it should."""

    async def takes(most: int) -> None:
        async with administration(settings) as admin:
            wanted = {"max.message.bytes": str(most)}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.changelog_topic, wanted)])

    asyncio.run(takes(250))
    asyncio.run(send(settings, [], [json.dumps(contact("large", id="e-" + "x" * 120)).encode()]))
    for life in range(2):
        log = tmp_path / f"worker-{life}.log"
        with worker(settings, log) as child:
            assert until(lambda: not child.alive(), 60)
        told = [line for line in log.read_text().splitlines() if line.startswith("frontdesk: ")]
        assert len(told) == 1
        assert "the state of case large of district riverside has " in told[0]
        assert "max.message.bytes is 2097152" in told[0]
        assert f'"exit_code": {ExitCode.REFUSED}' in log.read_text()

    asyncio.run(takes(STATE_BATCH_BYTES))
    with worker(settings, tmp_path / "worker.log") as child:
        wait_until_counted(settings, child, tmp_path / "worker.log")


def test_every_reason_is_shown_here() -> None:
    assert {bad.reason for bad in records_of_each_wrong_kind(0)} | {Reason.CASE_FULL} == set(Reason)


# -- the tables are taken away under a worker ------------------------------------------------------------------------------
def test_a_table_that_goes_away_stops_the_worker_with_a_line(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with worker(settings, log) as child:
        assert until(lambda: "partition recovered" in log.read_text(), 60)
        query(settings, "DROP TABLE cases")
        asyncio.run(send(settings, [], [json.dumps(contact()).encode()]))
        assert until(lambda: not child.alive(), 60)
    lines = [line for line in log.read_text().splitlines() if line.startswith("frontdesk: ")]
    assert len(lines) == 1
    assert "cases: rows of partition " in lines[0]
    assert "Traceback" not in log.read_text()


def test_a_worker_that_is_asked_to_stop_ends_with_0(settings: Settings, tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "worker"],
            cwd=ROOT,
            env={**os.environ, **environment_of(settings)},
            stderr=(tmp_path / "log").open("wb"),
        )
        try:
            assert until(lambda: "partition recovered" in (tmp_path / "log").read_text(), 60)
            process.send_signal(number)
            assert process.wait(60) == ExitCode.OK
        finally:
            process.kill()
            process.wait()
