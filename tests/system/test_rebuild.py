"""`frontdesk rebuild` on real servers: what was damaged or has changed comes right, whoever works, reads or dies meanwhile."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, WINDOW_COLUMNS
from sinks.clickhouse.verification import Scope, differences
from streams.broker import client_options
from streams.cli import run
from streams.cli.configuration import environment_of
from streams.cli.outcome import ExitCode
from streams.cli.verdict import verdict
from streams.publisher import STRUCTURED
from streams.settings import Settings
from streams.topics import partition_counts
from streams.warehouse import clickhouse_of
from tests.system.test_verify import DONE, cases, change, publish_disorder
from tests.workers import fresh_settings, publish, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def counted(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A topic that a worker has counted to its end; no worker runs any more."""
    settings = fresh_settings("rebuild", kafka, clickhouse, partitions=2, session_timeout_s=6)
    asyncio.run(publish_disorder(settings, cases(1, 300)))
    log = tmp_path_factory.mktemp("rebuild") / "worker.log"
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
    return settings


def frontdesk(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
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


def different(settings: Settings) -> list[Any]:
    with clickhouse_of(settings).connect() as client:
        return list(differences(client))


def test_damaged_cases_and_windows_come_right(counted: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    whole = everything(counted)
    change(
        counted,
        f"ALTER TABLE cases DELETE WHERE subject IN ('case-4', 'case-5') {DONE}",
        f"ALTER TABLE windows DELETE WHERE scope = 'school' {DONE}",
        "INSERT INTO cases SELECT * REPLACE (reopens + 3 AS reopens, version + 1 AS version) FROM cases FINAL WHERE subject = 'case-7'",
    )
    assert different(counted) != []
    assert frontdesk(counted, monkeypatch, "rebuild") == 1
    said = capsys.readouterr()
    print(said.out, said.err)
    assert different(counted) != []
    assert frontdesk(counted, monkeypatch, "rebuild", "--yes") == 0
    said = capsys.readouterr()
    print(said.out, said.err)
    assert different(counted) == []
    now = everything(counted)
    assert now["cases"] == whole["cases"]
    assert now["events"] == whole["events"]
    assert verdict(counted, Scope()) == 0
    assert frontdesk(counted, monkeypatch, "rebuild", "--status") == 0
    assert frontdesk(counted, monkeypatch, "rebuild", "--drop-old") == 0


# -- another log ----------------------------------------------------------------------------------------------------------
async def made_again(settings: Settings, partitions: int) -> None:
    """Delete the topic of events and make it again with so many partitions."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await admin.delete_topics([settings.topic])
        while settings.topic in await partition_counts(admin):  # noqa: ASYNC110 - brokers tell nobody
            await asyncio.sleep(0.1)
        await admin.create_topics([NewTopic(settings.topic, partitions, 1, topic_configs={"retention.ms": "-1"})])
    finally:
        await admin.close()


async def with_more_partitions(settings: Settings, partitions: int) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await admin.create_partitions({settings.topic: NewPartitions(partitions)})
    finally:
        await admin.close()


@pytest.mark.parametrize("way", ["made again", "more partitions"])
def test_another_topic_is_refused_then_rebuilt_and_the_worker_goes_on(
    way: str,
    kafka: Kafka,
    clickhouse: ClickHouseServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings, log = fresh_settings(f"rebuild_{way.replace(' ', '_')}", kafka, clickhouse, partitions=2, session_timeout_s=6), tmp_path / "log"
    events = cases(3, 150)
    asyncio.run(publish_disorder(settings, events))
    with worker(settings, log) as child:
        wait_until_counted(settings, child, log)
    before = known(settings)

    more = settings.model_copy(update={"partitions": 5})
    if way == "made again":
        asyncio.run(made_again(settings, 5))
        asyncio.run(publish_disorder(more, events))
    else:
        asyncio.run(with_more_partitions(settings, 5))
    assert frontdesk(more, monkeypatch, "worker") == ExitCode.REFUSED
    assert "`frontdesk rebuild` counts it anew" in capfd.readouterr().err

    assert frontdesk(more, monkeypatch, "rebuild", "--from", "events") == ExitCode.REFUSED
    assert frontdesk(more, monkeypatch, "rebuild", "--yes") == ExitCode.OK
    said = capfd.readouterr()
    assert known(more) == before, said.out + said.err
    assert {epoch for (epoch,) in query(more, "SELECT toUInt16(bitShiftRight(version, 112)) FROM cases")} == {2}

    asyncio.run(publish(more, cases(4, 50, "later"), STRUCTURED))
    with worker(more, log) as child:
        wait_until_counted(more, child, log)
    assert len(known(more)["cases"]) == len(before["cases"]) + 50
    assert verdict(more, Scope()) == ExitCode.OK, capfd.readouterr().out
    assert frontdesk(more, monkeypatch, "migrate") == ExitCode.OK
