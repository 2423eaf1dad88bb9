"""Every setting tried with nonsense: refused at the start, in one line that names the variable, or good for all that uses it."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.cli import run
from streams.kafka.client import client_options
from streams.kafka.topics import changelog_of, topics
from streams.settings import Settings
from streams.terminal.configuration import load_settings
from streams.terminal.outcome import ExitCode, Stop
from streams.warehouse import clickhouse_of
from streams.worker.app import make_app
from streams.worker.transport import Fetched

WORDS = ("", " ", "foo:bar", "nonsense!", "http://x:1/", "[::1", "::1", "host:0", "host:65536", ",", "ä", "a\nb", "\x1b[31mred")
NUMBERS = ("-1", "0", "0.001", "5.5", "1e999", "nan", "inf", "true", "99999999999999999999")
PATHS = ("/", "..", "/nowhere/at/all", "/dev/null", "/dev/null/below", "x" * 70, "x" * 300, "x" * 5_000)
NONSENSE = (*WORDS, *NUMBERS, *PATHS)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith("FRONTDESK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


class Desk:
    async def take(self, fetched: Fetched) -> None: ...
    async def assigned(self, partitions: object, epoch: int) -> None: ...
    async def revoked(self, deadline_s: float) -> None: ...


async def used(settings: Settings) -> None:
    """All that is made of settings before anybody is asked. Raises what only shows when it is used."""
    client_options(settings)
    clickhouse_of(settings)
    assert all(len(topic.name) <= 249 for topic in topics(settings))
    assert len(changelog_of(settings, 10**6)) <= 249
    app = make_app(settings, Desk())
    app.consumer._thread.thread_loop.close()


async def refusal() -> Stop | None:
    """Why the settings of the environment are refused; None where they were taken and are good for all that uses them."""
    try:
        settings = load_settings()
    except Stop as stop:
        return stop
    await used(settings)
    return None


@pytest.mark.parametrize("name", Settings.model_fields)
async def test_nonsense_is_refused_at_the_start_or_can_be_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable, refusals = f"FRONTDESK_{name.upper()}", []
    for value in NONSENSE:
        monkeypatch.setenv(variable, value)
        refusals.append(await refusal())
    for stop in filter(None, refusals):
        assert stop.exit_code is ExitCode.USAGE
        assert str(stop).startswith(f"{variable}: ")
        assert str(stop).isprintable()
        assert len(str(stop)) < 500, "in one line that can be read"
    free_text = isinstance(Settings.model_fields[name].default, SecretStr) or name == "kafka_user"
    assert any(refusals) or free_text


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("kafka_bootstrap", "foo:bar", "'foo:bar' is no host:port; write them like"),
        ("kafka_bootstrap", "kafka", "'kafka' is no host:port"),
        ("kafka_bootstrap", "a:1,b:70000", "'b:70000' is no host:port"),
        ("session_timeout_s", "0.001", "greater than or equal to 6"),
        ("session_timeout_s", "301", "less than or equal to 300"),
        ("clickhouse_host", "http://x", "'http://x' is neither a host name nor an address"),
        ("metrics_port", "65536", "less than or equal to 65535"),
        ("topic", "a b", "'a b' is no name for Kafka"),
        ("dead_letter_topic", "frontdesk.events", "give each a name of its own"),
        ("kafka_security", "SASL_SSL", "FRONTDESK_KAFKA_USER: "),
        ("kafka_ca_file", "nowhere.pem", "'nowhere.pem' is not a file that can be read"),
        ("directory", "/", "'/' is not a file that can be read"),
        ("intake_hooks", "nowhere", "'nowhere' is not a folder"),
        ("intake_tokens", "/", "'/' is a folder; name a file"),
        ("folder", "/dev/null", "'/dev/null' is not a folder"),
    ],
)
def test_what_is_right_is_told(
    name: str, value: str, right: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"FRONTDESK_{name.upper()}", value)
    assert run(["worker"]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert right in error
    assert error.startswith("frontdesk: FRONTDESK_")
    assert error.count("\n") == 1


def test_a_file_that_is_no_certificate_is_told_by_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "poem.pem").write_text("roses are red")
    monkeypatch.chdir(tmp_path)  # of a long path only the beginning is told
    monkeypatch.setenv("FRONTDESK_CLICKHOUSE_CA_FILE", "poem.pem")
    with pytest.raises(Stop, match=r"FRONTDESK_CLICKHOUSE_CA_FILE: .*poem.pem' is no file of certificates in PEM form"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka_bootstrap", "kafka-1.example.org:9092, kafka-2.example.org:65535"),
        ("kafka_bootstrap", "[::1]:9092,127.0.0.1:1"),
        ("clickhouse_host", "::1"),
        ("clickhouse_host", f"{'a' * 63}.example.org."),
        ("metrics_host", "0.0.0.0"),  # noqa: S104 - it is what a container sets
        ("topic", "x" * 240),
        ("clickhouse_database", "x" * 200),
        ("session_timeout_s", "300"),
        ("session_timeout_s", "6"),
        ("partitions", "1024"),
        ("metrics_port", "65535"),
        ("stale_after_s", "86400"),
    ],
)
async def test_the_largest_and_the_rarest_legal_values_are_taken(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FRONTDESK_{name.upper()}", value)
    await used(load_settings())
