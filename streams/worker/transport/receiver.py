"""What the consumer needs of whoever does the work."""

from collections.abc import Iterable
from typing import Protocol

from streams.worker.transport.offset_tracker import Fetched


class Receiver(Protocol):
    """The receiver of records. It may hold several `Fetched` and finish them later, each partition's in order."""

    async def take(self, fetched: Fetched) -> None:
        """Take records over. Nothing counts as done before `fetched.finish()`; an exception stops the worker."""

    async def assigned(self, partitions: Iterable[int], epoch: int) -> None:
        """These partitions, and no others, are in hand; none of their records has been delivered under this epoch yet."""

    async def revoked(self, deadline_s: float) -> None:
        """End or give up what is under way within the deadline. What is finished on return gets committed, the rest is delivered again."""
