"""Faust's consumer with our delivery and commit, on a fake of the thread that talks to aiokafka."""

import asyncio
import os
import ssl
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError, CorruptRecordException, IllegalStateError
from faust.types import TP
from pydantic import SecretStr, ValidationError

from streams.settings import Settings
from streams.worker.app import App, make_app
from streams.worker.transport import Fetched, LostRecords
from streams.worker.transport.assignment import FetchedRange, FlowState
from streams.worker.transport.consumer import Consumer
from streams.worker.transport.thread import DAY_MS, FetchThread

TOPIC = "frontdesk.events"


class FakeKafka:
    """Partitions as lists of records, and positions that move as aiokafka's do; in place of the thread, in the same loop."""

    def __init__(self, **ends: int) -> None:
        self.ends = {int(name[1:]): end for name, end in ends.items()}
        self.group: dict[int, int] = {}
        self.positions: dict[int, int] = {}
        self.calls: list[str] = []
        self.fail_commit: Exception | None = None
        self.fail_fetch: Exception | None = None
        self.before_return: asyncio.Event | None = None

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await work

    def assignment(self) -> set[TP]:
        return {TP(TOPIC, p) for p in self.ends}

    async def seek_to_start(self, partitions: Sequence[int]) -> dict[int, int]:
        self.positions = {p: self.group.get(p, 0) for p in partitions}
        starts = dict(self.positions)
        if self.before_return is not None:
            await self.before_return.wait()
        return starts

    async def seek_to(self, partition: int, offset: int) -> None:
        self.calls.append(f"seek {partition} {offset}")
        self.positions[partition] = offset

    async def fetch(self, partitions: Sequence[int], max_records: int, timeout_s: float) -> list[FetchedRange]:
        assert timeout_s < 1
        if self.fail_fetch is not None:
            raise self.fail_fetch
        spans = [self._read(p, max_records) for p in partitions]
        if self.before_return is not None:
            await self.before_return.wait()
        return spans

    def _read(self, partition: int, max_records: int) -> FetchedRange:
        before = self.positions[partition]
        after = self.positions[partition] = min(self.ends[partition], before + max_records)
        return FetchedRange(
            partition, before, [record(partition, offset) for offset in range(before, after)], after, self.ends[partition], 0.0
        )

    async def commit_offsets(self, offsets: Mapping[int, int]) -> None:
        self.calls.append(f"commit {dict(offsets)}")
        if self.fail_commit is not None:
            raise self.fail_commit
        self.group.update(offsets)


