"""Packages of npm for tests of clients that others wrote; where node, npm or their registry are not at hand, a skip that says so."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

PACKAGES: Final = ("cloudevents@10.0.0", "kafkajs@2.2.4")


def needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here")


def with_packages(folder: Path, packages: tuple[str, ...] = PACKAGES) -> Path:
    """The folder, once the packages are in its `node_modules`."""
    needs("node", "npm")
    install = subprocess.run(["npm", "install", "--no-audit", "--no-fund", *packages], cwd=folder, capture_output=True, check=False)
    if install.returncode != 0:
        pytest.skip(f"npm cannot install {', '.join(packages)} here")
    return folder
