"""Passwords and TLS through settings alone: publisher, worker and commands against the guarded doors of both servers."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.listener import Protocol
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.verification import differences
from streams.kafka.publisher import STRUCTURED
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.simulation import Plan, simulate
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode
from streams.warehouse import clickhouse_of
from tests.support.tls import certificate, encrypted
from tests.support.workers import named, publish, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
SECURED: tuple[Protocol, ...] = ("SASL_PLAINTEXT", "SSL", "SASL_SSL")
WITH_PASSWORD: tuple[Protocol, ...] = ("SASL_PLAINTEXT", "SASL_SSL")
WITH_TLS: tuple[Protocol, ...] = ("SSL", "SASL_SSL")
USER, PASSWORD = "worker", "open sesame"
UNTIL = 1_795_212_000_000
"""A Friday afternoon, in ms."""


@pytest.fixture(scope="module")
def guarded_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("guarded-kafka"), listeners=SECURED, users={USER: PASSWORD}) as server:
        yield server


@dataclass(frozen=True)
class GuardedClickHouse:
    port: int
    authority: Path


@pytest.fixture(scope="module")
def guarded_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedClickHouse]:
    """One user with a password, TLS with a certificate that is its own authority."""
    folder = tmp_path_factory.mktemp("guarded-clickhouse")
    made = certificate(folder)
    password_file = folder / "password"
    password_file.write_text(PASSWORD)
    with ClickHouseServer(folder / "data", password_file=password_file) as server, encrypted(server.native_port, made) as port:
        yield GuardedClickHouse(port, made[0])


@pytest.fixture
def settings(guarded_kafka: Kafka, guarded_clickhouse: GuardedClickHouse, request: pytest.FixtureRequest) -> Settings:
    """All doors guarded, the right keys in hand. The protocol is the test's parameter, else SASL_SSL."""
    protocol: Protocol = getattr(request, "param", "SASL_SSL")
    name = f"guarded_{abs(hash(request.node.name))}"
    return Settings(
        kafka_bootstrap=guarded_kafka.bootstrap_of(protocol),
        kafka_security=protocol,
        kafka_user=USER if protocol in WITH_PASSWORD else "",
        kafka_password=SecretStr(PASSWORD if protocol in WITH_PASSWORD else ""),
        kafka_ca_file=guarded_kafka.authority if protocol in WITH_TLS else None,
        clickhouse_port=guarded_clickhouse.port,
        clickhouse_password=SecretStr(PASSWORD),
        clickhouse_secure=True,
        clickhouse_ca_file=guarded_clickhouse.authority,
        **named(name),
        partitions=2,
    )


@dataclass(frozen=True)
class Said:
    code: int
    errors: list[str]


def frontdesk(settings: Settings, *arguments: str, stdin: bytes = b"") -> Said:
    others = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=ROOT,
        env=others | environment_of(settings),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
    )
    text = done.stderr.decode()
    assert "Traceback" not in text, text
    assert PASSWORD not in text + done.stdout.decode()
    return Said(done.returncode, [line for line in text.splitlines() if line.startswith("frontdesk: ")])


def events() -> list[tuple[str, bytes]]:
    return [(event.district, event.value) for event in simulate(Plan(UNTIL, students=50, days=3, districts=3))]


# -- the right keys ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", SECURED, indirect=True)
def test_events_go_all_the_way_through_guarded_doors(settings: Settings, tmp_path: Path) -> None:
    migrate(clickhouse_of(settings))
    asyncio.run(ensure_topics(settings))
    sent = events()
    with worker(settings, tmp_path / "worker.log") as child:
        asyncio.run(publish(settings, sent, STRUCTURED))
        wait_until_counted(settings, child, tmp_path / "worker.log")
    assert query(settings, "SELECT count() FROM events FINAL") == [(len(sent),)]
    with clickhouse_of(settings).connect() as client:
        assert differences(client) == []
    assert PASSWORD not in (tmp_path / "worker.log").read_text()


def test_the_commands_go_through_guarded_doors(settings: Settings) -> None:
    assert frontdesk(settings, "migrate") == Said(ExitCode.OK, [])
    assert frontdesk(settings, "publish", "-", stdin=b"\n".join(value for _, value in events())) == Said(ExitCode.OK, [])
    assert frontdesk(settings, "status") == Said(ExitCode.OK, [])
    assert frontdesk(settings, "indicators") == Said(ExitCode.OK, [])


