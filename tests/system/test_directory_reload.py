"""A snow day that is declared in the afternoon, and a file with a mistake, on real servers with real workers."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import tail
from events.directory import Directory
from events.partition import partition_of
from sinks.clickhouse.verification import differences
from streams.kafka.publisher import STRUCTURED
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from tests.support.workers import fresh_settings, publish, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]

WITHIN_S = 90
TODAY = datetime.now(UTC).date()
OPEN = "08:00-16:00"
WEEK = ", ".join(f"{day}: {OPEN}" for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
DISTRICTS = ("riverside", "hillside", "lakeside")
SCHOOLS = ("north", "south")


def text(revision: int, snow_days: str = "[]") -> str:
    """An invented directory: open every day, in UTC, so that it does not matter on which day this runs."""
    return f"""
revision: {revision}
zone: UTC
hours: {{{WEEK}}}
targets:
  any: {{response: 8 business hours, resolution: 40 business hours}}
districts:
  riverside: {{schools: {{north: {{name: North, snow_days: {snow_days}}}, south: {{name: South}}}}}}
  hillside: {{schools: {{north: {{name: North}}}}, departments: {{bus: {{hours: {{sunday: 10:00-12:00, wednesday: 10:00-18:00}}}}}}}}
"""


def history() -> list[tuple[str, bytes]]:
    """Contacts of the last days, some of them answered, in three districts of which one is not listed."""
    told = []
    for number in range(240):
        at = datetime.now(UTC) - timedelta(hours=number % 60, minutes=7)
        district, school, subject = DISTRICTS[number % 3], SCHOOLS[number // 3 % 2], f"case-{number}"
        data: dict[str, Any] = {"district": district, "school": school, "department": "bus" if number % 5 == 0 else "office"}
        told.append((district, event("contact", subject, at, data | {"stakeholder": f"s-{number % 50}"})))
        if number % 4 == 0:
            told.append((district, event("reply", subject, at + timedelta(minutes=5), data)))
    return told


def event(kind: str, subject: str, at: datetime, data: dict[str, Any]) -> bytes:
    envelope = {"specversion": "1.0", "id": f"{subject}-{kind}", "source": "/invented", "type": f"org.frontdesk.{kind}.v1"}
    return json.dumps(envelope | {"subject": subject, "time": at.isoformat().replace("+00:00", "Z"), "data": data}).encode()


def until(condition: Callable[[], bool], *logs: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "\n".join(map(tail, logs))
        time.sleep(0.1)


def said(log: Path, what: str) -> list[dict[str, Any]]:
    """The lines of a worker's log about something."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == what]


def deadlines(settings: Settings) -> dict[tuple[str, str, str], tuple[Any, Any]]:
    rows = query(settings, "SELECT district, school, subject, response_due_at, resolution_due_at FROM cases FINAL WHERE is_deleted = 0")
    return {tuple(row[:3]): tuple(row[3:]) for row in rows}  # type: ignore[misc] # three texts, two instants


def found(settings: Settings) -> list[str]:
    with clickhouse_of(settings).connect() as client:
        return [str(difference) for difference in differences(client)]


def test_a_snow_day_moves_deadlines_of_its_school_and_says_so(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path) -> None:
    assert len({partition_of(district, 2) for district in DISTRICTS}) == 2
    file = tmp_path / "directory.yaml"
    file.write_text(text(1), "utf-8")
    settings = fresh_settings("snow", kafka, clickhouse, partitions=2, directory=file, log_format="json", clock="record")
    asyncio.run(publish(settings, history(), STRUCTURED))
    logs = tmp_path / "one.log", tmp_path / "two.log"
    with worker(settings, logs[0]) as one, worker(settings, logs[1]) as two:
        workers = (one, two)
        wait_until_counted(settings, one, logs[0], WITHIN_S)
        until(lambda: all(said(log, "worker starts") for log in logs), *logs)
        before = deadlines(settings)
        assert found(settings) == []

        # a slip of the pen first: both say what is wrong, and go on
        file.write_text(text(2, "[tomorrow]"), "utf-8")
        for child in workers:
            os.kill(child.identity.pid, signal.SIGHUP)
        until(lambda: all(said(log, "directory refused: the old one stays in force") for log in logs), *logs)
        refused = said(logs[0], "directory refused: the old one stays in force")[0]
        assert "districts.riverside.schools.north.snow_days.0: is not a date" in refused["why"][0]
        assert deadlines(settings) == before

        # now the snow day, of today and tomorrow, at one school
        days = f"[{TODAY}, {TODAY + timedelta(days=1)}]"
        file.write_text(text(2, days), "utf-8")
        for child in workers:
            os.kill(child.identity.pid, signal.SIGHUP)
        until(lambda: {row[0] for row in query(settings, "SELECT DISTINCT directory_revision FROM cases FINAL")} == {2}, *logs)
        until(lambda: all(said(log, "restated under another directory") for log in logs), *logs)
        after = deadlines(settings)
        moved = {key for key in before if before[key] != after[key]}
        assert moved
        assert {key[:2] for key in moved} == {("riverside", "north")}
        promised = Directory.parse(text(2, days)).terms("riverside", "north", "office", "routine", "", "", 0)
        for *key, received in query(
            settings,
            "SELECT district, school, subject, toUnixTimestamp64Milli(received_at) FROM cases FINAL WHERE is_deleted = 0"
            " AND district = 'riverside' AND school = 'north'",
        ):
            assert after[tuple(key)][0].timestamp() * 1000 == promised.response_due(received)  # type: ignore[index] # as above
        restated = [said(log, "restated under another directory")[-1] for log in logs]
        assert sum(line["of"] for line in restated) == 240
        assert sum(line["deadlines_moved"] for line in restated) == sum(
            old != new for key in before for old, new in zip(before[key], after[key], strict=True)
        )
        assert {name for line in restated for name in line["schools"]} == {"riverside north"}
        until(lambda: found(settings) == [], *logs)

        # and events go on under it
        later = event("contact", "later", datetime.now(UTC), {"district": "riverside", "school": "north"})
        asyncio.run(publish(settings, [("riverside", later)], STRUCTURED))
        wait_until_counted(settings, one, logs[0], WITHIN_S)
        until(lambda: found(settings) == [], *logs)
        assert one.alive()
        assert two.alive()
