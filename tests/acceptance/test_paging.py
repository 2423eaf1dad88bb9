"""From an event to the page, on real servers: Kafka, two workers, ClickHouse, Prometheus, Alertmanager, and a webhook that is called.

A critical contact that nobody answers is told within a minute of its breach, once, whatever happens to the workers, until it is
answered. History that is sent afterwards is told to nobody.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.port import chosen
from deploy.embedded.process import Child, tail, until
from streams.kafka.publisher import STRUCTURED, STRUCTURED_BACKFILL, Headers
from streams.settings import Settings
from tests.support.alarm import HURRIED, Alarms, Told, alarms
from tests.support.workers import fresh_settings, publish, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]

DIRECTORY = """
revision: 1
zone: Etc/UTC
route: families-first
hours:
  monday: 00:00-24:00
  tuesday: 00:00-24:00
  wednesday: 00:00-24:00
  thursday: 00:00-24:00
  friday: 00:00-24:00
  saturday: 00:00-24:00
  sunday: 00:00-24:00
targets:
  critical: {response: 1 calendar minutes}
"""
TARGET_S = 60.0
OLD_S = 35.0
"""The contact is so old when it is published: the rest of its minute is enough to see it waiting."""
TOLD_WITHIN_S = 60.0
PATIENCE_S = 120.0
"""For what no promise is about, on a machine that does other things too."""
OLD_CASES = 2_000
DAY_S = 86_400.0
PAGE = {"alertname": "CriticalContactMissed"}


@dataclass(frozen=True)
class Office:
    """Two workers that can be killed and started again on their ports, and the alarms that watch them."""

    settings: Settings
    alarms: Alarms
    folder: Path
    ports: tuple[int, int]
    stack: ExitStack
    workers: dict[int, Child]

    def start_worker(self, port: int) -> None:
        settings = self.settings.model_copy(update={"metrics_port": port})
        self.workers[port] = self.stack.enter_context(worker(settings, self.log(port)))

    def log(self, port: int) -> Path:
        return self.folder / f"worker-{port}.log"

    def kill_both(self) -> None:
        for child in self.workers.values():
            child.kill()
        self.workers.clear()

    def send(self, events: list[tuple[str, bytes]], headers: Headers = STRUCTURED) -> None:
        asyncio.run(publish(self.settings, events, headers))

    def wait_for(self, expression: str, within_s: float = PATIENCE_S) -> None:
        """Until Prometheus sees something."""
        assert until(lambda: self._are_well() and bool(self.alarms.query(expression)), within_s), self.why(expression)

    def _are_well(self) -> bool:
        """Fail as soon as a worker has ended that nobody killed."""
        assert all(child.alive() for child in self.workers.values()), self.why("workers that go on")
        return True

    def why(self, waited_for: str) -> str:
        logs = "\n".join(tail(self.log(port)) for port in self.ports)
        return f"waited in vain for {waited_for}; told so far: {self.alarms.told}\n{logs}"


@pytest.fixture(scope="module")
def office(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("paging")
    (folder / "directory.yaml").write_text(DIRECTORY)
    ports = chosen(["one", "other"], {})
    with ExitStack() as stack:
        settings = fresh_settings("paging", kafka, clickhouse, session_timeout_s=6, directory=folder / "directory.yaml")
        watching = stack.enter_context(alarms(folder, list(ports.values())))
        opened = Office(settings, watching, folder, (ports["one"], ports["other"]), stack, {})
        for port in opened.ports:
            opened.start_worker(port)
        opened.wait_for("count(frontdesk_ready == 1) == 2")
        opened.wait_for(f"sum(frontdesk_assigned_partitions) == {settings.partitions}")
        yield opened


def told(kind: str, subject: str, at: float, district: str, **data: Any) -> tuple[str, bytes]:
    event = {
        "specversion": "1.0",
        "id": f"{subject}-{kind}",
        "source": "/test",
        "type": f"org.frontdesk.{kind}.v1",
        "subject": subject,
        "time": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "data": {"district": district, **data},
    }
    return district, json.dumps(event).encode()


def history(until_s: float) -> list[tuple[str, bytes]]:
    """Contacts of the last year that were never answered, critical ones, the youngest of them two hours old."""
    ages = [7_200 + number * 365 * DAY_S / OLD_CASES for number in range(OLD_CASES)]
    place = {"district": "hillside", "school": "east", "department": "health", "priority": "critical"}
    return [told("contact", f"old-{number}", until_s - age, **place) for number, age in enumerate(ages)]


def test_a_backfill_of_old_history_pages_nobody(office: Office) -> None:
    office.send(history(time.time()), STRUCTURED_BACKFILL)
    port = office.ports[0]
    wait_until_counted(office.settings, office.workers[port], office.log(port))
    assert query(office.settings, "SELECT count() FROM cases FINAL WHERE response_due_at < now() AND answered_at IS NULL") == [(OLD_CASES,)]

    office.wait_for(f'frontdesk_open_episodes{{district="hillside", scope="district"}} == {OLD_CASES}')
    for _ in range(3):
        office.alarms.wait_for_rules(PATIENCE_S)

    assert office.alarms.value('sum(frontdesk_overdue_episodes{district="hillside"})') in {None, 0.0}
    assert office.alarms.query('ALERTS{district="hillside"}') == []
    assert office.alarms.about(concerns="promises") == []


def test_a_critical_contact_that_nobody_answers_pages_once_until_it_is_answered(office: Office) -> None:
    place = {"district": "lakeside", "school": "lincoln-high", "department": "transportation"}
    received_at = time.time() - OLD_S
    breached_at = received_at + TARGET_S
    office.send([told("contact", "case-1", received_at, **place, priority="critical")])

    def pages() -> list[Told]:
        return office.alarms.about(**PAGE)

    assert until(lambda: bool(pages()), breached_at - time.time() + PATIENCE_S), office.why("the page")
    [page] = pages()
    assert 0 <= page.at - breached_at <= TOLD_WITHIN_S
    assert (page.receiver, page.status) == ("pager", "firing")
    assert page.labels == {
        "alertname": "CriticalContactMissed",
        "severity": "page",
        "concerns": "promises",
        "district": "lakeside",
        "scope": "department",
        "department": "transportation",
        "stage": "breach",
        "at_least": "1",
        "route": "families-first",
    }
    [alert] = page.alerts
    assert alert["annotations"]["summary"].startswith("1 critical contact to transportation, lakeside: ")
    assert "Schools: lincoln-high (1)" in alert["annotations"]["description"]
    assert alert["annotations"]["dashboard"].endswith("/d/frontdesk-cell?var-district=lakeside&var-department=transportation")

    office.kill_both()
    office.wait_for('count(up{job="frontdesk"} == 0) == 2')
    office.wait_for('absent(frontdesk_district_open{district="lakeside"})')
    office.alarms.wait_for_rules(PATIENCE_S)
    for port in office.ports:
        office.start_worker(port)
    office.wait_for('frontdesk_district_open{district="lakeside"}')
    for _ in range(3):
        office.alarms.wait_for_rules(PATIENCE_S)
    office.wait_for('ALERTS{alertname="CriticalContactMissed", alertstate="firing"}')

    office.send([told("reply", "case-1", time.time(), "lakeside", author="a-1")])
    assert until(lambda: len(pages()) > 1, PATIENCE_S), office.why("the end of the page")
    assert [each.status for each in pages()] == ["firing", "resolved"]
    for _ in range(3):
        office.alarms.wait_for_rules(PATIENCE_S)
    assert [each.status for each in pages()] == ["firing", "resolved"], "it is told again after the answer"
    assert office.alarms.about(concerns="promises", severity="page") == pages(), "somebody is paged about something else"
    print(f"told {page.at - breached_at:.1f} s after the breach, {'with short intervals' if HURRIED else 'with the committed intervals'}")


def test_a_second_critical_contact_of_a_department_pages_as_soon_as_the_first(office: Office) -> None:
    place = {"district": "lakeside", "school": "lincoln-high", "department": "food", "priority": "critical"}

    def pages(at_least: str) -> list[Told]:
        return office.alarms.about(alertname="CriticalContactMissed", department="food", at_least=at_least)

    for at_least in ("1", "2"):
        received_at = time.time() - OLD_S
        office.send([told("contact", f"food-{at_least}", received_at, **place)])
        assert until(lambda n=at_least: bool(pages(n)), received_at + TARGET_S - time.time() + PATIENCE_S), office.why("the page")
        assert 0 <= pages(at_least)[0].at - (received_at + TARGET_S) <= TOLD_WITHIN_S
    assert pages("1")[0].at < pages("2")[0].at
