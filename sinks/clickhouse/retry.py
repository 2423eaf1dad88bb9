"""Which failures of an insert pass by themselves, and how long to wait before the next try.

Codes are ClickHouse's own. What is not listed here does not heal by repetition: a wrong type, a missing table, a refused
password. Those stop the worker, because going on without the rows would make every later number wrong.
"""

from collections.abc import Callable

from clickhouse_driver import errors

NETWORK_ERROR = 210
TOO_MANY_PARTS = 252
RETRYABLE = frozenset({3, 107, 159, 164, 202, 203, 209, NETWORK_ERROR, 241, 242, TOO_MANY_PARTS, 285, 319, 425, 999})
"""End of file, file or network trouble, timeouts, limits on queries or memory, read-only replica, Keeper; and too many parts."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
MERGE_PAUSE_S = 5.0
"""Too many parts: merges need seconds to catch up, and each try adds to the load."""


def code_of(failure: Exception) -> int | None:
    """ClickHouse's code of a failure that passes; 210 (network) for a connection that broke; None for one that stays."""
    if isinstance(failure, errors.Error):
        code: int = failure.code
        return code if code in RETRYABLE else None
    if isinstance(failure, OSError | EOFError):
        return NETWORK_ERROR
    return None


def pause_s(attempt: int, code: int, chance: Callable[[], float]) -> float:
    """Exponential, with jitter so that workers do not come back all at once. `chance` gives a number in 0..1."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt, 16))
    jittered = longest * (0.5 + chance() / 2)
    return MERGE_PAUSE_S + jittered if code == TOO_MANY_PARTS else jittered
