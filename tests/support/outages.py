"""What tests of outages share: a worker with its health pages, as an operator sees it, and a little traffic that goes on."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.port import chosen
from deploy.embedded.process import Child, tail
from events.partition import partition_of
from sinks.clickhouse.verification import differences
from streams.kafka.client import administration, client_options
from streams.kafka.publisher import STRUCTURED
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from tests.support.workers import POLL_S, query, wait_until_counted, worker

WITHIN_S = 60.0
DISTRICTS = ("riverside", "hillside", "lakeside", "woodside")
HOUR_S = 3_600
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_for(condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    """What the condition gives once it is true."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(POLL_S)
    return found


@dataclass
class Watched:
    """A worker process, and what an operator sees of it."""

    settings: Settings
    child: Child
    log: Path

    def page(self, path: str) -> str:
        """What it answers, whatever the status; '' while nobody answers."""
        try:
            with NO_PROXY.open(f"http://127.0.0.1:{self.settings.metrics_port}{path}", timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            return refusal.read().decode()
        except OSError:
            return ""

    def reasons(self) -> list[str] | None:
        """Why it is not ready; [] when it is, None while it does not answer."""
        page = self.page("/health/ready")
        return list(json.loads(page)["reasons"]) if page else None

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        families = text_string_to_metric_families(self.page("/metrics"))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def is_ready(self) -> bool:
        assert self.child.alive(), f"the worker ended:\n{tail(self.log)}"
        return self.reasons() == []

    def wait_until_ready(self) -> None:
        wait_for(self.is_ready, "ready")

    def wait_for_reason(self, words: str) -> str:
        """The reason with these words."""

        def found() -> str | None:
            assert self.child.alive(), f"the worker ended:\n{tail(self.log)}"
            return next((reason for reason in self.reasons() or () if words in reason), None)

        return str(wait_for(found, f"{words!r} in {self.reasons()}"))

    def wait_until_counted(self) -> None:
        wait_until_counted(self.settings, self.child, self.log)

    def ended(self, within_s: float = WITHIN_S) -> tuple[int, str]:
        """Exit code and last line, once it has ended by itself."""
        wait_for(lambda: not self.child.alive(), "the worker ends", within_s)
        process = self.child._process
        assert isinstance(process, psutil.Popen)
        return int(process.poll()), tail(self.log, lines=1)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log that tell this."""
        entries = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [entry for entry in entries if entry["event"] == event]

    def members(self) -> set[str]:
        """Ids of the group's members."""
        return asyncio.run(_members(self.settings))


@contextmanager
def watched(settings: Settings, log: Path) -> Iterator[Watched]:
    """A worker with health pages; ended whatever happens."""
    port = chosen(("health",), {})["health"]
    with_port = settings.model_copy(update={"metrics_port": port, "log_format": "json"})
    with worker(with_port, log) as child:
        yield Watched(with_port, child, log)


async def _members(settings: Settings) -> set[str]:
    async with administration(settings) as admin:
        [response] = await admin.describe_consumer_groups([settings.group])
    return {member[0] for group in response.groups for member in group[5]}


# -- traffic ---------------------------------------------------------------------------------------------------------------
@dataclass
class Traffic:
    """Contacts and replies of four districts, an hour and more ago, each case with a number of its own. `padding` makes them large."""

    settings: Settings
    padding: int = 0
    sent: int = field(default=0)

    def send(self, cases: int) -> None:
        """A contact and a reply for each of so many new cases. Makes no topics."""
        asyncio.run(self._send([event for n in range(self.sent // 2, self.sent // 2 + cases) for event in self._case(n)]))

    async def _send(self, events: list[tuple[str, bytes]]) -> None:
        async with AIOKafkaProducer(**client_options(self.settings), max_request_size=4 << 20, linger_ms=5) as producer:
            homes = {district: partition_of(district, self.settings.partitions) for district in DISTRICTS}
            acknowledged = [
                await producer.send(self.settings.topic, value, partition=homes[district], headers=STRUCTURED) for district, value in events
            ]
            await asyncio.gather(*acknowledged)
        self.sent += len(events)

    def _case(self, number: int) -> list[tuple[str, bytes]]:
        district = DISTRICTS[number % len(DISTRICTS)]
        at = time.time() // HOUR_S * HOUR_S - HOUR_S * (2 + number % 5) + number % 1800
        data = {"district": district, "school": f"school-{number % 3}", "department": f"department-{number % 2}"}
        data |= {"padding": "x" * self.padding} if self.padding else {}
        return [(district, _event(f"case-{number}", kind, at + later, data)) for kind, later in (("contact", 0), ("reply", 90))]


def _event(subject: str, kind: str, at_s: float, data: dict[str, Any]) -> bytes:
    event = {"specversion": "1.0", "id": f"{subject}.{kind}", "source": "/invented", "type": f"org.frontdesk.{kind}.v1"}
    event |= {"subject": subject, "time": datetime.fromtimestamp(at_s, UTC).isoformat()}
    return json.dumps(event | {"data": data}).encode()


def assert_exact(settings: Settings, sent: int) -> None:
    """Every event once, and every number what the events say."""
    assert query(settings, "SELECT count() FROM events FINAL") == [(sent,)]
    with clickhouse_of(settings).connect() as client:
        assert differences(client) == []
