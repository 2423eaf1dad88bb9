"""Workers of one group, as processes, on a real Kafka: who joins, leaves, dies or stands still must not cost or double a record."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from events.exit_code import ExitCode

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).parents[1] / "support/consumer_worker.py"
PARTITIONS = 8


async def until(condition: Callable[[], Any], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about in time"
        await asyncio.sleep(0.05)


@dataclass
class Worker:
    process: subprocess.Popen[bytes]
    journal: Path
    log: Path
    read: int = 0
    known: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))

    def lines(self, kind: str) -> list[list[float]]:
        """The numbers of each line of that kind, its time last; only what is new is read."""
        if self.journal.exists():
            with self.journal.open() as file:
                file.seek(self.read)
                whole, newline, _ = file.read().rpartition("\n")
            self.read += len(whole + newline)
            for line in whole.splitlines():
                words = line.split()
                self.known[words[0]].append([float(w) for w in words[1:]])
        return self.known[kind]

    def holds(self) -> set[int]:
        """Partitions of its last assignment."""
        lines = self.lines("A")
        return {int(p) for p in lines[-1][1:-1]} if lines else set()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, within_s: float = 30.0) -> int:
        await until(lambda: self.process.poll() is not None, within_s)
        return self.process.returncode


@dataclass
class Group:
    """A topic, a group, and the workers that were started in it."""

    bootstrap: str
    folder: Path
    topic: str = field(default_factory=lambda: f"events-{uuid.uuid4().hex[:8]}")
    workers: list[Worker] = field(default_factory=list)
    sent: Counter[int] = field(default_factory=Counter)

    @property
    def pause(self) -> Path:
        return self.folder / "pause"

    def worker(self, **orders: Any) -> Worker:
        name = f"worker-{len(self.workers)}"
        journal, log = self.folder / f"{name}.journal", self.folder / f"{name}.log"
        given = {"bootstrap": self.bootstrap, "topic": self.topic, "group": self.topic, "journal": str(journal), "pause": str(self.pause)}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, WORKER, msgspec.json.encode(given | orders).decode()],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
        self.workers.append(Worker(process, journal, log))
        return self.workers[-1]

    @asynccontextmanager
    async def publishing(self, **options: Any) -> AsyncIterator[None]:
        """Send about 2,000 records per second over all partitions, until the block ends."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=2, **options)
        await producer.start()
        sending = asyncio.create_task(self._send(producer))
        try:
            yield
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer) -> None:
        while True:
            for partition in range(PARTITIONS):
                for _ in range(5):
                    await producer.send(self.topic, b"x" * 80, partition=partition)
                self.sent[partition] += 5
            await asyncio.sleep(0.02)

    async def publish(self, partition: int, records: int) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=2)
        await producer.start()
        for _ in range(records):
            await producer.send(self.topic, b"x" * 80, partition=partition)
        await producer.stop()
        self.sent[partition] += records

    def processed(self) -> dict[int, Counter[int]]:
        """How often each offset was processed, by partition."""
        times: dict[int, Counter[int]] = defaultdict(Counter)
        for worker in self.workers:
            for partition, first, last, _ in worker.lines("P"):
                times[int(partition)].update(range(int(first), int(last) + 1))
        return times

    def complete(self) -> bool:
        processed = self.processed()
        return all(len(processed[p]) >= n for p, n in self.sent.items())

    def doubled(self) -> int:
        return sum(n - 1 for times in self.processed().values() for n in times.values())

    def skipped(self) -> list[tuple[int, int]]:
        """Partitions and offsets where a worker began although something before had not been processed yet."""
        done: dict[int, set[int]] = defaultdict(set)
        wrong = []
        lines = [(line[-1], kind, line) for worker in self.workers for kind in "SP" for line in worker.lines(kind)]
        for _, kind, line in sorted(lines):
            partition, first = int(line[0]), int(line[1])
            if kind == "S" and not done[partition].issuperset(range(first)):
                wrong.append((partition, first))
            if kind == "P":
                done[partition].update(range(first, int(line[2]) + 1))
        return wrong

    async def committed(self) -> dict[int, int]:
        async with self.admin() as admin:
            offsets = await admin.list_consumer_group_offsets(self.topic)
        return {tp.partition: meta.offset for tp, meta in offsets.items()}

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def settled(self) -> None:
        """Everything sent has been processed; the rest of the workers goes, and the offsets stand at the end."""
        await until(self.complete)
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.send(signal.SIGTERM)
                assert await worker.ended() == 0, worker.log.read_text()
        assert await self.committed() == dict(self.sent)
        assert self.skipped() == []


