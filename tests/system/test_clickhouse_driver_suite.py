"""clickhouse-driver's own tests, run against the native door.

They come from the source distribution of the installed version, fetched once into the user's cache; none of it is kept here. What it
leaves out (two small modules, and the program clickhouse-client) is supplied by `clickhouse_driver_stand_ins`. The tests
that cannot pass are listed with their cause; any other failure, and any listed test that passes, fails.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from tests.support.tls import certificate, encrypted

VERSION = importlib.metadata.version("clickhouse-driver")
STAND_INS = Path(__file__).parent / "clickhouse_driver_stand_ins"
LEFT_OUT = Path(__file__).parent / "clickhouse_driver_left_out.toml"
LEAST_TESTS = 180
SETTINGS = """[db]
host = 127.0.0.1
port = {port}
secure_port = {secure_port}
database = test
user = default
password =
compression = lz4,lz4hc,zstd
client = {client}

[log]
level = ERROR
"""

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    archive = cache_folder() / f"clickhouse_driver-{VERSION}.tar.gz"
    if not archive.exists():
        download(archive.parent, tmp_path_factory.mktemp("pip"))
    if not archive.exists():
        pytest.skip("the source distribution of clickhouse-driver cannot be fetched: no network?")
    folder = tmp_path_factory.mktemp("suite")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    folder = tmp_path_factory.mktemp("clickhouse")
    with ClickHouseServer(folder / "data") as running:
        yield running


def test_the_drivers_own_tests_pass(source: Path, server: ClickHouseServer, tmp_path: Path) -> None:
    left_out = tomllib.loads(LEFT_OUT.read_text())
    expected = set(left_out["left_out"])
    with encrypted(server.native_port, certificate(tmp_path)) as secure_port:
        supply(source, server.native_port, secure_port)
        results = run_suite(source, tmp_path / "report.xml")

    failed = {name for name, passed in results.items() if not passed}
    assert failed - expected == set(), "failures that are not in the list"
    assert expected - failed == set(), "listed tests that pass after all"
    assert len(results) > LEAST_TESTS


def cache_folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "frontdesk" / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def download(target: Path, scratch: Path) -> None:
    command = [*pip(scratch), "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(target)]
    subprocess.run([*command, f"clickhouse-driver=={VERSION}"], check=False, capture_output=True, timeout=300)


def pip(scratch: Path) -> list[str]:
    """The environment's pip, or one of its own where it has none."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    venv.create(scratch, with_pip=True)
    return [str(scratch / "bin" / "python"), "-m", "pip"]


def supply(source: Path, port: int, secure_port: int) -> None:
    """Puts into the sources what they lack: settings, helper modules and a client program."""
    tests = source / "tests"
    (tests / "numpy").mkdir(exist_ok=True)
    for package in (tests, tests / "numpy"):
        (package / "__init__.py").touch()
    shutil.copy(STAND_INS / "log.py", tests / "log.py")
    shutil.copy(STAND_INS / "util.py", tests / "util.py")
    shutil.copy(STAND_INS / "numpy_util.py", tests / "numpy" / "util.py")
    client = source / "clickhouse-client"
    client.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_INS / "client.py"} "$@"\n')
    client.chmod(0o755)
    (source / "setup.cfg").write_text(SETTINGS.format(port=port, secure_port=secure_port, client=client))


def run_suite(source: Path, report: Path) -> dict[str, bool]:
    """{"module::Class::test": did it pass or say why it is skipped}."""
    # The sources' own package has no compiled modules and must not hide the installed one.
    shutil.rmtree(source / "clickhouse_driver", ignore_errors=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", source, "tests"]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run([*command, f"--junit-xml={report}"], cwd=source, env=environment, capture_output=True, text=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    (report.parent / "suite.txt").write_text(done.stdout)
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - written by the pytest started above
    return {name_of(case): case.find("failure") is None and case.find("error") is None for case in cases}


def name_of(case: ET.Element) -> str:
    return f"{case.get('classname', '').removeprefix('tests.')}.{case.get('name')}"
