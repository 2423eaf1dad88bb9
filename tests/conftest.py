"""Real servers for whoever asks: one Kafka and one ClickHouse a session, on temporary folders, stopped whatever happens."""

import logging
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer
    from deploy.embedded.kafka import Kafka

settings.register_profile("frontdesk", deadline=None, print_blob=True)  # machines are noisy: no test asserts how fast it is
settings.load_profile("frontdesk")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of a shell's background job; commands that tests start would ignore Ctrl-C too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands that a test calls in this process set up its logs: their level is nothing to the next test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Kafka]":
    """A running Kafka with a plain listener. Topics of a test bear names of its own."""
    from deploy.embedded.kafka import Kafka  # noqa: PLC0415  (pure tests need no server's code)

    with Kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[ClickHouseServer]":
    """A running ClickHouse, user `default` without a password. Databases of a test bear names of its own."""
    from deploy.embedded.clickhouse import ClickHouseServer  # noqa: PLC0415  (pure tests need no server's code)

    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server
