"""Personal data in webhooks and events: none of it is found in Kafka, ClickHouse, dead letters, logs or metrics."""

import asyncio
from pathlib import Path

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from streams.intake.token_file import new_id
from tests.support.intakes import STRUCTURED, event, free_port, get, intake, post, wire
from tests.support.webhooks import CHATWOOT, PRIVATE, ZENDESK
from tests.support.workers import fresh_settings, query, wait_until_counted, worker
from tests.system.test_publish import records_of

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]
FOLDER = Path(__file__).parents[2] / "docs" / "mappings" / "webhooks"
JSON = {"content-type": "application/json"}


def test_nothing_private_is_found_anywhere(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path) -> None:
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_bytes(b"an invented key, 32 bytes long..")
    names = {"intake_port": free_port(), "intake_hooks": FOLDER, "pseudonym_key": tmp_path / "key"}
    settings = fresh_settings(f"private_{new_id()}", kafka, clickhouse, **names)
    log, worker_log = tmp_path / "intake.log", tmp_path / "worker.log"
    broken = [{"type": word, "detail": {"id": word}, "time": word, "event": word} for word in PRIVATE]
    with intake(settings, log), worker(settings, worker_log) as child:
        answers = [post(settings, wire(each), JSON, "/hooks/zendesk") for each in [*ZENDESK, *broken]]
        answers += [post(settings, wire(each), JSON, "/hooks/chatwoot") for each in [*CHATWOOT, *broken]]
        answers += [post(settings, wire(event(n, note=word)), STRUCTURED) for n, word in enumerate(PRIVATE)]
        answers += [post(settings, wire(event(100 + n, **{word: "x"})), STRUCTURED) for n, word in enumerate(PRIVATE)]
        answers += [post(settings, wire({"id": word, "data": word}), STRUCTURED) for word in PRIVATE]
        metrics = get(settings, "/metrics")[1].decode()
        wait_until_counted(settings, child, worker_log)
    assert {status for status, _ in answers} == {202, 422}
    tables = [query(settings, f"SELECT * FROM {name}") for name in ("events", "cases", "windows", "dead_letters")]
    topics = [settings, settings.model_copy(update={"topic": settings.dead_letter_topic})]
    records = [(record.key, record.value, record.headers) for each in topics for record in asyncio.run(records_of(each))]
    places = {
        "answers": repr([told for _, told in answers]),
        "metrics": metrics,
        "log": log.read_text(),
        "worker's log": worker_log.read_text(),
        "ClickHouse": repr(tables),
        "Kafka": repr(records),
    }
    assert len(tables[0]) == 5 + 2 - 1 + 7 + 2 * len(PRIVATE), "the events of both webhooks and of the contract are there"
    assert [(place, word) for place, text in places.items() for word in PRIVATE if word in text] == []
