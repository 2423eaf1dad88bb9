"""A worker process for the tests of the consumer: it writes down what it processes, instead of folding it.

Its argument is a JSON object of `Orders`. Lines of the journal: `A` epoch and partitions of an assignment, `S` partition and
offset of the first record after it, `T` partition and records taken, `P` partition, first and last offset processed, `R`
settled at a revoke; the last word is the machine's monotonic time, so that journals of several workers compare.
"""

import asyncio
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from streams.settings import Settings
from streams.worker.app import App, assignment_of, make_app, serve
from streams.worker.transport import Bounds, Fetched, PartitionAssignment


class Orders(msgspec.Struct):
    """What a worker shall do. While the file `pause` exists, nothing of partition 0 is finished."""

    bootstrap: str
    topic: str
    group: str
    journal: str
    pause: str = ""
    session_s: float = 6.0
    records: int = 2000
    fail_at: int = -1
    fail_in_take: bool = False
    faust_worker: bool = False


class Ledger:
    """A processor that processes by writing into a journal, one `Fetched` at a time, and asks before it writes."""

    def __init__(self, orders: Orders, assignment: PartitionAssignment) -> None:
        self._orders = orders
        self._assignment = assignment
        self._file = Path(orders.journal).open("a", buffering=1)  # noqa: SIM115 - open as long as the process lives
        self._waiting: deque[Fetched] = deque()
        self._kept: deque[Fetched] = deque()
        self._wake = asyncio.Event()
        self._busy = asyncio.Lock()
        self._first: set[int] = set()
        self._open = False

    def note(self, *words: object) -> None:
        print(*words, time.monotonic(), file=self._file)

    async def take(self, fetched: Fetched) -> None:
        self.note("T", fetched.partition, len(fetched.records))
        self._fail(fetched, self._orders.fail_in_take)
        self._waiting.append(fetched)
        self._wake.set()

    async def assigned(self, partitions: Iterable[int], epoch: int) -> None:
        self._first = set(partitions)
        self._open = True
        self.note("A", epoch, *sorted(self._first))

    async def revoked(self, deadline_s: float) -> None:
        self._open = False
        self._waiting.clear()
        self._kept.clear()
        async with asyncio.timeout(deadline_s), self._busy:
            self.note("R")

    async def run(self) -> None:
        while True:
            while self._open and (fetched := self._next()):
                async with self._busy:
                    await self._process(fetched)
            self._wake.clear()
            with suppress(TimeoutError):  # the end of a pause wakes nobody
                await asyncio.wait_for(self._wake.wait(), 0.05)

    def _next(self) -> Fetched | None:
        pause = bool(self._orders.pause) and Path(self._orders.pause).exists()
        if self._kept and not pause:
            return self._kept.popleft()
        while self._waiting:
            fetched = self._waiting.popleft()
            if not (pause and fetched.partition == 0):
                return fetched
            self._kept.append(fetched)
        return None

    async def _process(self, fetched: Fetched) -> None:
        self._fail(fetched, not self._orders.fail_in_take)
        await asyncio.sleep(0.002)
        self._assignment.beat()
        if not self._assignment.holds(fetched.partition, fetched.epoch):
            return
        first, last = fetched.records[0].offset, fetched.records[-1].offset
        if fetched.partition in self._first:
            self._first.discard(fetched.partition)
            self.note("S", fetched.partition, first)
        self.note("P", fetched.partition, first, last)
        fetched.finish()

    def _fail(self, fetched: Fetched, here: bool) -> None:
        if here and fetched.records[0].offset <= self._orders.fail_at <= fetched.records[-1].offset:
            raise RuntimeError("the processor fails here")


def made(orders: Orders) -> tuple[App, Ledger]:
    settings = Settings(kafka_bootstrap=orders.bootstrap, topic=orders.topic, group=orders.group, session_timeout_s=orders.session_s)
    assignment = assignment_of(settings, Bounds(records=orders.records, fetch_records=500))
    processor = Ledger(orders, assignment)
    return make_app(settings, processor, assignment), processor


async def ours(orders: Orders) -> None:
    app, processor = made(orders)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve(app, stop, processor.run())


def fausts(orders: Orders) -> None:
    app, processor = made(orders)
    app.task(processor.run)
    app.Worker(loglevel="warning").execute_from_commandline()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Orders)
    if given.faust_worker:
        fausts(given)
    else:
        asyncio.run(ours(given))
