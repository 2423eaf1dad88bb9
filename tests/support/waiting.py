"""Waiting for what has no event: a condition, with a deadline."""

import asyncio
from collections.abc import Callable

WITHIN_S = 30.0


async def until(condition: Callable[[], object], within_s: float = WITHIN_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
