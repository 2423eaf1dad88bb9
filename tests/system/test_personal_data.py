"""A district whose case numbers look like telephone numbers: refused at every door, then allowed, and all adds up afterwards."""

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import tail, until
from streams.cli import run
from streams.intake.token_file import new_id
from streams.kafka.publisher import STRUCTURED as IN_KAFKA
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode
from tests.support.intakes import STRUCTURED, event, free_port, intake, post, wire
from tests.support.workers import fresh_settings, publish, query, wait_until_counted, worker
from tests.system.test_publish import records_of

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]
NUMBER = "312-555-0147"


def contact(number: int, *, subject: str = NUMBER, **beside: str) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return wire(event(number) | {"subject": subject, "time": now} | beside)


def write_directory(file: Path, revision: int, allow: str) -> None:
    file.write_text(f"revision: {revision}\nzone: UTC\nhours: {{monday: '08:00-16:00'}}\ndistricts: {{riverside: {{{allow}}}}}\n")


def test_what_a_district_allows_is_taken_at_every_door_once_it_is_read(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file, lines, log, worker_log = (tmp_path / name for name in ("d.yaml", "events.ndjson", "intake.log", "worker.log"))
    write_directory(file, 1, "")
    settings = fresh_settings(f"allowed_{new_id()}", kafka, clickhouse, intake_port=free_port(), directory=file)
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    lines.write_bytes(contact(3, comexamplecaller=NUMBER) + b"\n")
    with intake(settings, log) as door, worker(settings, worker_log) as child:
        status, refused = post(settings, contact(1), STRUCTURED)
        assert (status, refused["events"][0]["reason"], refused["events"][0]["path"]) == (422, "personal_data", "$.subject")
        assert run(["publish", str(lines)]) == ExitCode.REFUSED
        assert ":1: personal_data $.subject: looks like a telephone number" in capfd.readouterr().err
        asyncio.run(publish(settings, [("riverside", contact(2))], IN_KAFKA))
        wait_until_counted(settings, child, worker_log)
        assert query(settings, "SELECT reason, path FROM dead_letters FINAL") == [("personal_data", "$.subject")]

        write_directory(file, 2, "allow: {subject: '[0-9]{3}-[0-9]{3}-[0-9]{4}'}")
        for process in (door, child):
            os.kill(process.identity.pid, signal.SIGHUP)
        assert until(lambda: "restated under another directory" in worker_log.read_text(), 60), tail(worker_log)
        assert until(lambda: post(settings, contact(1), STRUCTURED)[0] == 202, 60), tail(log)
        assert run(["publish", str(lines)]) == ExitCode.OK
        asyncio.run(publish(settings, [("riverside", contact(4))], IN_KAFKA))
        wait_until_counted(settings, child, worker_log)
        write_directory(file, 3, "")
        os.kill(door.identity.pid, signal.SIGHUP)
        assert until(lambda: post(settings, contact(5), STRUCTURED)[0] == 422, 60), tail(log)
        assert run(["verify"]) == ExitCode.OK, capfd.readouterr()
    assert query(settings, "SELECT id FROM events FINAL ORDER BY id") == [("e-1",), ("e-3",), ("e-4",)]
    records = {told["id"]: told for told in (json.loads(record.value) for record in asyncio.run(records_of(settings)))}
    assert "comexamplecaller" not in records["e-3"]
