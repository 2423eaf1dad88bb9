"""Which failures of an insert pass by themselves, and how long to wait before the next try.

Codes are ClickHouse's own. What is not listed here does not heal by repetition: a wrong type, a missing table, a refused
password. Those stop the worker, because going on without the rows would make every later number wrong.
"""

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

from clickhouse_driver import errors

Answer = TypeVar("Answer")

NETWORK_ERROR = 210
TOO_MANY_PARTS = 252
STD_EXCEPTION = 1001
RETRYABLE = frozenset(
    {
        *(3, 107, 159, 203, 209, NETWORK_ERROR),  # files and sockets that ended, network trouble, timeouts
        *(202, 439),  # too many queries, too few threads
        *(173, 241),  # memory
        *(75, 76, 243),  # a disk that cannot be written, or is full
        *(164, 242, 774),  # a table or a replica that is read-only for the moment
        *(236, 394),  # the insert was given up: the server shuts down, or somebody ended it
        *(TOO_MANY_PARTS, 473),  # merges that are behind; a lock that another statement holds
        *(285, 319, 425, 999),  # too few replicas, an insert whose fate is unknown, system calls, Keeper
    }
)
OF_THE_DISK = ("filesystem error", "Read-only file system", "No space left on device")
"""What the server does not put into a code of its own: it tells the operating system's words, under the code of any C++ exception."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
MERGE_PAUSE_S = 5.0
"""Too many parts: merges need seconds to catch up, and each try adds to the load."""


def code_of(failure: Exception) -> int | None:
    """ClickHouse's code of a failure that passes; 210 (network) for a connection that broke; None for one that stays."""
    if isinstance(failure, errors.Error):
        code: int = failure.code
        passes = code in RETRYABLE or (code == STD_EXCEPTION and any(words in str(failure) for words in OF_THE_DISK))
        return code if passes else None
    if isinstance(failure, OSError | EOFError):
        return NETWORK_ERROR
    return None


def pause_s(attempt: int, code: int, chance: Callable[[], float]) -> float:
    """Exponential, with jitter so that workers do not come back all at once. `chance` gives a number in 0..1."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt, 16))
    jittered = longest * (0.5 + chance() / 2)
    return MERGE_PAUSE_S + jittered if code == TOO_MANY_PARTS else jittered


async def until_answered(ask: Callable[[], Answer], waits: Callable[[int, Exception], None]) -> Answer:
    """What `ask` gives, in a thread, once ClickHouse answers; `waits` hears the code and the failure before each further try.

    Raises what does not heal by repetition.
    """
    attempt = 0
    while True:
        try:
            return await asyncio.to_thread(ask)
        except Exception as failure:
            code = code_of(failure)
            if code is None:
                raise
            waits(code, failure)
            await asyncio.sleep(pause_s(attempt, code, random.random))
            attempt += 1
