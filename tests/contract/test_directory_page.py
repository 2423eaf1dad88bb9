"""docs/directory.md and its example: what they show passes the check, and says what the page says."""

import re
from pathlib import Path

import pytest
import yaml

from events.directory import Directory
from events.directory_model import DirectoryFile, Promises
from streams.cli import run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy/directory/example.yaml"
PAGE = (ROOT / "docs/directory.md").read_text("utf-8")


def test_the_example_passes_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["directory", "check", str(EXAMPLE)]) == 0
    assert "nothing is wrong with it" in capsys.readouterr().out


def test_the_example_says_that_it_is_invented() -> None:
    assert "invented" in EXAMPLE.read_text("utf-8").splitlines()[0]


def test_each_of_its_schedules_opens() -> None:
    schedules = list(Directory.parse(EXAMPLE.read_text("utf-8")).schedules())
    assert len(schedules) == 7
    assert all(schedule.openings() for *_, schedule in schedules)


def test_the_targets_of_the_page_can_be_read() -> None:
    block, *_ = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    targets = Promises.model_validate(yaml.load(block, Loader=yaml.BaseLoader)["targets"])  # noqa: S506 texts only
    assert len(targets.routine) == 3


def test_the_patterns_of_the_page_allow_what_it_says() -> None:
    [block] = re.findall(r"```yaml\n(districts:.*?)```", PAGE, re.DOTALL)
    directory = Directory.parse(f"revision: 1\nzone: UTC\nhours: {{monday: 08:00-16:00}}\n{block}")
    assert directory.allows("riverside", "subject", "312-555-0147")
    assert directory.allows("riverside", "id", f"{'0a' * 16}@mail.riverside.example")
    assert not directory.allows("riverside", "id", "jane@mail.riverside.example")


@pytest.mark.parametrize("name", sorted(DirectoryFile.model_fields.keys() - {"districts"}))
def test_the_page_names_every_key(name: str) -> None:
    assert f"`{name}`" in PAGE
