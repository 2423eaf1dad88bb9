"""clickhouse-go, the client in Grafana's plugin, through the native door; a small program of its own does what its users do."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.clickhouse import ClickHouseServer

SOURCE = Path(__file__).parent / "clickhouse_go"

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled client; skipped where there is no Go or its modules cannot be had."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no Go toolchain")
    path = tmp_path_factory.mktemp("go") / "client"
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    fetched = subprocess.run([go, "mod", "download"], cwd=SOURCE, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if fetched.returncode:
        pytest.skip(f"the modules cannot be fetched: {fetched.stderr.strip().splitlines()[-1]}")
    subprocess.run([go, "build", "-o", path, "."], cwd=SOURCE, env=environment, check=True, timeout=300)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse") / "data") as running:
        yield running


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_clickhouse_go_is_at_home(program: Path, server: ClickHouseServer, compression: str) -> None:
    done = subprocess.run(
        [program, f"127.0.0.1:{server.native_port}", compression], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.splitlines()[-1:] == ["all well"], done.stdout + done.stderr
