"""What was read is given to all who ask within a time: however many they are, ClickHouse is asked once."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from clickhouse_driver import Client

from streams.clock import Clock

Question = tuple[str, ...]
Answer = TypeVar("Answer")


class Pool(Protocol):
    """What is asked of `streams.page.pool.ReadingPool`."""

    async def ask(self, read: Callable[[Client], Answer]) -> Answer: ...


class Answers:
    """The answers to at most `most` questions, each for `kept_ms`; a failure is kept for nobody. Mutable; of one event loop."""

    def __init__(self, pool: Pool, clock: Clock, kept_ms: int, most: int = 1) -> None:
        self._pool = pool
        self._clock = clock
        self._kept_ms = kept_ms
        self._most = most
        self._known: dict[Question, tuple[int, asyncio.Task[Any]]] = {}

    async def ask(self, question: Question, read: Callable[[Client], Answer]) -> Answer:
        """Raises what `read` does."""
        asked_at, task = self._known.pop(question, (0, None))
        if task is None or self._clock.now() - asked_at >= self._kept_ms or _failed(task):
            asked_at, task = self._clock.now(), asyncio.create_task(self._pool.ask(read))
        self._known[question] = asked_at, task
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        answer: Answer = await asyncio.shield(task)
        return answer


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
