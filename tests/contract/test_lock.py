"""`requirements.lock` pins what `pyproject.toml` asks for, with checksums, and names no registry."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK_OF_IMAGE = ROOT / "deploy/compose/requirements.lock"
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    return [
        Requirement(text) for group in [*groups, project["build-system"]["requires"]] for text in group if not text.startswith("hatchling")
    ]


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    pinned: dict[str, list[str]] = {}
    for name, version in PINNED.findall(LOCK):
        pinned.setdefault(canonicalize_name(name), []).append(version)

    for requirement in wanted():
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement} is not in requirements.lock: run `make lock`"
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement}: run `make lock`, it has {versions}"


def test_every_pin_has_a_checksum_and_none_an_address() -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK)

    assert all("--hash=sha256:" in entry for entry in entries if PINNED.match(entry))
    assert "://" not in LOCK


def test_the_bill_of_materials_names_what_the_image_holds_and_is_the_same_each_time(tmp_path: Path) -> None:
    made = []
    for name in ("first", "second"):
        [line] = re.findall(r"^\t@(\$\(BIN\)/cyclonedx-py (?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        words = line.replace("\\\n", " ").replace("$(BIN)", str(Path(sys.executable).parent)).split()
        subprocess.run([*words[:-1], tmp_path / name], cwd=ROOT, check=True, capture_output=True)
        made.append((tmp_path / name).read_bytes())

    bill = json.loads(made[0])
    assert made[0] == made[1]
    assert bill["metadata"]["component"]["name"] == "frontdesk"
    assert {(each["name"], each["version"]) for each in bill["components"]} == set(PINNED.findall(LOCK_OF_IMAGE.read_text()))
