"""`frontdesk rebuild` on real servers: what was damaged or has changed comes right, whoever works, reads or dies meanwhile."""

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, NewTopic

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from events.partition import partition_of
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, WINDOW_COLUMNS
from sinks.clickhouse.rebuilds import newest, record
from sinks.clickhouse.verification import VerifiedScope, differences
from streams.cli import run
from streams.cli.work.verify import verdict
from streams.kafka.client import administration, client_options
from streams.kafka.publisher import STRUCTURED
from streams.kafka.topics import partition_counts
from streams.rebuild.journal import owner
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode
from streams.warehouse import clickhouse_of
from tests.support.workers import POLL_S, fresh_settings, publish, query, wait_until_counted, worker
from tests.system.test_verify import DAY, DISTRICTS, DONE, case, cases, change, publish_disorder, traffic

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def counted(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A topic that a worker has counted to its end; no worker runs any more."""
    settings = fresh_settings("rebuild", kafka, clickhouse, partitions=2)
    asyncio.run(publish_disorder(settings, cases(1, 300)))
    log = tmp_path_factory.mktemp("rebuild") / "worker.log"
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
    return settings


def frontdesk(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logging.getLogger(), "handlers", list(logging.getLogger().handlers))  # the command sets up its own
    return run([*arguments])


def rows(settings: Settings, table: str, columns: tuple[str, ...], database: str = "") -> list[tuple[Any, ...]]:
    named = ", ".join(f"`{c}`" for c in columns)
    of = f"{database}.{table}" if database else table
    return query(settings, f"SELECT {named} FROM {of} FINAL WHERE {'contact_n > 0' if table == 'windows' else '1'} ORDER BY ALL")


def everything(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    return {t: rows(settings, t, c) for t, c in {"events": EVENT_COLUMNS, "cases": CASE_COLUMNS, "windows": WINDOW_COLUMNS}.items()}


OF_THE_LOG = {"partition", "offset", "produced_at", "backfill", "version", "last_offset", "as_of"}
"""Columns that tell how an event came, not what is known."""


def known(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    columns = {"events": EVENT_COLUMNS, "cases": CASE_COLUMNS}
    return {table: rows(settings, table, tuple(c for c in names if c not in OF_THE_LOG)) for table, names in columns.items()}


def said_by(settings: Settings) -> list[list[tuple[Any, ...]]]:
    """Cases and windows, as readers see them; each window as of the same minute, since nobody works."""
    return [rows(settings, "cases", CASE_COLUMNS), rows(settings, "windows", tuple(c for c in WINDOW_COLUMNS if c not in OF_THE_LOG))]


def different(settings: Settings) -> list[Any]:
    with clickhouse_of(settings).connect() as client:
        return list(differences(client))


def test_damaged_cases_and_windows_come_right(
    counted: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = everything(counted)
    change(
        counted,
        f"ALTER TABLE cases DELETE WHERE subject IN ('case-4', 'case-5') {DONE}",
        f"ALTER TABLE windows DELETE WHERE scope = 'school' {DONE}",
        "INSERT INTO cases SELECT * REPLACE (reopens + 3 AS reopens, version + 1 AS version) FROM cases FINAL WHERE subject = 'case-7'",
    )
    assert different(counted) != []
    assert frontdesk(counted, monkeypatch, "rebuild") == ExitCode.DIFFERENCE
    said = capsys.readouterr()
    assert "cases: for example district-5 " in said.out
    assert "`frontdesk rebuild --yes` switches to them" in said.err
    assert different(counted) != []
    assert frontdesk(counted, monkeypatch, "rebuild", "--yes") == ExitCode.OK
    assert different(counted) == []
    now = everything(counted)
    assert now["cases"] == whole["cases"]
    assert now["events"] == whole["events"]
    assert frontdesk(counted, monkeypatch, "rebuild", "--status") == ExitCode.OK
    assert frontdesk(counted, monkeypatch, "rebuild", "--drop-old") == ExitCode.OK


def test_a_damaged_archive_comes_right_from_the_topic(
    counted: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = everything(counted)
    change(
        counted,
        f"ALTER TABLE events DELETE WHERE subject IN ('case-4', 'case-5') {DONE}",
        f"ALTER TABLE events UPDATE needs_reply = 0 WHERE id = 'case-9-contact' {DONE}",
        f"ALTER TABLE cases DELETE WHERE subject IN ('case-4', 'case-5') {DONE}",
    )
    assert frontdesk(counted, monkeypatch, "rebuild", "--from", "topic") == ExitCode.DIFFERENCE
    assert frontdesk(counted, monkeypatch, "rebuild", "--yes", "--from", "events") == ExitCode.REFUSED
    assert "reads from topic, not events" in capfd.readouterr().err
    assert frontdesk(counted, monkeypatch, "rebuild", "--yes") == ExitCode.OK, capfd.readouterr().err
    now = everything(counted)
    assert (now["events"], now["cases"]) == (whole["events"], whole["cases"])
    assert verdict(counted, VerifiedScope()) == ExitCode.OK, capfd.readouterr().out


def test_it_is_given_up_without_a_trace(counted: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    whole = everything(counted)
    change(counted, f"ALTER TABLE cases DELETE WHERE subject = 'case-4' {DONE}")
    damaged = everything(counted)
    assert frontdesk(counted, monkeypatch, "rebuild", "--dry-run") == ExitCode.OK
    assert "begins rebuild" in capfd.readouterr().out
    assert frontdesk(counted, monkeypatch, "rebuild") == ExitCode.DIFFERENCE
    held_by(counted, owner())
    for another in ("--yes", "--abandon"):
        assert frontdesk(counted, monkeypatch, "rebuild", another) == ExitCode.REFUSED
        assert "is at work on it" in capfd.readouterr().err
    held_by(counted, "")
    assert frontdesk(counted, monkeypatch, "rebuild", "--abandon") == ExitCode.OK
    assert frontdesk(counted, monkeypatch, "rebuild", "--abandon") == ExitCode.USAGE
    assert everything(counted) == damaged
    assert frontdesk(counted, monkeypatch, "rebuild", "--yes") == ExitCode.OK
    assert everything(counted)["cases"] == whole["cases"]
    assert frontdesk(counted, monkeypatch, "rebuild", "--drop-old") == ExitCode.OK
    assert frontdesk(counted, monkeypatch, "rebuild", "--status", "--yes") == ExitCode.USAGE


def held_by(settings: Settings, who: str) -> None:
    with clickhouse_of(settings).connect() as client:
        last = newest(client)
        assert last is not None
        record(client, last, owner=who)


# -- another log ----------------------------------------------------------------------------------------------------------
async def made_again(settings: Settings, topic: str, partitions: int) -> None:
    """Delete a topic and make it again with so many partitions."""
    async with administration(settings) as admin:
        await admin.delete_topics([topic])
        while topic in await partition_counts(admin):  # noqa: ASYNC110 - brokers tell nobody
            await asyncio.sleep(0.1)
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs={"retention.ms": "-1"})])


async def with_more_partitions(settings: Settings, partitions: int) -> None:
    async with administration(settings) as admin:
        await admin.create_partitions({settings.topic: NewPartitions(partitions)})


@pytest.mark.parametrize("way", ["made again", "more partitions", "changelog lost"])
def test_another_topic_is_refused_then_rebuilt_and_the_worker_goes_on(  # noqa: PLR0917 - fixtures
    way: str,
    kafka: Kafka,
    clickhouse: ClickHouseServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings, log = (
        fresh_settings(f"rebuild_{way.replace(' ', '_')}", kafka, clickhouse, partitions=2, session_timeout_s=6),
        tmp_path / "log",
    )
    events = cases(3, 150)
    asyncio.run(publish_disorder(settings, events))
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
    before = known(settings)

    more, source = settings.model_copy(update={"partitions": 5}), ()
    if way == "made again":
        asyncio.run(made_again(settings, settings.topic, 5))
        asyncio.run(publish_disorder(more, events[: len(events) // 2]))  # the others are in the archive only
    elif way == "more partitions":
        asyncio.run(with_more_partitions(settings, 5))
    else:
        more, source = settings, ("--from", "log")
        asyncio.run(made_again(settings, settings.changelog_topic, 2))
    assert frontdesk(more, monkeypatch, "worker") == ExitCode.REFUSED
    told = capfd.readouterr().err
    assert ("`frontdesk rebuild --from log` computes the state again" if source else "`frontdesk rebuild` counts it anew") in told

    if not source:
        assert frontdesk(more, monkeypatch, "rebuild", "--from", "events") == ExitCode.REFUSED
    if way == "made again":
        source = ("--from", "log+events")
        killed(more, "the new log is half counted", *source)
        assert known(more) == before, "readers have the old tables"
    assert frontdesk(more, monkeypatch, "rebuild", "--yes", *source) == ExitCode.OK
    said = capfd.readouterr()
    assert known(more) == before, said.out + said.err
    assert {epoch for (epoch,) in query(more, "SELECT toUInt16(bitShiftRight(version, 112)) FROM cases")} == {2}

    asyncio.run(publish(more, cases(4, 50, "later"), STRUCTURED))
    with worker(more, log) as child:
        wait_until_counted(more, child, log)
    assert len(known(more)["cases"]) == len(before["cases"]) + 50
    assert verdict(more, VerifiedScope()) == ExitCode.OK, capfd.readouterr().out
    assert frontdesk(more, monkeypatch, "migrate") == ExitCode.OK


# -- killed, read and written to meanwhile --------------------------------------------------------------------------------
KILLED = """
import os, signal, sys
import streams.rebuild.archive as archive
import streams.worker.batch_writer as batch_writer
from sinks.clickhouse import staging
from streams.cli import run
from streams.rebuild.journal import Journal

def after(count, work):
    done = []
    def counted(*given, **named):
        result = work(*given, **named)
        done.append(1)
        if len(done) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return counted

archive.ROWS_AT_ONCE = 1
{patch}
sys.exit(run(["rebuild", "--yes", *{arguments!r}]))
"""
KILL_POINTS = {
    "half of the districts are done": "Journal.note = after(4, Journal.note)",
    "one of two tables is switched": "staging.exchange = after(1, staging.exchange)",
    "both are switched": "staging.exchange = after(2, staging.exchange)",
    "the new log is half counted": "batch_writer.tables_of = after(2, batch_writer.tables_of)",
}


def killed(settings: Settings, point: str, *arguments: str) -> None:
    """Run a rebuild that kills itself there."""
    code = KILLED.format(patch=KILL_POINTS[point], arguments=list(arguments))
    ended = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment_of(settings), check=False, capture_output=True, timeout=120
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def damage(settings: Settings) -> None:
    change(
        settings,
        f"ALTER TABLE cases DELETE WHERE district = 'district-1' {DONE}",
        f"ALTER TABLE windows UPDATE contact_n = contact_n + 1 WHERE scope = 'school' {DONE}",
    )


@pytest.mark.parametrize("point", [point for point in KILL_POINTS if "log" not in point])
def test_killed_and_resumed_it_is_the_same(
    counted: Settings, point: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = said_by(counted)
    damage(counted)
    killed(counted, point)
    begun = query(counted, "SELECT max(number) FROM rebuilds")
    done_to = query(counted, "SELECT argMax(done_to, version) FROM rebuilds WHERE number = (SELECT max(number) FROM rebuilds)")
    assert (point != "half of the districts are done") or done_to > [("",)]
    assert frontdesk(counted, monkeypatch, "rebuild", "--yes") == ExitCode.OK, capfd.readouterr().err
    assert query(counted, "SELECT max(number) FROM rebuilds") == begun
    assert said_by(counted) == whole
    assert frontdesk(counted, monkeypatch, "rebuild", "--drop-old") == ExitCode.OK
    assert query(counted, "SELECT count() FROM system.databases WHERE name LIKE 'rebuild\\_\\_rebuild%'") == [(0,)]


def test_while_a_worker_counts_and_somebody_reads(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings, log = fresh_settings("rebuild_live", kafka, clickhouse, partitions=2), tmp_path / "worker.log"
    asyncio.run(publish_disorder(settings, cases(5, 200)))
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
        change(
            settings,
            "INSERT INTO cases SELECT * REPLACE (reopens + 9 AS reopens, version + 1 AS version) FROM cases FINAL WHERE subject = 'case-7'",
        )
        with traffic(settings), reader(settings) as seen:
            for source in ("events", "topic"):
                assert frontdesk(settings, monkeypatch, "rebuild", "--yes", "--from", source) == ExitCode.OK, capfd.readouterr().err
        wait_until_counted(settings, child, log)
        wait_for(lambda: '"rebuild": 2' in log.read_text())
        assert query(settings, "SELECT count() > 0 FROM windows_history") == [(1,)]
        assert verdict(settings, VerifiedScope()) == ExitCode.OK, capfd.readouterr().out
    counts = [cases_n for cases_n, _ in seen]
    contacts = [contacts_n for _, contacts_n in seen]
    assert len(seen) > 10
    assert min(counts) >= 200
    assert min(contacts) >= 150


@contextmanager
def reader(settings: Settings) -> Iterator[list[tuple[int, int]]]:
    """(cases, contacts of 28 days) as somebody sees them who asks all the time, until the block is left."""
    over, seen = threading.Event(), list[tuple[int, int]]()
    contacts = "SELECT sum(contact_n) FROM windows FINAL WHERE window = '28d' AND scope = 'district'"
    asked = f"SELECT (SELECT count() FROM cases FINAL WHERE is_deleted = 0), ({contacts})"

    def ask() -> None:
        while not over.is_set():
            seen.extend(query(settings, asked))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield seen
    finally:
        over.set()
        asking.join()


# -- a rule that changed in the past --------------------------------------------------------------------------------------
def directory(folder: Path, revision: int, response: str) -> Path:
    """An invented one."""
    file = folder / f"{revision}.yaml"
    hours = "hours: {monday: 08:00-16:00, wednesday: 08:00-16:00}"
    targets = f"targets:\n  routine: {{response: {response}, resolution: 27 business hours}}"
    file.write_text(f"revision: {revision}\nzone: UTC\n{hours}\n{targets}\n")
    return file


async def publish_of_old(settings: Settings, count: int) -> None:
    """Cases of over a year ago, in records of that time: cases that are forgotten once newer records come."""
    chance, long_ago = random.Random(6), time.time_ns() // 1_000_000 - 550 * DAY
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    try:
        for number in range(count):
            for district, value in case(chance, DISTRICTS[number % 6], f"old-{number}", long_ago):
                home = partition_of(district, settings.partitions)
                await producer.send_and_wait(settings.topic, value, partition=home, timestamp_ms=long_ago, headers=STRUCTURED)
    finally:
        await producer.stop()


def tombstones(settings: Settings) -> int:
    """How often a case was forgotten."""

    async def counted() -> int:
        consumer = AIOKafkaConsumer(**client_options(settings), auto_offset_reset="earliest")
        places = [TopicPartition(settings.changelog_topic, number) for number in range(settings.partitions)]
        await consumer.start()
        try:
            consumer.assign(places)
            ends, found = await consumer.end_offsets(places), 0
            for place in places:
                while await consumer.position(place) < ends[place]:
                    records = (await consumer.getmany(place, timeout_ms=500)).get(place, [])
                    found += sum(record.value is None for record in records)
        finally:
            await consumer.stop()
        return found

    return asyncio.run(counted())


def wait_for(condition: Callable[[], bool], within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(POLL_S)


def test_after_a_changed_rule_it_equals_a_fresh_run(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = fresh_settings("rebuild_rule", kafka, clickhouse, partitions=2, directory=directory(tmp_path, 1, "4 business hours"))
    later = settings.model_copy(update={"directory": directory(tmp_path, 2, "9 business hours")})
    asyncio.run(publish_of_old(settings, 60))
    asyncio.run(publish_disorder(settings, cases(7, 100)))
    with worker(settings, log := tmp_path / "first.log") as child:
        wait_until_counted(settings, child, log)
    with worker(settings, tmp_path / "second.log"):
        wait_for(lambda: tombstones(settings) > 30)
    with worker(later, tmp_path / "third.log"):
        wait_for(lambda: query(later, "SELECT min(directory_revision) FROM cases FINAL WHERE subject LIKE 'case%'") == [(2,)])
    forgotten = "SELECT count() FROM cases FINAL WHERE directory_revision = 1 AND response_due_at IS NOT NULL"
    assert query(later, forgotten) > [(30,)], "all cases are remembered: this shows nothing"
    assert frontdesk(settings, monkeypatch, "rebuild", "--yes") == ExitCode.REFUSED
    assert frontdesk(later, monkeypatch, "rebuild", "--yes") == ExitCode.OK, capfd.readouterr().err

    fresh = later.model_copy(
        update={
            "clickhouse_database": "rebuild_rule_fresh",
            "changelog_topic": "rebuild_rule_fresh-changelog",
            "group": "rebuild_rule_fresh",
        }
    )
    assert frontdesk(fresh, monkeypatch, "migrate") == ExitCode.OK
    with worker(fresh, tmp_path / "fresh.log") as child:
        wait_until_counted(fresh, child, tmp_path / "fresh.log")
    assert known(later) == known(fresh)
    assert different(later) == []
