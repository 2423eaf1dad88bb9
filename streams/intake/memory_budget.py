"""How much memory requests may hold together: bytes are claimed as they arrive and given back when Kafka has them.

A claim outlives its request where Kafka is slow, since the producer still holds the records; so what waits is bounded
whatever the clients do. A claim is never larger than what is left for others, so many that send much leave room for one that
sends little (A. K. Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998).
"""

from streams.intake.problem import Problem, Refusal

RETRY_AFTER_S = 2


class MemoryBudget:
    """Mutable, shared by all requests: how many bytes there are and how many are held."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held = 0

    def claim(self) -> "Claim":
        """An empty claim, to be let go by whoever asked."""
        return Claim(self)


class Claim:
    """What one request holds. It ends when everyone who kept it has let go."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._bytes = 0
        self._keepers = 1

    def grow(self, count: int) -> None:
        """Hold so many bytes more. Raises `Problem` where there is no room."""
        if self._bytes + count > self._budget.most_bytes - self._budget.held - count:
            raise Problem(Refusal.CROWDED, "too much is under way: come again in a moment", retry_after_s=RETRY_AFTER_S, closes=True)
        self._budget.held += count
        self._bytes += count

    def keep(self) -> None:
        """Another one needs these bytes to stay."""
        self._keepers += 1

    def let_go(self) -> None:
        self._keepers -= 1
        if self._keepers == 0:
            self._budget.held -= self._bytes
            self._bytes = 0