class FakeReceiver:
    """Keeps what it gets; at a revoke it finishes what it was told to."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.taken: list[Fetched] = []
        self.under_way: list[Fetched] = []
        self.epoch = 0

    async def take(self, fetched: Fetched) -> None:
        self.taken.append(fetched)

    async def assigned(self, partitions: Iterable[int], epoch: int) -> None:
        self.epoch = epoch
        self.calls.append(f"assigned {list(partitions)}")

    async def revoked(self, deadline_s: float) -> None:
        self.calls.append(f"revoked within {deadline_s}")
        for fetched in self.under_way:
            fetched.finish()


def record(partition: int, offset: int) -> Any:
    return SimpleNamespace(
        topic=TOPIC, partition=partition, offset=offset, timestamp=1_700_000_000_000, timestamp_type=0, value=b"", serialized_value_size=10
    )


@dataclass(frozen=True)
class Listener:
    """What Faust's index knows of an agent's channel."""

    queue: asyncio.Queue[Any]


class Bench:
    """A consumer on the fake, with what its channel got."""

    def __init__(self, **ends: int) -> None:
        self.kafka = FakeKafka(**ends)
        self.processor = FakeReceiver(self.kafka.calls)
        self.app: App = make_app(Settings(session_timeout_s=10), self.processor)
        self.consumer: Consumer = self.app.consumer
        self.consumer._thread.thread_loop.close()
        self.consumer._thread = self.kafka  # type: ignore[assignment]  # the fake stands for it
        self.channel: asyncio.Queue[Any] = self.app.FlowControlQueue(maxsize=100, clear_on_resume=True)
        listener = Listener(self.channel)
        for partition in self.kafka.ends:
            self.app.topics._tp_index[TP(TOPIC, partition)].add(listener)

    async def assign(self) -> None:
        await self.consumer.perform_seek()
        self.app.flow_control.resume()
        self.consumer.resume_flow()

    async def revoke(self) -> None:
        await self.consumer.on_partitions_revoked(self.kafka.assignment())

    def delivered(self) -> list[Fetched]:
        values = []
        while not self.channel.empty():
            values.append(self.channel.get_nowait().value)
        return values


@pytest.fixture
async def bench() -> Bench:
    return Bench(p0=500, p1=300)


def offsets(fetched: Fetched) -> tuple[int, int, int]:
    return fetched.partition, fetched.records[0].offset, fetched.records[-1].offset


async def test_each_fetch_of_a_partition_is_one_event(bench: Bench) -> None:
    await bench.assign()
    await bench.consumer._fetch_once()
    assert [offsets(f) for f in bench.delivered()] == [(0, 0, 499), (1, 0, 299)]


async def test_an_empty_fetch_is_no_event(bench: Bench) -> None:
    bench.kafka.group = {0: 500, 1: 300}
    await bench.assign()
    await bench.consumer._fetch_once()
    assert bench.delivered() == []


async def test_the_group_goes_on_at_its_committed_offsets(bench: Bench) -> None:
    bench.kafka.group = {0: 490}
    await bench.assign()
    await bench.consumer._fetch_once()
    assert [offsets(f) for f in bench.delivered()] == [(0, 490, 499), (1, 0, 299)]


async def test_acknowledging_commits_nothing_and_finishing_does(bench: Bench) -> None:
    await bench.assign()
    await bench.consumer._fetch_once()
    event = bench.channel.get_nowait()
    assert event.ack()
    assert not await bench.consumer.commit()
    event.value.finish()
    assert await bench.consumer.commit()
    assert bench.kafka.group == {0: 500}


async def test_dropped_records_are_fetched_again(bench: Bench) -> None:
    await bench.assign()
    bench.kafka.positions[0] = 77  # aiokafka gave 0..76 to somebody else
    await bench.consumer._fetch_once()
    assert [offsets(f) for f in bench.delivered()] == [(1, 0, 299)]
    await bench.consumer._fetch_once()
    assert [offsets(f) for f in bench.delivered()] == [(0, 0, 499)]
    assert "seek 0 0" in bench.kafka.calls


async def test_a_fetch_over_a_rebalance_is_dropped_and_its_records_come_again(bench: Bench) -> None:
    await bench.assign()
    bench.kafka.before_return = asyncio.Event()
    under_way = asyncio.create_task(bench.consumer._fetch_once())
    await asyncio.sleep(0)
    await bench.revoke()
    bench.kafka.before_return.set()
    await bench.assign()
    bench.kafka.positions |= {0: 500}  # it ended after the seek: aiokafka's position is beyond what anybody saw
    await under_way
    assert bench.delivered() == []
    await bench.consumer._fetch_once()
    await bench.consumer._fetch_once()
    assert sorted(offsets(f) for f in bench.delivered()) == [(0, 0, 499), (1, 0, 299)]


async def test_a_revoke_settles_then_commits_then_forgets(bench: Bench) -> None:
    await bench.assign()
    await bench.consumer._fetch_once()
    bench.processor.under_way = bench.delivered()[:1]
    bench.kafka.calls.clear()
    await bench.revoke()
    assert bench.kafka.calls == ["revoked within 5.0", "commit {0: 500}"]
    assert bench.app.assignment.flow is FlowState.HELD
    assert not bench.app.assignment.holds(0, bench.processor.under_way[0].epoch)


async def test_what_waits_in_the_channel_at_a_revoke_is_never_taken(bench: Bench) -> None:
    await bench.assign()
    await bench.consumer._fetch_once()
    waiting = bench.delivered()
    await bench.revoke()
    await bench.assign()
    assert len(waiting) == 2
    assert not any(bench.app.assignment.delivers(fetched.epoch) for fetched in waiting)
    assert bench.kafka.group == {}


async def test_a_rebalance_during_the_seek_makes_it_void(bench: Bench) -> None:
    bench.kafka.before_return = asyncio.Event()
    seeking = asyncio.create_task(bench.consumer.perform_seek())
    await asyncio.sleep(0)
    await bench.revoke()
    bench.kafka.before_return.set()
    await seeking
    bench.consumer.resume_flow()
    assert bench.app.assignment.flow is FlowState.HELD
    assert not any(call.startswith("assigned") for call in bench.kafka.calls)


@pytest.mark.parametrize("error", [IllegalStateError("not assigned"), LostRecords("gone"), TimeoutError()])
async def test_a_seek_that_a_rebalance_broke_is_void_and_stops_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def seek_to_start(_: Sequence[int]) -> dict[int, int]:
        await bench.revoke()
        raise error

    monkeypatch.setattr(bench.kafka, "seek_to_start", seek_to_start)
    await bench.consumer.perform_seek()
    assert bench.app.crash_reason is None
    assert bench.app.assignment.flow is FlowState.HELD


async def test_a_seek_that_fails_without_a_rebalance_stops_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def seek_to_start(_: Sequence[int]) -> dict[int, int]:
        raise LostRecords("gone")

    monkeypatch.setattr(bench.kafka, "seek_to_start", seek_to_start)
    await bench.consumer.perform_seek()
    assert isinstance(bench.app.crash_reason, LostRecords)


async def test_a_rebalance_while_dropped_records_are_sought_is_no_failure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.assign()
    bench.kafka.positions |= {0: 77, 1: 77}  # records of both partitions were dropped

    async def seek_to(partition: int, offset: int) -> None:
        bench.kafka.calls.append(f"seek {partition} {offset}")
        await bench.revoke()

    monkeypatch.setattr(bench.kafka, "seek_to", seek_to)
    await bench.consumer._fetch_once()
    assert [call for call in bench.kafka.calls if call.startswith("seek")] == ["seek 0 0"], "the other one is nobody's any more"


async def test_a_worker_without_partitions_says_so_to_the_processor(bench: Bench) -> None:
    bench.kafka.ends.clear()
    await bench.consumer.on_partitions_assigned(set())
    assert "assigned []" in bench.kafka.calls


async def test_a_commit_that_the_group_refuses_is_no_failure_and_stays_uncommitted(bench: Bench) -> None:
    await bench.assign()
    await bench.consumer._fetch_once()
    bench.delivered()[0].finish()
    for refusal in (CommitFailedError("the group has already rebalanced"), IllegalStateError("not assigned")):
        bench.kafka.fail_commit = refusal
        assert not await bench.consumer.commit()
    bench.kafka.fail_commit = None
    assert await bench.consumer.commit()


async def test_any_other_failure_to_commit_at_a_revoke_stops_the_worker(bench: Bench) -> None:
    await bench.assign()
    await bench.consumer._fetch_once()
    bench.delivered()[0].finish()
    bench.kafka.fail_commit = ConnectionError("no way")
    await bench.revoke()
    assert bench.app.crash_reason is bench.kafka.fail_commit


async def test_a_processor_that_does_not_settle_is_fenced_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.worker.transport.consumer.FINISH_LIMIT_SHARE", 0.001)
    await bench.assign()
    await bench.consumer._fetch_once()
    fetched = bench.delivered()[0]

    async def hang(_: float) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.processor, "revoked", hang)
    await bench.revoke()
    fetched.finish()
    assert not bench.app.assignment.holds(fetched.partition, fetched.epoch)
    assert not await bench.consumer.commit()


async def test_a_processor_that_fails_to_settle_stops_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.assign()
    error = ValueError("cannot settle")

    async def fail(_: float) -> None:
        raise error

    monkeypatch.setattr(bench.processor, "revoked", fail)
    await bench.revoke()
    assert bench.app.crash_reason is error


async def test_a_commit_that_hangs_does_not_hold_up_the_revoke(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.worker.transport.consumer.COMMIT_SHARE", 0.001)
    await bench.assign()
    await bench.consumer._fetch_once()
    bench.delivered()[0].finish()

    async def hang(_: Mapping[int, int]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.kafka, "commit_offsets", hang)
    await bench.revoke()
    assert bench.app.crash_reason is None
    assert bench.app.assignment.flow is FlowState.HELD


@pytest.mark.parametrize("error", [LostRecords("gone"), CorruptRecordException("crc")])
async def test_a_failed_fetch_is_raised(bench: Bench, error: Exception) -> None:
    await bench.assign()
    bench.kafka.fail_fetch = error
    with pytest.raises(type(error)):
        await bench.consumer._fetch_once()


async def test_a_failed_fetch_of_an_assignment_that_is_over_is_not(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.assign()

    async def fetch(*_: Any) -> list[FetchedRange]:
        await bench.revoke()
        raise IllegalStateError("not assigned")

    monkeypatch.setattr(bench.kafka, "fetch", fetch)
    await bench.consumer._fetch_once()
    assert bench.delivered() == []


async def test_the_consumer_waits_without_polling_while_everything_is_full(bench: Bench) -> None:
    await bench.assign()
    bench.app.assignment.bounds = type(bench.app.assignment.bounds)(records=100)
    await bench.consumer._fetch_once()
    waiting = asyncio.create_task(bench.consumer._fetch_once())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    for fetched in bench.delivered():
        fetched.finish()
    await waiting


# -- the app ----------------------------------------------------------------------------------------------------------
def client_of(app: App) -> Any:
    """The consumer that the app's thread would start; never started, so there is nothing to close."""
    client = FetchThread._create_worker_consumer(SimpleNamespace(), app.transport)  # type: ignore[arg-type]  # needs no thread
    client._closed = True
    return client


