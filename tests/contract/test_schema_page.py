"""docs/schema.md and docs/metrics.md say what is there: made parts are current, and what people wrote names all there is."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from events.headers import BACKFILL, CONTENT_TYPE, FORWARDED
from events.rejection import Reason, Rejection
from projections.panes import COUNTS, WIDTHS, WINDOWS
from sinks.cell_metrics import CELL_METRICS
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from sinks.intake_metrics import IntakeMetrics
from sinks.metrics import WorkerMetrics
from streams.dead_letters import dead_letter_headers
from streams.kafka.claim_check import MOST_COPIED
from streams.kafka.topics import topics
from streams.settings import Settings
from streams.sorting import Refused
from streams.terminal.outcome import ExitCode
from tests.contract.schema_page import LIKE_TABLE, MEANINGS, PAGE, columns, parts, parts_of, renewed

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

METRICS = PAGE.with_name("metrics.md")
METRICS_OF = {"Metrics": WorkerMetrics, "The intake": IntakeMetrics}
PARTS = ("event types", "reasons", "topics", "tables", "views", "settings")
MINUTES = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60}


@pytest.fixture(scope="module")
def client(clickhouse: "ClickHouseServer") -> "Iterator[Client]":
    server = ClickHouse(port=clickhouse.native_port, database="schema_page")
    migrate(server)
    with server.connect() as client:
        yield client


@pytest.fixture(scope="module")
def made(client: "Client") -> Mapping[str, str]:
    return parts(client)


def rows(section: str, page: Path = PAGE) -> list[list[str]]:
    """The cells of the tables below a heading, without the headings of the tables."""
    [text] = re.findall(rf"^#+ {re.escape(section)}\n(.*?)(?=^## |\Z)", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def names(section: str, page: Path = PAGE) -> list[str]:
    return [row[0].strip("`") for row in rows(section, page)]


# -- made parts --------------------------------------------------------------------------------------------------------
@pytest.mark.embedded
@pytest.mark.parametrize("part", PARTS)
def test_a_made_part_is_current(part: str, made: Mapping[str, str]) -> None:
    assert parts_of(PAGE.read_text("utf-8"))[part] == made[part], "write it again with `python -m tests.contract.schema_page`"


@pytest.mark.embedded
def test_these_are_all_the_parts_and_a_change_of_one_is_seen(made: Mapping[str, str]) -> None:
    page = PAGE.read_text("utf-8")
    assert set(made) == set(parts_of(page)) == set(PARTS)
    assert renewed(page.replace("Tenant", "Tenants"), made) == page


@pytest.mark.embedded
def test_every_cell_of_a_made_table_is_filled_where_it_must_be(made: Mapping[str, str]) -> None:
    """A unit may be missing, a meaning may not."""
    for part in PARTS:
        told = [line for line in made[part].splitlines() if line.startswith("| `")]
        assert told
        assert [line for line in told if line.endswith("|  |")] == []


@pytest.mark.embedded
def test_no_meaning_is_told_of_a_column_that_is_not_there(client: "Client") -> None:
    there = {column for view in LIKE_TABLE for column, *_ in columns(client, view)}
    assert MEANINGS.keys() <= there


# -- written parts -----------------------------------------------------------------------------------------------------
def test_every_header_is_told() -> None:
    record = ConsumerRecord("t", 0, 0, 0, 0, b"k", bytes(MOST_COPIED + 1), None, 1, 1, ())
    of_dead_letters = [name for name, _ in dead_letter_headers(Refused(record, Rejection(Reason.NOT_JSON, "$", "")))]
    assert set(names("Records and headers")) == {CONTENT_TYPE, "ce_*", BACKFILL, FORWARDED, *of_dead_letters}


def test_every_exit_code_is_told() -> None:
    assert [int(code) for code in names("Exit codes")] == sorted(ExitCode)


def test_the_window_rule_is_that_of_the_code() -> None:
    told = [(name.strip("`"), int(count), in_minutes(pane)) for name, count, pane in rows("Windows")]
    assert told == list(zip(WINDOWS, COUNTS, WIDTHS, strict=True))


def in_minutes(pane: str) -> int:
    number, word = pane.split()
    return int(number) * MINUTES[word]


def test_what_is_in_each_topic_is_told() -> None:
    written = re.findall(r"^\| (events|dead letters|breaches|changelog) \| .*\w+ \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(written) == len(topics(Settings.model_construct()))


@pytest.mark.parametrize(("section", "made"), METRICS_OF.items(), ids=METRICS_OF)
def test_every_metric_is_told_with_its_type_and_labels(section: str, made: Callable[[CollectorRegistry], object]) -> None:
    told = {name.strip("`"): (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, _, labels, *_ in rows(section, METRICS)}
    assert told == {name: (kind, labels) for name, kind, labels in registered(made)}


def test_every_metric_of_a_cell_is_told_with_its_labels() -> None:
    told = {name.strip("`"): tuple(re.findall(r"`(\w+)`", labels)) for name, _, _, labels, *_ in rows("Cells", METRICS)}
    assert told == {metric.name: metric.labels for metric in CELL_METRICS}
    assert {row[1] for row in rows("Cells", METRICS)} == {"gauge"}


@pytest.mark.parametrize("section", [*METRICS_OF, "Cells"])
def test_every_metric_has_a_unit_a_meaning_and_advice(section: str) -> None:
    assert [row[0] for row in rows(section, METRICS) if not all((row[2], row[4], row[5]))] == []


def registered(made: Callable[[CollectorRegistry], object]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(name as Prometheus sees it, type, labels) of everything that a process registers."""
    registry = CollectorRegistry()
    made(registry)
    for collector in registry._collector_to_names:
        assert isinstance(collector, MetricWrapperBase)
        kind = str(collector._type)
        yield f"{collector._name}{'_total' if kind == 'counter' else ''}", kind, tuple(collector._labelnames)
