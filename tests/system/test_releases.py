"""A month that was published stays as it was: whoever keeps copies of it has one copy. Until somebody takes it back."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.publication import COLUMNS
from sinks.clickhouse.releases import Month, month_statuses, release, withdraw
from streams.cli import run
from streams.terminal.outcome import ExitCode
from tests.support.questions import PARTITION, write_questions

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

JANUARY: Month = ("d0", date(2026, 1, 1))
"""Of a district that is shown."""


@pytest.fixture(scope="module")
def server(clickhouse: "ClickHouseServer") -> ClickHouse:
    made = ClickHouse(port=clickhouse.native_port, database="releases")
    write_questions(made)
    return made


@pytest.fixture
def client(server: ClickHouse) -> "Iterator[Client]":
    """Nothing is published."""
    with server.connect() as client:
        client.execute("TRUNCATE TABLE releases")
        yield client


@pytest.fixture
def command(server: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_CLICKHOUSE_HOST", "127.0.0.1")
    monkeypatch.setenv("FRONTDESK_CLICKHOUSE_PORT", str(server.port))
    monkeypatch.setenv("FRONTDESK_CLICKHOUSE_DATABASE", server.database)


PUBLISHABLE = "publishable_indicators(first = '', last = '~')"


def cells(client: "Client", view: str = "public_indicators", month: Month | None = None) -> set[tuple[Any, ...]]:
    only = "WHERE (district, month) = (%(district)s, %(month)s)" if month else ""
    query = f"SELECT district, month, {', '.join(COLUMNS)} FROM {view} {only}"
    return set(client.execute(query, {"district": month[0], "month": month[1]} if month else None))


def questions_of(cells: set[tuple[Any, ...]]) -> int:
    """Contacts of the whole district in the month."""
    [whole] = [dict(zip(COLUMNS, cell[2:], strict=True)) for cell in cells if cell[2] == "district" and cell[8] == "month"]
    return int(whole["contacts"])


def one_more_writes(client: "Client") -> None:
    """Another question of January becomes known, long after."""
    at, subject = datetime(2026, 1, 14, 12, tzinfo=UTC), uuid4().hex
    client.execute(
        "INSERT INTO cases (district, opened_at, received_at, subject, school, stakeholder, status, partition, version) VALUES",
        [("d0", at, at, subject, "north", subject, "open", PARTITION, 1)],
    )


def state_of(client: "Client", month: Month = JANUARY) -> str:
    return next(each.state for each in month_statuses(client) if each.key == month)


def test_what_is_released_is_what_was_ready(client: "Client") -> None:
    assert cells(client) == set()
    ready = month_statuses(client)
    assert {each.state for each in ready} == {"ready"}
    release(client, [each.key for each in ready])
    assert cells(client) == cells(client, PUBLISHABLE)
    released = month_statuses(client)
    assert {each.state for each in released} == {"released"}
    assert [(each.shown, each.hidden) for each in released] == [(each.shown, each.hidden) for each in ready]
    assert any(each.hidden for each in released)


def test_copies_of_different_days_are_one_copy(client: "Client") -> None:
    #  released    copied    one more question of that month becomes known    copied
    release(client, [JANUARY])
    copied, publishable = cells(client), cells(client, PUBLISHABLE, JANUARY)
    one_more_writes(client)
    assert cells(client) == copied
    assert questions_of(cells(client, PUBLISHABLE, JANUARY)) == questions_of(publishable) + 1, "the attack that this is for"


def test_of_two_releases_the_first_counts(client: "Client") -> None:
    release(client, [JANUARY])
    copied = cells(client)
    one_more_writes(client)
    release(client, [JANUARY])
    assert cells(client) == copied


def test_a_release_is_seen_as_a_whole_or_not_at_all(client: "Client") -> None:
    client.execute("SET max_block_size = 5, min_insert_block_size_rows = 1, min_insert_block_size_bytes = 1")
    release(client, [each.key for each in month_statuses(client)])
    parts = "SELECT count(), sum(rows) FROM system.parts WHERE database = currentDatabase() AND table = 'releases' AND active"
    assert client.execute(parts) == [(1, len(cells(client)))]


def test_a_month_is_taken_back_and_comes_again_as_it_is_then(client: "Client") -> None:
    release(client, [JANUARY, ("d0", date(2026, 2, 1))])
    before = cells(client, month=JANUARY)
    withdraw(client, JANUARY)
    assert state_of(client) == "withdrawn"
    assert {cell[:2] for cell in cells(client)} == {("d0", date(2026, 2, 1))}
    one_more_writes(client)
    release(client, [JANUARY])
    assert state_of(client) == "released"
    assert questions_of(cells(client, month=JANUARY)) == questions_of(before) + 1


@pytest.mark.usefixtures("command")
def test_the_command_releases_what_is_ready_once(client: "Client", capsys: pytest.CaptureFixture[str]) -> None:
    months = len(month_statuses(client))
    assert run(["publication", "release", "--dry-run"]) == ExitCode.OK
    assert f"would become public: {months}" in capsys.readouterr().err
    assert cells(client) == set()
    assert run(["publication", "release", "--district", "d0", "--month", "2026-01"]) == ExitCode.OK
    assert {cell[:2] for cell in cells(client)} == {JANUARY}
    assert run(["publication", "release"]) == ExitCode.OK
    assert run(["publication", "release"]) == ExitCode.OK
    assert capsys.readouterr().err.splitlines() == ["became public: 1", f"became public: {months - 1}", "became public: 0"]


@pytest.mark.usefixtures("command")
def test_the_command_releases_what_was_withdrawn_only_by_its_name(client: "Client", capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["publication", "release"]) == ExitCode.OK
    assert run(["publication", "withdraw", "--district", "d0", "--month", "2026-01"]) == ExitCode.OK
    assert "ten minutes" in capsys.readouterr().err
    for arguments in ([], ["--district", "d0"], ["--month", "2026-01"]):
        assert run(["publication", "release", *arguments]) == ExitCode.OK
        assert state_of(client) == "withdrawn"
    capsys.readouterr()
    assert run(["publication", "list", "--district", "d0", "--format", "json"]) == ExitCode.OK
    told = {each["month"]: each for each in json.loads(capsys.readouterr().out)}
    assert told["2026-01"]["state"] == "withdrawn"
    assert told["2026-02"]["state"] == "released"
    assert told["2026-02"]["since"].endswith("+00:00")
    assert run(["publication", "release", "--district", "d0", "--month", "2026-01"]) == ExitCode.OK
    assert state_of(client) == "released"
    assert run(["publication", "list"]) == ExitCode.OK
    assert "released" in capsys.readouterr().out


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["release", "--month", "2026-13"], ExitCode.USAGE, "write it as 2026-10"),
        (["release", "--month", "January"], ExitCode.USAGE, "write it as 2026-10"),
        (["release", "--month", "2031-01"], ExitCode.REFUSED, "2031-01 is not complete"),
        (["release", "--district", "nowhere"], ExitCode.USAGE, "--district nowhere: nothing was ever counted for it"),
        (["release", "--district", "d0' OR 1=1 --"], ExitCode.USAGE, "nothing was ever counted for it"),
        (["withdraw", "--district", "d0", "--month", "2026-01"], ExitCode.REFUSED, "is not public"),
        (["withdraw", "--district", "d0", "--month", "2026"], ExitCode.USAGE, "write it as 2026-10"),
        (["withdraw", "--month", "2026-01"], ExitCode.USAGE, "--district"),
        (["publish"], ExitCode.USAGE, "publish"),
    ],
)
def test_a_wrong_command_publishes_nothing(
    client: "Client", arguments: list[str], code: ExitCode, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["publication", *arguments]) == code
    assert hint in " ".join(capsys.readouterr().err.split())
    assert client.execute("SELECT count() FROM releases") == [(0,)]
