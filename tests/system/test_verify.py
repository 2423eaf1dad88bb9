"""`frontdesk verify` finds nothing where nothing is wrong, also while a worker goes on, and each fault that is planted."""

import asyncio
import json
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from events.partition import partition_of
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.verification import VerifiedScope
from streams.cli.work.verify import verdict
from streams.kafka.client import client_options
from streams.kafka.publisher import STRUCTURED
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from tests.support.workers import fresh_settings, publish, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(120)]

HOUR, DAY = 3_600_000, 86_400_000
ALL_CASES = VerifiedScope(since=0)
BREATH_S = 0.5
"""Between two bursts of live traffic: the machine is small, and what is shown needs no flood."""
DISTRICTS = [f"district-{number}" for number in range(6)]
BUSY = DISTRICTS[:1]
TABLES = ("events", "cases", "windows", "dead_letters", "log", "directory_revisions", "schedules", "targets", "openings")
INVALID = [
    b"no json",
    b"",
    b'{"specversion": "1.0"}',
    b'{"specversion": "1.0", "id": "1", "source": "/a", "type": "org.frontdesk.call.v1"}',
]


def told(district: str, subject: str, kind: str, name: str, at: int, **data: Any) -> bytes:
    envelope = {"specversion": "1.0", "id": name, "source": "/test", "type": f"org.frontdesk.{kind}.v1", "subject": subject}
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1000)) + "Z"
    return json.dumps(envelope | {"time": moment, "data": {"district": district} | data}).encode()


def case(chance: random.Random, district: str, subject: str, now: int) -> list[tuple[str, bytes]]:
    """A contact, mostly a reply, sometimes a resolution and a rating."""
    at, place = now - chance.randrange(HOUR, 20 * DAY), {"school": chance.choice(["north", "south"]), "department": "bus"}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("contact", {"stakeholder": f"s-{chance.randrange(50)}"}),
        ("reply", {}),
        ("resolution", {}),
        ("rating", {"score": 4}),
    ]
    ends = [at + chance.randrange(HOUR) * number for number in range(chance.randrange(1, 5))]
    return [
        (district, told(district, subject, k, f"{subject}-{k}", min(t, now), **place, **d)) for t, (k, d) in zip(ends, steps, strict=False)
    ]


def cases(seed: int, count: int, name: str = "case", districts: Sequence[str] = DISTRICTS) -> list[tuple[str, bytes]]:
    chance, now = random.Random(seed), time.time_ns() // 1_000_000
    return [event for number in range(count) for event in case(chance, chance.choice(districts), f"{name}-{number}", now)]


