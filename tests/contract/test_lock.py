"""`requirements.lock` pins what `pyproject.toml` asks for, with checksums, and names no registry."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
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