async def test_credentials_and_certificates_reach_the_client(bench: Bench) -> None:
    settings = Settings(
        kafka_security="SASL_SSL", kafka_sasl_mechanism="SCRAM-SHA-512", kafka_user="processor", kafka_password=SecretStr("hush")
    )
    connected = client_of(make_app(settings, bench.processor))._client
    assert isinstance(connected._ssl_context, ssl.SSLContext)
    assert connected._security_protocol == "SASL_SSL"
    assert connected._sasl_mechanism == "SCRAM-SHA-512"
    assert (connected._sasl_plain_username, connected._sasl_plain_password) == ("processor", "hush")


def test_a_missing_certificate_file_is_told() -> None:
    with pytest.raises(ValidationError, match="is not a file that can be read"):
        Settings(kafka_security="SSL", kafka_ca_file=Path("/does/not/exist.pem"))


async def test_passwords_are_not_in_what_is_printed(bench: Bench) -> None:
    app = make_app(
        Settings(kafka_security="SASL_PLAINTEXT", kafka_user="processor", kafka_password=SecretStr("hush-hush")), bench.processor
    )
    assert "hush" not in repr(app._subscription) + repr(app)


async def test_the_consumer_never_leaves_for_want_of_polls_nor_resets_offsets(bench: Bench) -> None:
    client = client_of(bench.app)
    assert client._max_poll_interval_ms == DAY_MS
    assert client._auto_offset_reset == "none"
    assert client._enable_auto_commit is False
    assert client._session_timeout_ms == client._rebalance_timeout_ms == 10_000
    assert client._heartbeat_interval_ms == 1000
    assert client._request_timeout_ms > client._rebalance_timeout_ms


async def test_the_app_has_neither_tables_nor_web_nor_files(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await bench.app.on_first_start()
    assert not bench.app.conf.web_enabled
    assert not bench.app.tables
    assert bench.app.conf.topic_disable_leader
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib's way is for threads, says another rule


def test_a_thread_that_has_ended_after_a_crash_is_stopped_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = object.__new__(FetchThread)
    ended = asyncio.new_event_loop()
    ended.close()
    monkeypatch.setattr(FetchThread, "thread_loop", ended, raising=False)
    monkeypatch.setattr(FetchThread, "_stopped", asyncio.Event(), raising=False)
    thread._stopped_set()
