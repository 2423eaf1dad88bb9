"""ClickHouse fails a worker in every way that has a name. What passes is waited for: nothing more is read, memory stays where it
is, the group's membership stays, the health page says why, and afterwards every number is exact. What does not pass stops the
worker with the place of the rows.

One worker lives through all that passes, on a ClickHouse of this module's own behind a proxy. Where the engine can be brought to
fail by its own settings it is (`BY_ITS_SETTINGS`); the other codes are answers of the proxy (`BY_THE_PROXY`).
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from deploy.embedded.process import tail
from sinks.clickhouse.advice import AWAY, DISK, MEMORY, MERGES, READ_ONLY, SCHEMA, SLOW
from streams.settings import Settings
from streams.terminal.outcome import ExitCode
from tests.chaos.proxy import ClickHouseProxy
from tests.support.outages import Traffic, Watched, assert_exact, wait_for, watched
from tests.support.workers import committed, fresh_settings, query

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

SESSION_S = 6.0
LITTLE_MEMORY = 24 << 20
"""The engine starts and answers with it, and has none to insert with."""
PADDING, MEGABYTES = 100_000, 1 << 20
BOUND_BYTES = 32 << 20
"""Of what may be delivered and unfinished in a partition (`streams.worker.transport.Bounds`)."""


@dataclass
class Ground:
    """A ClickHouse that may be hurt, what stands before it, and the worker that lives through it."""

    server: ClickHouseServer
    proxy: ClickHouseProxy
    settings: Settings
    log: Path
    worker: Watched = field(init=False)
    traffic: Traffic = field(init=False)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Past the proxy."""
        return query(self.settings.model_copy(update={"clickhouse_port": self.server.native_port}), statement)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ClickHouseServer, ClickHouseProxy]]:
    with ClickHouseServer(tmp_path_factory.mktemp("hurt-clickhouse")) as server, ClickHouseProxy(server.native_port) as proxy:
        yield server, proxy


def behind(proxy: ClickHouseProxy, settings: Settings) -> Settings:
    return settings.model_copy(update={"clickhouse_port": proxy.port})