# -- the wrong ones ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", WITH_PASSWORD, indirect=True)
@pytest.mark.parametrize("command", [["publish", "-"], ["worker"]])
def test_a_wrong_password_of_kafka(settings: Settings, command: list[str]) -> None:
    wrong = settings.model_copy(update={"kafka_password": SecretStr("wrong")})
    said = frontdesk(wrong, *command, stdin=events()[0][1])
    assert said.code == ExitCode.REFUSED
    assert len(said.errors) == 1
    assert f"Kafka at {settings.kafka_bootstrap} refused (check FRONTDESK_KAFKA_USER, _PASSWORD" in said.errors[0]
    assert "Invalid username or password" in said.errors[0]


@pytest.mark.parametrize("settings", WITH_PASSWORD, indirect=True)
def test_a_mechanism_that_kafka_has_not(settings: Settings) -> None:
    said = frontdesk(settings.model_copy(update={"kafka_sasl_mechanism": "SCRAM-SHA-512"}), "publish", "-")
    assert said.code == ExitCode.REFUSED
    assert "_SASL_MECHANISM" in said.errors[0]


@pytest.mark.parametrize("settings", WITH_TLS, indirect=True)
@pytest.mark.parametrize("command", [["publish", "-"], ["worker"]])
def test_a_certificate_of_kafka_from_nobody_known(settings: Settings, command: list[str]) -> None:
    said = frontdesk(settings.model_copy(update={"kafka_ca_file": None}), *command)
    assert said.code == ExitCode.REFUSED
    assert len(said.errors) == 1
    assert "is not trusted (check FRONTDESK_KAFKA_CA_FILE): self-signed certificate" in said.errors[0]


@pytest.mark.parametrize("settings", SECURED, indirect=True)
def test_a_door_of_kafka_that_is_guarded_otherwise(settings: Settings) -> None:
    said = frontdesk(settings.model_copy(update={"kafka_security": "PLAINTEXT"}), "publish", "-")
    assert said.code == ExitCode.UNAVAILABLE
    assert "FRONTDESK_KAFKA_SECURITY" in said.errors[0]


@pytest.mark.parametrize("setting", ["kafka_ca_file", "clickhouse_ca_file"])
def test_a_certificate_authority_that_is_not_there(settings: Settings, setting: str, tmp_path: Path) -> None:
    said = frontdesk(settings.model_copy(update={setting: tmp_path / "nowhere.pem"}), "worker")
    assert said.code == ExitCode.USAGE
    [error] = said.errors
    assert error.startswith(f"frontdesk: FRONTDESK_{setting.upper()}: '{tmp_path / 'nowhere.pem'}' is not a file that can be read")


def test_a_certificate_authority_that_is_something_else(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text("roses are red")
    said = frontdesk(settings.model_copy(update={"kafka_ca_file": tmp_path / "poem.txt"}), "publish", "-")
    assert said.code == ExitCode.USAGE
    assert said.errors[0].startswith(f"frontdesk: FRONTDESK_KAFKA_CA_FILE: '{tmp_path / 'poem.txt'}' is no file of certificates")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("worker", {"clickhouse_password": SecretStr("wrong")}),
        ("migrate", {"clickhouse_password": SecretStr("wrong")}),
        ("indicators", {"clickhouse_user": "nobody"}),
    ],
)
def test_a_wrong_name_or_password_of_clickhouse(settings: Settings, command: str, wrong: dict[str, object]) -> None:
    asyncio.run(ensure_topics(settings))
    said = frontdesk(settings.model_copy(update=wrong), command)
    assert said.code == ExitCode.REFUSED
    assert len(said.errors) == 1
    assert "ClickHouse refused (check FRONTDESK_CLICKHOUSE_USER and _PASSWORD)" in said.errors[0]


@pytest.mark.parametrize("command", [["worker"], ["indicators"]])
def test_a_certificate_of_clickhouse_from_nobody_known(settings: Settings, command: list[str]) -> None:
    asyncio.run(ensure_topics(settings))
    said = frontdesk(settings.model_copy(update={"clickhouse_ca_file": None}), *command)
    assert said.code == ExitCode.REFUSED
    assert len(said.errors) == 1
    assert "the certificate of ClickHouse is not trusted (check FRONTDESK_CLICKHOUSE_CA_FILE)" in said.errors[0]


def test_a_door_of_clickhouse_that_speaks_tls_asked_without(settings: Settings) -> None:
    said = frontdesk(settings.model_copy(update={"clickhouse_secure": False}), "indicators")
    assert said.code == ExitCode.UNAVAILABLE
    assert "FRONTDESK_CLICKHOUSE_HOST, _PORT and _SECURE" in said.errors[0]
