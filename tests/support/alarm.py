"""Real Prometheus and real Alertmanager on free ports, with the committed rules, routes and templates, and somebody who is told.

Only what belongs to a machine is changed: addresses, receivers, and, unless FRONTDESK_FULL=1, how long one waits, so that a
test takes seconds. With FRONTDESK_FULL=1 all intervals are those of the files.
"""

import json
import os
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from deploy.embedded.port import HOST, chosen
from deploy.embedded.process import launch, until, wait_ready
from tests.support.debian import debian

DEPLOY = Path(__file__).parents[2] / "deploy"
HURRIED = os.environ.get("FRONTDESK_FULL") != "1"
INTERVAL = "2s"
READY_S = 60.0


@dataclass(frozen=True)
class Told:
    """One notification as it arrived: when (s since the epoch), for whom, how it stands (firing, resolved), what."""

    at: float
    receiver: str
    status: str
    alerts: Sequence[dict[str, Any]]

    @property
    def labels(self) -> dict[str, str]:
        """Of its only alert."""
        [alert] = self.alerts
        return dict(alert["labels"])

    def says(self, **labels: str) -> bool:
        return any(labels.items() <= alert["labels"].items() for alert in self.alerts)


@dataclass
class Alarms:
    """What is running. Mutable: `told` grows as notifications arrive."""

    prometheus: str
    alertmanager: str
    told: list[Told]

    def about(self, **labels: str) -> list[Told]:
        return [each for each in self.told if each.says(**labels)]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant vector: [{"metric": labels, "value": [s, text]}]."""
        answer = get(f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def value(self, expression: str) -> float | None:
        """Of the only element; None where there is none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def wait_for_rules(self, within_s: float) -> None:
        """Until every rule was evaluated from now on."""
        since = time.time()
        assert until(lambda: all(at > since for at in self._evaluated()), within_s), "rules are not evaluated"

    def _evaluated(self) -> list[float]:
        groups = get(f"{self.prometheus}/api/v1/rules")["data"]["groups"]
        assert all(rule["health"] in {"ok", "unknown"} for group in groups for rule in group["rules"]), groups
        return [datetime.fromisoformat(group["lastEvaluation"]).timestamp() for group in groups]


@contextmanager
def alarms(folder: Path, workers: Sequence[int]) -> Iterator[Alarms]:
    """Watch workers at these metrics ports; everything ends with the block."""
    program, ports = debian("prometheus"), chosen(["prometheus"], {})
    with post_room(folder) as (address, told):
        running = Alarms(f"http://{HOST}:{ports['prometheus']}", address, told)
        content = prometheus_of(folder, workers, address)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(content))
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={HOST}:{ports['prometheus']}",
        ]
        with started("prometheus", command, running.prometheus, folder):
            yield running


@contextmanager
def post_room(folder: Path) -> Iterator[tuple[str, list[Told]]]:
    """The address of an Alertmanager, and what it has told so far."""
    program, ports, told = debian("prometheus-alertmanager"), chosen(["alertmanager"], {}), list[Told]()
    address = f"http://{HOST}:{ports['alertmanager']}"
    with listening(told) as webhook:
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(alertmanager_of(webhook)))
        command = [
            program,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={HOST}:{ports['alertmanager']}",
            "--cluster.listen-address=",
        ]
        with started("alertmanager", command, address, folder):
            yield address, told


@contextmanager
def started(name: str, command: Sequence[str | Path], address: str, folder: Path) -> Iterator[None]:
    log = folder / f"{name}.log"
    child = launch(command, log, outlive=False)
    try:
        wait_ready(child, lambda: is_ready(address), log, name=name, within_s=READY_S)
        yield
    finally:
        child.stop()


def is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/-/ready", timeout=5) as answer:  # noqa: S310 - a server that was just started
            return bool(answer.status == 200)
    except OSError:  # not yet
        return False


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - as above
        return json.loads(answer.read())


def post(address: str, content: object) -> None:
    request = urllib.request.Request(address, json.dumps(content).encode(), {"Content-Type": "application/json"})  # noqa: S310 - as above
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        assert answer.status == 200


# -- the committed files, on this machine ------------------------------------------------------------------------------
def prometheus_of(folder: Path, workers: Sequence[int], alertmanager: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    if HURRIED:
        content["global"] |= {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL}
    content["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in content["rule_files"]]
    content["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]
    job, *_ = content["scrape_configs"]  # the workers': there is nothing else here
    content["scrape_configs"] = [job]
    del job["dns_sd_configs"]
    job["file_sd_configs"] = [{"files": [str(folder / "workers.yml")]}]
    (folder / "workers.yml").write_text(yaml.safe_dump([{"targets": [f"{HOST}:{port}" for port in workers]}]))
    return content


def alertmanager_of(webhook: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())
    if HURRIED:
        content["route"] |= {"group_wait": INTERVAL, "group_interval": INTERVAL}
    content["templates"] = [str(DEPLOY / "alertmanager" / name) for name in content["templates"]]
    content["receivers"] = [
        {"name": each["name"], "webhook_configs": [{"url": webhook, "send_resolved": True}]} for each in content["receivers"]
    ]
    return content


# -- who is told -------------------------------------------------------------------------------------------------------
@contextmanager
def listening(told: list[Told]) -> Iterator[str]:
    """The address of a webhook that keeps what it gets."""

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append(Told(time.time(), got["receiver"], got["status"], got["alerts"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: what came is kept."""

    with ThreadingHTTPServer((HOST, 0), Webhook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()