@pytest.fixture(scope="module")
def ground(kafka: Kafka, place: tuple[ClickHouseServer, ClickHouseProxy], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    server, proxy = place
    settings = behind(proxy, fresh_settings("clickhouse_hurt", kafka, server, partitions=2, session_timeout_s=SESSION_S))
    made = Ground(server, proxy, settings, tmp_path_factory.mktemp("hurt") / "worker.log")
    with watched(settings, made.log) as worker:
        made.worker, made.traffic = worker, Traffic(settings)
        worker.wait_until_ready()
        made.traffic.send(20)
        worker.wait_until_counted()
        yield made
        proxy.restore()


@dataclass(frozen=True)
class Outage:
    """How it begins and ends, the code under which it is counted, and the words and the advice that the operator reads."""

    code: str
    begin: Callable[[Ground], object]
    end: Callable[[Ground], object]
    words: str
    advice: str


def with_setting(table: str, **settings: int) -> tuple[Callable[[Ground], object], Callable[[Ground], object]]:
    """Change a table's settings, and take that back."""
    changed = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return (
        lambda ground: ground.execute(f"ALTER TABLE {table} MODIFY SETTING {changed}"),
        lambda ground: ground.execute(f"ALTER TABLE {table} RESET SETTING {', '.join(settings)}"),
    )


def folder_of(ground: Ground, table: str) -> Path:
    [([path, *_],)] = ground.execute(f"SELECT data_paths FROM system.tables WHERE database = currentDatabase() AND name = '{table}'")
    return Path(path)


def block_the_folder(ground: Ground) -> None:
    """A file stands where the table's folder was: nothing can be written there, as on a disk that went away."""
    folder = folder_of(ground, "events")
    folder.rename(folder.with_suffix(".kept"))
    folder.touch()


def clear_the_folder(ground: Ground) -> None:
    [kept] = folder_of(ground, "events").parent.glob("*.kept")
    kept.with_suffix("").unlink()
    kept.rename(kept.with_suffix(""))


def restart(ground: Ground, memory_bytes: int | None) -> None:
    """On the same ports."""
    ground.server.stop()
    ground.server._memory_bytes = memory_bytes
    ground.server.start()


BY_ITS_SETTINGS = {
    "too many parts": Outage("252", *with_setting("events", parts_to_throw_insert=1, parts_to_delay_insert=1), "Too many parts", MERGES),
    "a disk that is full": Outage("243", *with_setting("events", min_free_disk_bytes_to_perform_insert=1 << 60), "enough free space", DISK),
    "a table that is read-only": Outage("774", *with_setting("cases", table_readonly=1), "readonly mode", READ_ONLY),
    "a disk that cannot be written": Outage("1001", block_the_folder, clear_the_folder, "filesystem error", DISK),
    "a memory limit": Outage("241", lambda g: restart(g, LITTLE_MEMORY), lambda g: restart(g, None), "memory limit exceeded", MEMORY),
    "down": Outage("210", lambda g: g.server.stop(), lambda g: g.server.start(), "inserts are paused", AWAY),
}
BY_THE_PROXY = {
    "a replica that is read-only": Outage(
        "242", lambda g: g.proxy.answer(242, "TABLE_IS_READ_ONLY"), lambda g: g.proxy.restore(), "TABLE_IS_READ_ONLY", READ_ONLY
    ),
    "refusing connections": Outage("210", lambda g: g.proxy.refuse(), lambda g: g.proxy.restore(), "inserts are paused", AWAY),
}


@pytest.mark.parametrize("name", [*BY_ITS_SETTINGS, *BY_THE_PROXY])
def test_what_passes_is_waited_for_and_the_operator_reads_why(ground: Ground, name: str) -> None:
    outage, worker = (BY_ITS_SETTINGS | BY_THE_PROXY)[name], ground.worker
    members, counted = worker.members(), committed(worker.settings)
    failures = worker.metric("frontdesk_insert_failures_total", code=outage.code)
    outage.begin(ground)
    try:
        ground.traffic.send(20)
        reason = worker.wait_for_reason(outage.words)
        assert reason.endswith(f"Next: {outage.advice}"), reason
        assert worker.metric("frontdesk_paused") == 1
        assert worker.metric("frontdesk_ready") == 0
        assert worker.metric("frontdesk_insert_failures_total", code=outage.code) > failures
        assert committed(worker.settings) == counted
    finally:
        outage.end(ground)
    worker.wait_until_counted()
    worker.wait_until_ready()
    assert worker.metric("frontdesk_paused") == 0
    told = [line for line in worker.lines("insert is tried again") if line["code"] == int(outage.code)][-1]
    assert (told["level"], told["next"]) == ("warning", outage.advice)
    assert worker.members() == members
    assert_exact(worker.settings, ground.traffic.sent)


def test_a_clickhouse_that_is_killed_under_load_and_starts_again(ground: Ground) -> None:
    worker, before = ground.worker, committed(ground.settings)
    ground.traffic.send(3_000)
    wait_for(lambda: committed(ground.settings) > before, "something is committed")
    ground.server.kill()
    try:
        ground.traffic.send(200)
        worker.wait_for_reason("inserts are paused")
    finally:
        ground.server.start()
    worker.wait_until_counted()
    assert_exact(ground.settings, ground.traffic.sent)


def test_a_clickhouse_that_is_slow_delays_and_does_no_more(ground: Ground) -> None:
    worker, failures = ground.worker, ground.worker.metric("frontdesk_insert_failures_total")
    ground.proxy.delay(0.3)
    try:
        ground.traffic.send(20)
        worker.wait_until_counted()
    finally:
        ground.proxy.restore()
    assert worker.metric("frontdesk_insert_failures_total") == failures
    assert_exact(ground.settings, ground.traffic.sent)


def test_a_clickhouse_that_says_nothing_is_told_before_the_driver_gives_up(ground: Ground) -> None:
    worker = ground.worker
    ground.proxy.hold()
    try:
        ground.traffic.send(20)
        assert worker.wait_for_reason("no answer for 5 s").endswith(f"Next: {SLOW}")
        assert worker.metric("frontdesk_paused") == 1
    finally:
        ground.proxy.restore()
    worker.wait_until_counted()
    worker.wait_until_ready()
    assert worker.metric("frontdesk_paused") == 0
    assert [line["next"] for line in worker.lines("insert has no answer")] == [SLOW]
    assert_exact(ground.settings, ground.traffic.sent)


def test_rows_that_landed_before_their_reply_was_lost_are_sent_again_and_counted_once(ground: Ground) -> None:
    worker, lost = ground.worker, ground.proxy.seen.lost_replies
    failures = worker.metric("frontdesk_insert_failures_total", code="210")
    ground.proxy.lose_replies(3)
    ground.traffic.send(20)
    wait_for(lambda: ground.proxy.seen.lost_replies == lost + 3, "the replies are lost")
    worker.wait_until_counted()
    assert worker.metric("frontdesk_insert_failures_total", code="210") == failures + 3
    assert_exact(ground.settings, ground.traffic.sent)


def test_memory_stays_where_it_is_while_a_log_comes_in_that_is_much_larger_than_the_bounds(ground: Ground) -> None:
    worker, members = ground.worker, ground.worker.members()
    large = Traffic(ground.settings, padding=PADDING, sent=ground.traffic.sent)
    ground.proxy.refuse()
    try:
        large.send(500)  # 100 MB: more than both partitions' bounds and what is on its way
        worker.wait_for_reason("inserts are paused")
        full = resident_when_seen(worker, large.sent)
        large.send(400)  # 80 MB more
        assert resident_when_seen(worker, large.sent) < full + BOUND_BYTES // 2
    finally:
        ground.proxy.restore()
    ground.traffic.sent = large.sent
    worker.wait_until_counted()
    assert worker.members() == members
    assert len(worker.lines("assigned")) == 1, "nobody left, nobody joined, whatever happened in this module"
    assert_exact(ground.settings, large.sent)


def resident_when_seen(worker: Watched, sent: int) -> int:
    """Once the worker knows of all that was sent, and its memory has come to rest."""
    sizes = [0, 1 << 40]
    wait_for(lambda: committed(worker.settings) + worker.metric("frontdesk_lag_events") == sent, "it knows the end of the log")

    def at_rest() -> bool:
        sizes.append(worker.child.resident_bytes())
        return abs(sizes[-1] - sizes[-2]) < MEGABYTES and abs(sizes[-2] - sizes[-3]) < MEGABYTES

    wait_for(at_rest, "the memory comes to rest")
    return sizes[-1]


# -- what does not pass --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Refusal:
    code: int
    table: str
    begin: Callable[[ClickHouseProxy, Callable[[str], object]], object]
    words: str


def statement(sql: str) -> Callable[[ClickHouseProxy, Callable[[str], object]], object]:
    return lambda _, execute: execute(sql)


REFUSALS = {
    "a table that was dropped, by the engine": Refusal(60, "cases", statement("DROP TABLE cases"), "UNKNOWN_TABLE"),
    "a column that was dropped, by the engine": Refusal(
        47, "cases", statement("ALTER TABLE cases DROP COLUMN reopens SETTINGS mutations_sync = 2"), "reopens"
    ),
    "a column of another type, by the engine": Refusal(
        53,
        "cases",
        statement("ALTER TABLE cases DROP COLUMN language, ADD COLUMN language Int64 SETTINGS mutations_sync = 2"),
        "Type mismatch",
    ),
    "a number that became text, by the engine": Refusal(
        0, "windows", statement("ALTER TABLE windows MODIFY COLUMN contact_n String SETTINGS mutations_sync = 2"), "'int' object"
    ),
    "a missing column, by the proxy": Refusal(
        16, "events", lambda proxy, _: proxy.answer(16, "NO_SUCH_COLUMN_IN_TABLE"), "NO_SUCH_COLUMN_IN_TABLE"
    ),
    "bytes that are no rows, by the proxy": Refusal(117, "events", lambda proxy, _: proxy.answer(117, "INCORRECT_DATA"), "INCORRECT_DATA"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_pass_stops_the_worker_with_the_place_of_the_rows(
    kafka: Kafka, place: tuple[ClickHouseServer, ClickHouseProxy], tmp_path: Path, name: str
) -> None:
    server, proxy = place
    refusal = REFUSALS[name]
    direct = fresh_settings(f"refusal_{refusal.code}", kafka, server, partitions=2, session_timeout_s=SESSION_S)
    settings = behind(proxy, direct)
    traffic = Traffic(settings)
    with ExitStack() as stack:
        stack.callback(proxy.restore)
        worker = stack.enter_context(watched(settings, tmp_path / "worker.log"))
        traffic.send(20)
        worker.wait_until_ready()
        worker.wait_until_counted()
        before = committed(settings)
        refusal.begin(proxy, lambda sql: query(direct, sql))
        traffic.send(20)
        code, line = worker.ended()
        assert code == ExitCode.REFUSED, tail(worker.log)
        assert line.startswith(f"frontdesk: {refusal.table}: rows of partition "), line
        assert "offset" in line
        assert refusal.words in line
        assert f"were refused ({refusal.code})" in line
        assert line.endswith(f"Nothing from there on is committed. Next: {SCHEMA}")
        assert committed(settings) == before
        [told] = worker.lines("worker failed")
        assert (told["exit_code"], told["level"]) == (ExitCode.REFUSED, "critical")
        assert told["why"] in line
