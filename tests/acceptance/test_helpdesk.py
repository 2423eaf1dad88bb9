"""A real help desk's log through Kafka, Faust and ClickHouse gives exactly the numbers that a plain script computes.

The log is found by FRONTDESK_DATA; a small invented one ships beside this file, so that the test never only skips.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from sinks.clickhouse.verification import differences
from streams.kafka.publisher import STRUCTURED_BACKFILL
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from tests.support.helpdesk import events_of, rows_of, slug, spread, summaries, wire
from tests.support.workers import committed, fresh_settings, publish, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]
INVENTED = Path(__file__).parent / "invented.csv"
PLACES = {"product": "school", "workgroup": "department"}


def expected_of(log: str) -> tuple[list[tuple[str, bytes]], dict[str, Any]]:
    """The events of a log in its order, and its numbers."""
    if log == "invented":
        rows = rows_of(INVENTED)
        return [("padova", wire(e)) for e in events_of(rows)], summaries(rows)
    if "FRONTDESK_DATA" not in os.environ:
        pytest.skip("no FRONTDESK_DATA: set it to a folder with helpdesk/helpdesk.csv.gz and helpdesk/expected.json")
    folder = Path(os.environ["FRONTDESK_DATA"]) / "helpdesk"
    expected = json.loads((folder / "expected.json").read_text())
    return [("padova", wire(e)) for e in events_of(rows_of(folder / "helpdesk.csv.gz"))], expected


def stored(settings: Settings, expected: dict[str, Any]) -> dict[str, Any]:
    """The same numbers from `cases`."""
    out: dict[str, Any] = {"all": _summary(settings, "1")}
    for group, place in PLACES.items():
        out[group] = {name: _summary(settings, f"{place} = '{slug(name)}'") for name in expected[group]}
    return out


def _summary(settings: Settings, where: str) -> dict[str, Any]:
    [row] = query(
        settings,
        f"""SELECT sum(contacts), sum(replies), sum(resolutions), sum(reopens), uniqExact(stakeholder),
            groupArray(response_ms / 1000), groupArray(first_resolution_ms / 1000), groupArray(resolution_ms / 1000)
        FROM cases FINAL WHERE is_deleted = 0 AND ({where})""",
    )
    names = ("contacts", "replies", "resolutions", "reopens", "stakeholders", "first_response", "first_resolution", "resolution")
    return dict(zip(names, (*row[:5], *map(spread, row[5:])), strict=True))


@pytest.fixture(params=["invented", "real"])
def log(request: pytest.FixtureRequest) -> tuple[str, list[tuple[str, bytes]], dict[str, Any]]:
    return (request.param, *expected_of(request.param))


def test_every_number_of_the_log(
    log: tuple[str, list[tuple[str, bytes]], dict[str, Any]], kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    name, events, expected = log
    settings = fresh_settings(f"helpdesk_{name}", kafka, clickhouse)

    with worker(settings, tmp_path / "worker.log") as child:
        asyncio.run(publish(settings, events, STRUCTURED_BACKFILL))
        wait_until_counted(settings, child, tmp_path / "worker.log")

    assert stored(settings, expected) == expected
    assert query(settings, "SELECT count() FROM events FINAL") == [(len(events),)]


def test_the_same_when_shuffled_doubled_sent_by_two_and_killed_in_the_middle(
    log: tuple[str, list[tuple[str, bytes]], dict[str, Any]], kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    name, events, expected = log
    settings = fresh_settings(f"helpdesk_{name}_chaos", kafka, clickhouse, session_timeout_s=6)
    doubled = events * 2
    random.Random(4).shuffle(doubled)
    asyncio.run(_by_two(settings, doubled[: len(events)]))

    with worker(settings, tmp_path / "killed.log") as killed:
        deadline = time.monotonic() + 60
        while not committed(settings):
            assert killed.alive()
            assert time.monotonic() < deadline
        for batch in _parts(doubled[len(events) :], 5):
            asyncio.run(_by_two(settings, batch))
        killed.kill()
    assert committed(settings) < len(doubled), "killed too late: everything was counted"
    with worker(settings, tmp_path / "second.log") as second:
        wait_until_counted(settings, second, tmp_path / "second.log")

    assert stored(settings, expected) == expected
    assert query(settings, "SELECT count() FROM events FINAL") == [(len(events),)]
    with clickhouse_of(settings).connect() as client:
        assert differences(client) == []


async def _by_two(settings: Settings, events: list[tuple[str, bytes]]) -> None:
    await asyncio.gather(publish(settings, events[::2], STRUCTURED_BACKFILL), publish(settings, events[1::2], STRUCTURED_BACKFILL))


def _parts(events: list[tuple[str, bytes]], count: int) -> Iterator[list[tuple[str, bytes]]]:
    size = -(-len(events) // count)
    return (events[i : i + size] for i in range(0, len(events), size))
