"""What goes wrong, when, and to whom: a plan drawn from a seed. The same seed always gives the same plan."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.points import POINTS

KILL_AT_POINT: Final = "kill -9 at a named point"
KILL: Final = "kill -9 at any time"
TERMINATE: Final = "SIGTERM and a new worker"
STOP: Final = "SIGSTOP past the session, SIGCONT"
JOIN: Final = "a worker joins"
LEAVE: Final = "a worker leaves"
CLICKHOUSE_DOWN: Final = "ClickHouse refuses connections"
CLICKHOUSE_SILENT: Final = "ClickHouse is silent"
CLICKHOUSE_SLOW: Final = "ClickHouse is slow"
CLICKHOUSE_KILLED: Final = "ClickHouse killed and restarted"
TOO_MANY_PARTS: Final = "ClickHouse answers 252, too many parts"
MEMORY_LIMIT: Final = "ClickHouse answers 241, memory limit"
LOST_REPLY: Final = "the reply to an insert is lost"
KAFKA_KILLED: Final = "Kafka killed and restarted"
KAFKA_DOWN: Final = "Kafka refuses connections"
KAFKA_CUT: Final = "all connections to Kafka are cut"
LATE_OFFSETS: Final = "late answers to offset fetches"
"""Comes with another fault that makes the group ask for offsets; it is no kind of its own to draw."""

WEIGHTS: Final[dict[str, float]] = {
    KILL_AT_POINT: 14,
    KILL: 1,
    TERMINATE: 2,
    STOP: 2,
    JOIN: 2,
    LEAVE: 2,
    CLICKHOUSE_DOWN: 1,
    CLICKHOUSE_SILENT: 1,
    CLICKHOUSE_SLOW: 1,
    CLICKHOUSE_KILLED: 1,
    TOO_MANY_PARTS: 1,
    MEMORY_LIMIT: 1,
    LOST_REPLY: 2,
    KAFKA_KILLED: 1,
    KAFKA_DOWN: 1,
    KAFKA_CUT: 1,
}
"""How often each is drawn. Killing at points comes first: there are so many of them."""

FAULTS: Final = 5
ALONE_SHARE, LATE_SHARE = 0.6, 0.4
REBALANCING: Final = {KILL_AT_POINT, KILL, TERMINATE, STOP, JOIN, LEAVE}
"""After these the group asks for its offsets."""
LEAST_LATE_S, MOST_LATE_S = 0.005, 2.0


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    `pause_s` passes before it, `lasts_s` until it is lifted, where it has an end. `target` in 0..1 chooses a worker. With `alone`
    the next fault waits until everything is counted again. Answers to offset fetches are up to `late_s` late meanwhile; 0 for not at all.
    """

    kind: str
    point: str
    pause_s: float
    lasts_s: float
    count: int
    target: float
    alone: bool
    late_s: float

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.point}" if self.point else self.kind


@dataclass(frozen=True)
class Plan:
    seed: int
    workers: int
    faults: Sequence[Fault]


def drawn(seed: int, faults: int = FAULTS) -> Plan:
    """The plan of a seed."""
    draw = random.Random(f"plan {seed}")
    return Plan(seed, draw.choice((2, 3)), tuple(_fault(draw) for _ in range(faults)))


def _fault(draw: random.Random) -> Fault:
    kind = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    point = POINTS[int(draw.random() * len(POINTS))]  # one number of the seed, however many points there are
    late = draw.random() < LATE_SHARE and kind in REBALANCING
    return Fault(
        kind=kind,
        point=point if kind == KILL_AT_POINT else "",
        pause_s=draw.uniform(0.2, 2.0),
        lasts_s=draw.uniform(1.0, 4.0),
        count=draw.randint(1, 3),
        target=draw.random(),
        alone=draw.random() < ALONE_SHARE or late,
        late_s=draw.uniform(LEAST_LATE_S, MOST_LATE_S) if late else 0.0,
    )