@pytest.fixture
async def group(kafka: Any, tmp_path: Path) -> AsyncIterator[Group]:
    group = Group(kafka.bootstrap, tmp_path)
    async with group.admin() as admin:
        await admin.create_topics([NewTopic(group.topic, PARTITIONS, 1)])
    try:
        yield group
    finally:
        for worker in group.workers:
            if worker.process.poll() is None:
                worker.process.kill()
            worker.process.wait()


def all_held(*workers: Worker) -> Callable[[], bool]:
    """Every partition is with one of these workers, and each of them has some."""

    def condition() -> bool:
        held = [worker.holds() for worker in workers]
        return all(held) and sum(len(h) for h in held) == PARTITIONS and set().union(*held) == set(range(PARTITIONS))

    return condition


async def test_workers_that_join_and_leave_cost_and_double_nothing(group: Group) -> None:
    async with group.publishing():
        first = group.worker()
        await until(all_held(first))
        second = group.worker()
        await until(all_held(first, second))
        third = group.worker()
        await until(all_held(first, second, third))
        await until(lambda: third.lines("P"))
        first.send(signal.SIGTERM)
        assert await first.ended() == 0, first.log.read_text()
        await until(all_held(second, third))
        await until(lambda: sum(len(t) for t in group.processed().values()) > 5000)
    await group.settled()
    assert group.doubled() == 0
    assert not any("dropped on the way" in worker.log.read_text() for worker in group.workers)


async def test_a_partition_stays_with_its_worker_when_another_one_joins(group: Group) -> None:
    first = group.worker()
    await until(all_held(first))
    second = group.worker()
    await until(all_held(first, second))
    half, third = first.holds(), group.worker()
    await until(all_held(first, second, third))
    assert first.holds() < half


async def test_a_killed_worker_costs_nothing(group: Group) -> None:
    async with group.publishing():
        first, second = group.worker(), group.worker()
        await until(all_held(first, second))
        await until(lambda: first.lines("P") and second.lines("P"))
        first.send(signal.SIGKILL)
        await until(all_held(second))
    await group.settled()


async def test_a_worker_that_stood_still_too_long_exits_instead_of_writing(group: Group) -> None:
    async with group.publishing():
        first, second = group.worker(), group.worker()
        await until(all_held(first, second))
        await until(lambda: first.lines("P"))
        first.send(signal.SIGSTOP)
        await until(all_held(second))
        taken_over_at = second.lines("A")[-1][-1]
        first.send(signal.SIGCONT)
        assert await first.ended() == ExitCode.AWAY, first.log.read_text()
    assert "away too long" in first.log.read_text()
    assert [line for line in first.lines("P") if line[-1] > taken_over_at] == []
    await group.settled()


async def test_a_worker_that_stood_still_shortly_goes_on(group: Group) -> None:
    async with group.publishing():
        worker = group.worker()
        await until(all_held(worker))
        await until(lambda: worker.lines("P"))
        worker.send(signal.SIGSTOP)
        before, since = len(worker.lines("P")), time.monotonic()
        await until(lambda: time.monotonic() > since + 1)
        worker.send(signal.SIGCONT)
        await until(lambda: len(worker.lines("P")) > before + 10)
    await group.settled()
    assert len(worker.lines("A")) == 1


