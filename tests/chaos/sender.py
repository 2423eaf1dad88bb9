"""Sends the traffic of a run, in a thread of its own, until it is told to end; knows what the brokers have for certain."""

import asyncio
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer

from streams.kafka.client import client_options
from streams.settings import Settings
from tests.chaos.traffic import Key, Sent, Traffic

RATE: Final = 300
"""Records a second."""
STEP_S: Final = 0.05
PATIENCE_MS: Final = 120_000
"""Kafka is killed and comes back: what is on the way waits for it."""


class Sender:
    """`keys` are those of all valid events that the brokers acknowledged, `kinds` counts the records of each kind."""

    def __init__(self, settings: Settings, seed: int, rate: int = RATE) -> None:
        self._settings = settings
        self._traffic = Traffic(seed, settings.partitions)
        self._rate = rate
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self.keys: set[Key] = set()
        self.kinds: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if self._failure is not None and kind is None:
            raise self._failure

    def end(self) -> None:
        """Send no more, and wait until the brokers have everything."""
        self.__exit__(None, None, None)

    def _run(self) -> None:
        try:
            asyncio.run(self._send())
        except BaseException as failure:  # noqa: BLE001 - raised where the thread is joined
            self._failure = failure

    async def _send(self) -> None:
        options = client_options(self._settings) | {"request_timeout_ms": PATIENCE_MS}
        producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True, linger_ms=10)
        waiting: list[asyncio.Future[Any]] = []
        await producer.start()
        try:
            while not self._ended.is_set():
                for record in self._traffic.records(int(self._rate * STEP_S), time.time_ns() // 1_000_000):
                    future = await self._put(producer, record)
                    waiting.append(future)
                await asyncio.sleep(STEP_S)
                waiting = [future for future in waiting if not future.done() or future.exception()]
            await asyncio.gather(*waiting)
        finally:
            await producer.stop()

    async def _put(self, producer: AIOKafkaProducer, record: Sent) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = await producer.send(
            self._settings.topic, record.value, key=record.record_key, partition=record.partition, headers=record.headers
        )
        self.kinds[record.kind] += 1
        if record.key is not None:
            self.keys.add(record.key)
        return future
