"""The Compose file names only what exists, and agrees with the defaults of the settings."""

import os
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.settings import Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/compose/compose.yaml"
DOCKERFILE = (ROOT / "deploy/compose/Dockerfile").read_text()
OF_THE_IMAGES = {
    "FRONTDESK_KAFKA_BOOTSTRAP",
    "FRONTDESK_CLICKHOUSE_HOST",
    "FRONTDESK_CLICKHOUSE_USER",
    "FRONTDESK_CLICKHOUSE_PASSWORD",
    "FRONTDESK_METRICS_HOST",
    "FRONTDESK_METRICS_PORT",
    "FRONTDESK_PAGE_HOST",
    "FRONTDESK_PAGE_TOKEN",
    "FRONTDESK_INTAKE_HOST",
    "FRONTDESK_INTAKE_TOKENS",
}
"""Settings that must differ: the addresses inside Compose's network, what a container exposes, and who may come in there."""


def compose() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text())


def settings_of_services() -> dict[str, str]:
    return {k: v for s in compose()["services"].values() for k, v in s.get("environment", {}).items() if k.startswith("FRONTDESK_")}


def test_every_setting_that_it_names_exists() -> None:
    known = {f"FRONTDESK_{name.upper()}" for name in Settings.model_fields}
    in_dockerfile = set(re.findall(r"FRONTDESK_[A-Z_]+", DOCKERFILE))

    assert settings_of_services().keys() | in_dockerfile <= known


def test_where_nothing_forces_it_the_values_are_the_defaults() -> None:
    defaults = Settings.model_construct()

    for name, value in settings_of_services().items():
        if name not in OF_THE_IMAGES:
            assert value == str(getattr(defaults, name.removeprefix("FRONTDESK_").lower())), name


def test_ports_are_published_on_the_loopback_only() -> None:
    ports = [p for s in compose()["services"].values() for p in s.get("ports", [])]

    assert ports
    assert all(str(p).startswith("127.0.0.1:") for p in ports)


@pytest.mark.parametrize(("name", "secret"), [("page", "FRONTDESK_PAGE_TOKEN"), ("intake", "FRONTDESK_INTAKE_TOKENS")])
def test_what_listens_beyond_its_container_asks_for_a_token_where_its_port_says(name: str, secret: str) -> None:
    service = compose()["services"][name]
    settings = service["environment"]
    port = settings[f"FRONTDESK_{name.upper()}_PORT"]

    assert service["command"] == [name]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f":{port}/health/live" in service["healthcheck"]["test"][-1]
    assert settings[f"FRONTDESK_{name.upper()}_HOST"] == "0.0.0.0"  # noqa: S104 - compared, not bound
    assert settings[secret]


def test_tokens_are_kept_where_the_image_lets_its_user_write() -> None:
    service = compose()["services"]["intake"]
    [mount] = service["volumes"]
    folder = mount.split(":")[1]

    assert str(Path(service["environment"]["FRONTDESK_INTAKE_TOKENS"]).parent) == folder
    assert re.search(rf"install .*--owner frontdesk .*{folder}$", DOCKERFILE, re.MULTILINE)


