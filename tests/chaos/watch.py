"""Follows the group from outside: how far the log goes, how far it is committed, and how long each recovery took."""

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.kafka.client import client_options
from streams.kafka.group import committed_offsets
from streams.settings import Settings

LOOK_EVERY_S: Final = 0.2
PATIENCE_S: Final = 5.0
"""For one look: Kafka may have been killed in the middle of it."""


@dataclass
class Recovery:
    """From the end of a fault until the group has committed what was in the log then."""

    lifted_at: float
    goal: Mapping[TopicPartition, int] = field(default_factory=dict)
    took_s: float | None = None


@dataclass(frozen=True)
class Look:
    """Ends of the log and committed offsets at an instant of the monotonic clock."""

    at: float
    ends: Mapping[TopicPartition, int]
    committed: Mapping[TopicPartition, int]

    def left(self) -> int:
        """Records of the log that are not committed: of each partition, for one that is further than this look makes up for no other."""
        return sum(max(0, end - self.committed.get(tp, 0)) for tp, end in self.ends.items())


class Watch:
    """A thread that looks again and again; `last` is its last look."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._partitions = [TopicPartition(settings.topic, number) for number in range(settings.partitions)]
        self._recoveries: list[Recovery] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), name="watch", daemon=True)
        self.last = Look(time.monotonic(), {}, {})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def recovery(self) -> Recovery:
        """Begin to measure one, now."""
        recovery = Recovery(time.monotonic())
        with self._lock:
            self._recoveries.append(recovery)
        return recovery

    async def _follow(self) -> None:
        while not self._ended.is_set():
            consumer, admin = AIOKafkaConsumer(**client_options(self._settings)), AIOKafkaAdminClient(**client_options(self._settings))
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await consumer.start()
                    await admin.start()
                while not self._ended.is_set():
                    async with asyncio.timeout(PATIENCE_S):
                        await self._look(consumer, admin)
                    await asyncio.sleep(LOOK_EVERY_S)
            except (KafkaError, TimeoutError, OSError):
                await asyncio.sleep(LOOK_EVERY_S)  # Kafka is away: that is what the run is about
            finally:
                await consumer.stop()
                await admin.close()

    async def _look(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        began = time.monotonic()
        ends = await consumer.end_offsets(self._partitions)
        committed = await committed_offsets(admin, self._settings.group, self._partitions)
        look = self.last = Look(began, ends, committed)
        with self._lock:
            for recovery in self._recoveries:
                self._judge(recovery, look)

    @staticmethod
    def _judge(recovery: Recovery, look: Look) -> None:
        if recovery.took_s is None and look.at >= recovery.lifted_at:
            recovery.goal = recovery.goal or look.ends
            if all(look.committed.get(tp, 0) >= end for tp, end in recovery.goal.items()):
                recovery.took_s = time.monotonic() - recovery.lifted_at
