"""How fast each token may send, in events: a bucket that fills evenly, and that a batch may overdraw once.

A request is let in while the bucket is not empty, and is charged for its events afterwards, so that a batch of any size
passes and the rate holds all the same. The bucket holds what comes together in ten seconds, so bursts are not punished.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from streams.intake.grant import Grant
from streams.intake.problem import Problem, Refusal

BURST_S = 10.0


@dataclass
class _Bucket:
    left: float
    filled_at: float


class RateLimiter:
    """The buckets of all tokens, mutable. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def ask(self, grant: Grant) -> None:
        """Raise `Problem` where the token has nothing left."""
        if grant.rate:
            left = self._bucket(grant).left
            if left <= 0:
                wait_s = math.ceil((1 - left) / grant.rate)
                raise Problem(Refusal.TOO_FAST, f"this token may send {grant.rate:g} events a second", retry_after_s=wait_s, closes=True)

    def charge(self, grant: Grant, events: int) -> None:
        if grant.rate:
            self._bucket(grant).left -= events

    def only(self, ids: set[str]) -> None:
        """Forget tokens that are no more."""
        self._buckets = {token: bucket for token, bucket in self._buckets.items() if token in ids}

    def _bucket(self, grant: Grant) -> _Bucket:
        now, most = self._clock(), max(grant.rate * BURST_S, 1.0)
        bucket = self._buckets.setdefault(grant.id, _Bucket(most, now))
        bucket.left = min(most, bucket.left + (now - bucket.filled_at) * grant.rate)
        bucket.filled_at = now
        return bucket