@pytest.mark.timeout(240)
def test_it_follows_the_compose_specification(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go toolchain: install one to check the Compose file against its specification")
    program = tmp_path / "compose"
    built = subprocess.run(
        [go, "build", "-o", program, "."], cwd=Path(__file__).parent / "compose_go", capture_output=True, text=True, check=False
    )
    if built.returncode and re.search(r"dial tcp|no such host|i/o timeout", built.stderr):
        pytest.skip("the Go module proxy cannot be reached")
    assert built.returncode == 0, built.stderr

    good = subprocess.run([program, FILE], capture_output=True, text=True, check=False)
    bad_file = tmp_path / "bad.yaml"
    bad_file.write_text(FILE.read_text().replace("healthcheck:", "healthchek:"))
    bad = subprocess.run([program, bad_file], capture_output=True, text=True, check=False, env={**os.environ})

    assert good.returncode == 0, good.stderr
    assert "healthchek" in bad.stderr


def test_the_images_are_of_the_versions_that_are_embedded() -> None:
    services = compose()["services"]
    jars = (ROOT / "deploy/embedded/jars.lock").read_text()
    engine = ".".join(version("chdb-core").split(".")[:2])
    clickhouse = services["clickhouse"]["image"]

    assert re.search(rf"kafka_2\.13\S*{re.escape(services['kafka']['image'].removeprefix('apache/kafka:'))}", jars)
    assert clickhouse.startswith(f"clickhouse/clickhouse-server:{engine}.")


def test_every_image_is_of_one_version_and_none_is_a_line_that_gets_no_more_fixes() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images = [s["image"] for s in compose()["services"].values() if "build" not in s] + bases
    lines = {"prom/prometheus": (3, 13), "grafana/grafana": (12, 4)}

    assert len(images) == 8
    for image in images:
        name, tag = image.split("@")[0].split(":")
        exact = re.match(r"v?(\d+)\.(\d+)\.\d+", tag)
        assert exact, f"{image} is another one tomorrow"
        assert (int(exact[1]), int(exact[2])) >= lines.get(name, (0, 0)), image


def test_whatever_serves_comes_back_by_itself() -> None:
    services = compose()["services"]

    assert {name for name, service in services.items() if service.get("restart") != "unless-stopped"} == {"migrate"}
    assert services["migrate"]["restart"] == "on-failure"


def test_the_image_installs_only_what_has_the_checksum_of_the_lock() -> None:
    installs = re.findall(r"(pip (?:install|wheel)[^&]*?)(?: \\\n|\n| &&)", DOCKERFILE)

    assert len(installs) == 4
    assert all("--require-hashes" in each or "--no-index" in each for each in installs), installs
    assert "uv" not in DOCKERFILE


@pytest.mark.parametrize("lock", ["requirements.lock", "build.lock"])
def test_the_locks_of_the_image_say_what_the_lock_says(lock: str) -> None:
    def entries(text: str) -> set[str]:
        return {re.sub(r"\n +# .*", "", entry) for entry in re.split(r"\n(?=[A-Za-z0-9])", text.strip())}

    of_image = entries((ROOT / "deploy/compose" / lock).read_text())
    whole = {entry.split(";")[0].split(" ")[0]: entry for entry in entries((ROOT / "requirements.lock").read_text())}

    assert len(of_image) > 4
    for entry in of_image:
        pin = entry.split(";")[0].split(" ")[0]
        hashes = set(re.findall("--hash=sha256:[0-9a-f]{64}", entry))
        assert hashes
        assert pin not in whole or hashes == set(re.findall("--hash=sha256:[0-9a-f]{64}", whole[pin])), f"{pin}: run `make lock`"
        assert lock == "build.lock" or pin in whole, f"{pin}: run `make lock`"


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_the_configuration_that_an_image_looks_for_is_mounted(name: str) -> None:
    """The official images read /etc/NAME/NAME.yml and keep data in /NAME."""
    service = compose()["services"][name]
    mounts = dict(volume.split(":")[:2] for volume in service["volumes"])

    assert re.fullmatch(rf"prom/{name}:v\d+\.\d+\.\d+", service["image"])
    assert mounts == {f"../{name}": f"/etc/{name}", name: f"/{name}"}
    assert (FILE.parent / f"../{name}/{name}.yml").exists()


def test_prometheus_finds_the_workers_and_alertmanager() -> None:
    services = compose()["services"]
    job, *others = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    [found] = job["dns_sd_configs"]

    assert set(found["names"]) <= services.keys()
    assert str(found["port"]) == services["worker"]["environment"]["FRONTDESK_METRICS_PORT"]
    assert not services["worker"]["environment"]["FRONTDESK_METRICS_HOST"].startswith("127."), "nobody beside the container reaches that"
    named = {each["job_name"]: each["static_configs"][0]["targets"] for each in others if "static_configs" in each}
    assert named.keys() == {"kafka", "clickhouse", "alertmanager", "frontdesk-page"}
    assert {target.partition(":")[0] for targets in named.values() for target in targets} <= services.keys()
    assert named["frontdesk-page"] == [f"page:{services['page']['environment']['FRONTDESK_METRICS_PORT']}"]
    assert any(volume.startswith("./clickhouse-metrics.xml:") for volume in services["clickhouse"]["volumes"])
    assert "alertmanager:9093" in (ROOT / "deploy/prometheus/prometheus.yml").read_text()
