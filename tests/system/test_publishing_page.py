"""Every example of docs/publishing.md whose runtime is at hand is run as it stands, but for addresses; its event arrives."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from events.codec import Decoder
from events.rejection import Rejection
from streams.mapping.mapping import Mapping
from streams.settings import Settings
from tests.support.intakes import free_port, intake
from tests.support.npm import needs, with_packages
from tests.support.workers import fresh_settings
from tests.system.test_publish import records_of

PAGE = Path(__file__).parents[2] / "docs" / "publishing.md"
EXAMPLES = dict(re.findall(r"<!-- run: (\w+) -->\n```\w+\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
IDS = {"curl": "first-1", "python_http": "first-2", "node": "first-3", "java": "first-4", "python_kafka": "first-5"}


def test_all_examples_are_run() -> None:
    assert EXAMPLES.keys() == IDS.keys()


def test_the_mapping_of_the_page_is_one() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(Mapping.model_validate(yaml.safe_load(text)).events) == 2


@pytest.fixture(scope="module")
def settings(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    made = fresh_settings("publishing_page", kafka, clickhouse, intake_port=free_port())
    with intake(made, tmp_path_factory.mktemp("intake") / "intake.log"):
        yield made


def bash(text: str, folder: Path) -> list[str]:
    (folder / "example.sh").write_text(text)
    needs("curl")
    return ["bash", "example.sh"]


def python(text: str, folder: Path) -> list[str]:
    (folder / "example.py").write_text(text)
    return [sys.executable, "example.py"]


def node(text: str, folder: Path) -> list[str]:
    (with_packages(folder) / "example.mjs").write_text(text)
    return ["node", "example.mjs"]


def java(text: str, folder: Path) -> list[str]:
    needs("java")
    modules = subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=False).stdout
    if "jdk.compiler" not in modules:
        pytest.skip("java is here, but no compiler")
    (folder / "Publish.java").write_text(text)
    return ["java", "Publish.java"]


WAYS = {"curl": bash, "python_http": python, "node": node, "java": java, "python_kafka": python}


@pytest.mark.embedded
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", IDS)
def test_an_example_publishes_its_event(name: str, settings: Settings, tmp_path: Path) -> None:
    text = EXAMPLES[name].replace("127.0.0.1:8080", f"127.0.0.1:{settings.intake_port}")
    text = text.replace("127.0.0.1:9092", settings.kafka_bootstrap).replace('"frontdesk.events"', f'"{settings.topic}"')
    command = WAYS[name](text, tmp_path)
    environment = {each: value for each, value in os.environ.items() if not each.startswith("FRONTDESK_")}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    decoded = [Decoder().decode(r.value, r.headers, r.timestamp) for r in asyncio.run(records_of(settings))]
    assert IDS[name] in [each[2].id for each in decoded if not isinstance(each, Rejection)], run.stdout
