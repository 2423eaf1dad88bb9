"""The help desk's log through `frontdesk import`, by its mapping alone: every number, also twice, and killed half way."""

import asyncio
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import launch, tail, until
from streams.cli.work.import_.rows import rows_of
from streams.kafka.backlog import backlog
from streams.mapping.mapping import Table, read_mapping
from streams.mapping.translation import Translation
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from tests.acceptance.test_helpdesk import INVENTED, stored
from tests.support import helpdesk
from tests.support.helpdesk import summaries
from tests.support.workers import fresh_settings, query, wait_until_counted, worker
from tests.system.test_publish import records_of

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]
MAPPING = Path(__file__).with_name("helpdesk.yaml")


@pytest.fixture(params=["invented", "real"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, dict[str, Any]]:
    """Name, file, numbers. The invented log is made long enough to be killed within."""
    if request.param == "real":
        if "FRONTDESK_DATA" not in os.environ:
            pytest.skip("no FRONTDESK_DATA: set it to a folder with helpdesk/helpdesk.csv.gz and helpdesk/expected.json")
        folder = Path(os.environ["FRONTDESK_DATA"]) / "helpdesk"
        file = tmp_path / "helpdesk.csv.gz"
        file.write_bytes((folder / "helpdesk.csv.gz").read_bytes())
        return request.param, file, json.loads((folder / "expected.json").read_text())
    heading, *lines = INVENTED.read_text().splitlines()
    file = tmp_path / "helpdesk.csv.gz"
    longer = [line.replace("Case ", f"Case {copy}00", 1) for copy in range(30) for line in lines]
    file.write_bytes(gzip.compress("\n".join([heading, *longer, ""]).encode()))
    return request.param, file, summaries(helpdesk.rows_of(file))


def command(file: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "streams.cli", "import", str(file), "--mapping", str(MAPPING), "--backfill", *options]


def imported(settings: Settings, file: Path, *options: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")} | environment_of(settings)
    run = subprocess.run(command(file, *options), env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stderr


def test_every_number_by_mapping_alone_killed_half_way_and_twice(
    log: tuple[str, Path, dict[str, Any]], kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    name, file, expected = log
    settings = fresh_settings(f"import_{name}", kafka, clickhouse)
    killed = launch(command(file), tmp_path / "killed.log", outlive=False, environment=environment_of(settings))
    journal = file.with_name(f"{file.name}.import-progress")
    try:
        assert until(lambda: rows_sent(journal) > 0 or not killed.alive(), 120)
        killed.kill()
    finally:
        killed.stop()
    assert journal.exists(), f"killed too late or too early:\n{tail(tmp_path / 'killed.log')}"

    told = imported(settings, file)
    assert "were sent before: going on after them" in told
    assert not journal.exists()
    with worker(settings, tmp_path / "worker.log") as child:
        wait_until_counted(settings, child, tmp_path / "worker.log", within_s=180)
        assert stored(settings, expected) == expected
        once = query(settings, "SELECT count() FROM events FINAL")
        produced = asyncio.run(backlog(settings)).produced

        imported(settings, file)
        assert asyncio.run(backlog(settings)).produced == produced + once[0][0]
        wait_until_counted(settings, child, tmp_path / "worker.log", within_s=180)
    assert stored(settings, expected) == expected
    assert query(settings, "SELECT count() FROM events FINAL") == once


def test_a_demonstration_ends_now_on_the_same_weekday_and_hour(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path) -> None:
    settings = fresh_settings("import_shifted", kafka, clickhouse)
    file = tmp_path / "helpdesk.csv"
    shutil.copy(INVENTED, file)
    still = sorted(times_of(file))
    imported(settings, file, "--shift-to-now")
    moved = sorted(time_of(json.loads(record.value)) for record in asyncio.run(records_of(settings)))
    [by] = {after - before for before, after in zip(still, moved, strict=True)}
    assert by % timedelta(weeks=1) == timedelta()
    assert timedelta() <= datetime.now(UTC) - moved[-1] < timedelta(weeks=1)


def rows_sent(journal: Path) -> int:
    return int(json.loads(journal.read_bytes())["rows"]) if journal.exists() else 0


def times_of(file: Path) -> Iterator[datetime]:
    translation = Translation(read_mapping(MAPPING), None)
    for line, row in rows_of(file, Table()):
        assert isinstance(row, dict)
        translated = translation.events(row, line)
        translation.remember(translated)
        yield from (time_of(told.event) for told in translated.emitted)


def time_of(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])