async def test_a_full_partition_waits_while_others_go_on_and_the_membership_stays(group: Group) -> None:
    group.pause.touch()
    await group.publish(0, 10_000)
    worker = group.worker(records=2000)
    await until(lambda: sum(n for p, n, _ in worker.lines("T") if p == 0) >= 2000)
    full_since = time.monotonic()
    async with group.publishing():
        await until(lambda: time.monotonic() > full_since + 7)  # longer than the session timeout
    assert sum(n for p, n, _ in worker.lines("T") if p == 0) <= 2000 + 500
    await until(lambda: all(len(group.processed()[p]) == group.sent[p] for p in range(1, PARTITIONS)))
    assert not group.processed()[0]
    group.pause.unlink()
    await group.settled()
    assert group.doubled() == 0
    assert len(worker.lines("A")) == 1


@pytest.mark.parametrize("fail_in_take", [False, True], ids=["beside the agent", "in the agent"])
async def test_a_processor_that_fails_stops_its_worker_and_the_next_one_goes_on_there(group: Group, fail_in_take: bool) -> None:
    await group.publish(3, 3000)
    worker = group.worker(fail_at=1234, fail_in_take=fail_in_take)
    assert await worker.ended() == 1
    assert "the processor fails here" in worker.log.read_text()
    assert (await group.committed()).get(3, 0) <= 1234
    group.worker()
    await until(group.complete)
    assert group.skipped() == []


async def test_transactions_leave_holes_that_are_no_loss_and_what_was_taken_back_is_not_seen(group: Group) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=group.bootstrap, transactional_id=group.topic)
    await producer.start()
    for kept in (True, False, True, True, False, True):
        await producer.begin_transaction()
        for _ in range(10):
            await producer.send(group.topic, b"x", partition=5)
        await (producer.commit_transaction() if kept else producer.abort_transaction())
    await producer.stop()
    worker = group.worker()
    await until(lambda: len(group.processed()[5]) >= 40 and len(worker.lines("A")) == 1)
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0
    seen = {int(first) for _, first, _, _ in worker.lines("P")} | {int(last) for _, _, last, _ in worker.lines("P")}
    assert max(seen) == 64
    assert (await group.committed())[5] == 66
    assert "again" not in worker.log.read_text()


async def test_records_that_were_deleted_unread_stop_the_worker(group: Group) -> None:
    await group.publish(2, 1000)
    first = group.worker()
    await until(group.complete)
    first.send(signal.SIGTERM)
    assert await first.ended() == 0
    await group.publish(2, 1000)
    async with group.admin() as admin:
        await admin.delete_records({TopicPartition(group.topic, 2): RecordsToDelete(before_offset=1500)})
    second = group.worker()
    assert await second.ended() == 1
    assert f"stands at offset 1000 of {group.topic} partition 2, which holds 1500 to 2000" in second.log.read_text()


async def test_the_app_also_runs_in_fausts_own_worker(group: Group) -> None:
    worker = group.worker(faust_worker=True)
    async with group.publishing():
        await until(all_held(worker))
        await until(lambda: len(worker.lines("P")) > 10)
    await until(group.complete)
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0, worker.log.read_text()
    assert await group.committed() == dict(group.sent)
    assert group.doubled() == 0


async def test_a_worker_writes_nothing_into_its_folder(group: Group) -> None:
    worker = group.worker()
    await until(all_held(worker))
    assert {path.suffix for path in group.folder.iterdir()} == {".journal", ".log"}


def test_an_unreachable_broker_ends_the_worker_at_once(tmp_path: Path) -> None:
    orders = {"bootstrap": "127.0.0.1:9", "topic": "t", "group": "g", "journal": str(tmp_path / "journal")}
    ended = subprocess.run(
        [sys.executable, WORKER, msgspec.json.encode(orders).decode()],
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode == 1
    assert "KafkaConnectionError" in ended.stderr.splitlines()[-1]