async def publish_disorder(settings: Settings, events: list[tuple[str, bytes]]) -> None:
    """The events, a fifth of them twice, some in a wrong partition, between records that are no events."""
    chance = random.Random(9)
    sent = [*events, *chance.sample(events, len(events) // 5)]
    chance.shuffle(sent)
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    try:
        for number, (district, value) in enumerate(sent):
            home = partition_of(district, settings.partitions)
            place = (home + 1) % settings.partitions if number % 13 == 0 else home
            await producer.send(settings.topic, value, partition=place, headers=STRUCTURED)
            if number % 17 == 0:
                await producer.send(settings.topic, INVALID[number % 4], partition=number % settings.partitions)
        await producer.flush()
    finally:
        await producer.stop()


@pytest.fixture(scope="module")
def counted(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A topic that a worker has counted to its end; no worker runs any more."""
    settings = fresh_settings("verify", kafka, clickhouse, partitions=2)
    asyncio.run(publish_disorder(settings, cases(1, 300)))
    log = tmp_path_factory.mktemp("verify") / "worker.log"
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
    return settings


@pytest.fixture
def copied(counted: Settings, request: pytest.FixtureRequest) -> Settings:
    """The same topic and group, and tables of the test's own with the same rows."""
    settings = counted.model_copy(update={"clickhouse_database": f"verify_{abs(hash(request.node.name))}"})
    migrate(clickhouse_of(settings))
    with clickhouse_of(settings).connect() as client:
        for table in TABLES:
            client.execute(f"INSERT INTO {table} SELECT * FROM {counted.clickhouse_database}.{table}")
    return settings


def change(settings: Settings, *statements: str) -> None:
    with clickhouse_of(settings).connect() as client:
        for statement in statements:
            client.execute(statement)


# -- nothing wrong --------------------------------------------------------------------------------------------------------
def test_all_adds_up_after_duplicates_invalid_and_misrouted_records(counted: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(counted, VerifiedScope()) == 0
    [totals] = [line for line in capsys.readouterr().out.splitlines() if "all" in line.split()]
    records, distinct, duplicates, sent_on, dead, *rest = [int(cell.replace(",", "")) for cell in re.findall(r"[0-9][0-9,]*", totals)]
    assert records == distinct + duplicates + sent_on + dead
    assert [(distinct,)] == query(counted, "SELECT count() FROM events FINAL")
    assert [(dead,)] == query(counted, "SELECT count() FROM dead_letters FINAL")
    assert min(distinct, duplicates, sent_on, dead) > 10
    assert rest == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "scope",
    [
        VerifiedScope(sample=20),
        VerifiedScope(districts=("district-1", "district-2")),
        VerifiedScope(since=time.time_ns() // 1_000_000 - 5 * DAY),
    ],
)
def test_a_part_can_be_asked_for(counted: Settings, scope: VerifiedScope) -> None:
    assert verdict(counted, scope) == 0


def test_it_is_exact_while_a_worker_counts_live_traffic(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, log = fresh_settings("verify_live", kafka, clickhouse, partitions=2), tmp_path / "worker.log"
    asyncio.run(publish_disorder(settings, cases(2, 200)))
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
        with traffic(settings):
            assert verdict(settings, VerifiedScope()) == 0, capsys.readouterr().out
            change(settings, newer("cases", "reopens + 3 AS reopens", "subject = 'case-7'"))
            assert verdict(settings, ALL_CASES) == 1
        assert child.alive()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if "recomputed" in line] == ["cases:"]


@contextmanager
def traffic(settings: Settings) -> Iterator[None]:
    """Events of other cases in a busy district, some of them twice or astray, until the block is left."""
    over = threading.Event()

    def send() -> None:
        number = 0
        while not over.wait(BREATH_S):
            asyncio.run(publish(settings, cases(number, 10, f"live-{number}", BUSY), STRUCTURED))
            asyncio.run(publish_disorder(settings, cases(number, 3, f"astray-{number}", BUSY)))
            number += 1

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


# -- each fault -----------------------------------------------------------------------------------------------------------
DONE = "SETTINGS mutations_sync = 1"
CELL = "district, scope, school, department, window"
A_CELL = f"({CELL}) = (SELECT {CELL} FROM windows FINAL WHERE contact_n > 0 AND scope = 'school' AND window = '28d' ORDER BY ALL LIMIT 1)"
FIRST_DEAD = "(partition, offset) = (SELECT partition, offset FROM dead_letters FINAL ORDER BY partition, offset LIMIT 1)"
COUNTED = "(SELECT offset FROM events FINAL WHERE partition = 1 ORDER BY offset LIMIT 1)"


def newer(table: str, change: str, where: str) -> str:
    """A row once more, changed, as a later version. ClickHouse takes `where` for that of the changed row."""
    return f"INSERT INTO {table} SELECT * REPLACE ({change}, version + 1 AS version) FROM {table} FINAL WHERE {where} LIMIT 1"


FAULTS = {
    "a row deleted from events": (
        f"ALTER TABLE events DELETE WHERE id = 'case-3-contact' {DONE}",
        ["case-3-contact has no such row in events", "cases: "],
    ),
    "a row deleted from cases": (f"ALTER TABLE cases DELETE WHERE subject = 'case-4' {DONE}", ["case-4 /test case-4-contact: 0 stored"]),
    "a row deleted from windows": (f"ALTER TABLE windows DELETE WHERE {A_CELL} {DONE}", ["windows: ", "contact_n is '0'"]),
    "a number changed in cases": (
        newer("cases", "reopens + 1 AS reopens", "subject = 'case-5'"),
        ["case-5 /test case-5-contact: reopens is '1'"],
    ),
    "a number changed in windows": (
        newer("windows", "response_sum_ms + 1 AS response_sum_ms", A_CELL),
        ["windows: ", "response_sum_ms is"],
    ),
    "a duplicate case row under another key": (
        newer("cases", "addMilliseconds(opened_at, 1) AS opened_at", "subject = 'case-6'"),
        ["case-6 /test case-6-contact: 1 stored, 0 recomputed"],
    ),
    "a stale window": (newer("windows", "contact_n - 1 AS contact_n, as_of - 60 AS as_of", A_CELL), ["windows: ", "contact_n is"]),
    "a dead letter's row missing": (
        f"ALTER TABLE dead_letters DELETE WHERE {FIRST_DEAD} {DONE}",
        ["but there is no row in dead_letters"],
    ),
    "a dead letter with a wrong reason": (
        newer("dead_letters", "'too_large' AS reason", FIRST_DEAD),
        ["reason in dead_letters is 'too_large', but "],
    ),
    "a dead letter of a record that was counted": (
        newer("dead_letters", f"{COUNTED} AS offset", "partition = 1"),
        ["is valid, but there is a dead letter"],
    ),
    "an event that is not in the topic": (
        newer("events", "'ghost' AS id", "subject = 'case-8' AND kind = 'contact'"),
        ["/test ghost, that is not in the topic"],
    ),
    "an event past the end of the topic": (
        newer("events", "'ghost' AS id, 1000000 AS offset", "subject = 'case-8' AND kind = 'contact'"),
        ["/test ghost, that is not in the topic"],
    ),
    "an event that says something else": (
        f"ALTER TABLE events UPDATE needs_reply = 0 WHERE id = 'case-9-contact' {DONE}",
        ["case-9-contact has no such row in events", "case-9-contact, that is not in the topic"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_it_finds(fault: str, copied: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    statement, expected = FAULTS[fault]
    change(copied, statement)
    assert verdict(copied, VerifiedScope()) == 1
    lines = capsys.readouterr().out.splitlines()
    for words in expected:
        assert any(words in line for line in lines), lines


def test_it_finds_an_event_that_was_never_counted_where_case_and_windows_know_nothing_of_it(
    copied: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """All tables agree with each other; only the topic knows better."""
    gone = "subject = 'case-10'"
    change(copied, *(f"ALTER TABLE {table} DELETE WHERE {gone} {DONE}" for table in ("events", "cases")))
    assert verdict(copied, VerifiedScope()) == 1
    lost = [line for line in capsys.readouterr().out.splitlines() if "case-10 /test" in line]
    assert lost
    assert all("has no such row in events" in line for line in lost)
