"""What the fold costs: CPU per event by stage, bytes per remembered case, cases per second of recovery.

Run by hand: `python -m tests.benchmarks.fold [events]`. The order is a live one: each case keeps its own, but two
events of one case are far apart, so nearly every event touches a record that no other event of its batch does.
"""

from __future__ import annotations

import gc
import json
import random
import sys
from itertools import chain
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any

from events.directory import DEFAULT
from events.event import Contacted, Event, Rated, Replied, Resolved
from projections.partition import Entry, Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = 1_790_000_000_000
HOUR = 3_600_000
BATCH = 5_000
PER_CASE = 4.7


class NoWindows:
    """Windows that only give places: what is left is the fold."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str], int] = {}

    def place(self, district: str, school: str, department: str) -> int:
        return self._places.setdefault((district, school, department), len(self._places))

    def add(self, contributions: list[int]) -> None: ...

    def add_message(self, minute: int, place: int, stakeholder: str, sign: int) -> None: ...

    def advance(self, minute: int) -> None: ...

    def touch_all(self) -> None: ...

    def changed(self) -> list[Any]:
        return []


def story(draw: random.Random, number: int) -> list[Event]:
    """One case of about 4.7 events: asked, answered, asked again, settled, rated."""
    at = START + draw.randrange(24 * HOUR)
    district = number % 20
    source = f"/district-{district:02}/helpdesk"
    school, department = f"school-{draw.randrange(10):03}", f"department-{draw.randrange(10):02}"

    def name() -> str:
        return f"{draw.getrandbits(130):026X}"[-26:]

    first = Contacted(at, source, name(), school, department, f"s-{draw.randrange(9999)}", "family", "web", "es", "bus-late", "urgent")
    events: list[Event] = [first]
    for kind in draw.choices("rrrrcsssg", k=draw.choice((2, 3, 3, 4, 4, 4, 4, 5))):
        at += draw.randrange(1, 20 * HOUR)
        if kind == "r":
            events.append(Replied(at, source, name(), school, department, f"a-{draw.randrange(99)}", draw.random() < 0.9))
        elif kind == "c":
            events.append(Contacted(at, source, name(), school, department, first.stakeholder, "family", "email", "es", "bus-late"))
        elif kind == "s":
            events.append(Resolved(at, source, name(), school, department))
        else:
            events.append(Rated(at, source, name(), school, department, float(draw.randrange(1, 6))))
    if draw.random() < 0.03 and len(events) > 2:
        events[1], events[2] = events[2], events[1]
    return events


def live_log(total: int) -> list[Entry]:
    """Records in live order: the first events of all cases, then the second ones, and so on, in stripes."""
    draw = random.Random(7)
    stories = [(f"district-{i % 20:02}", f"case-{i:07}", story(draw, i)) for i in range(int(total / PER_CASE))]
    stripes: list[list[tuple[str, str, Event]]] = [[] for _ in range(6)]
    for district, subject, events in stories:
        for i, event in enumerate(events):
            stripes[i].append((district, subject, event))
    ordered = chain.from_iterable(stripes)
    return [(i, START + 30 * HOUR + i, False, district, subject, event) for i, (district, subject, event) in enumerate(ordered)]


def timed(times: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    begun = process_time()
    result = work()
    times[name] = times.get(name, 0.0) + process_time() - begun
    return result


def batches(log: list[Entry]) -> Iterator[list[Entry]]:
    for begin in range(0, len(log), BATCH):
        yield log[begin : begin + BATCH]


def fold_and_drain(log: list[Entry]) -> tuple[Partition, dict[bytes, bytes | None], dict[str, float]]:
    partition = Partition(0, DEFAULT, windows=NoWindows())  # type: ignore[arg-type] # a stand-in with the same methods
    times: dict[str, float] = {}
    changelog: dict[bytes, bytes | None] = {}
    for batch in batches(log):
        timed(times, "fold", lambda batch=batch: partition.fold(batch))
        changelog.update(timed(times, "drain", partition.drain).changelog)
    return partition, changelog, times


def bytes_per_case(partition: Partition) -> float:
    cases = partition.store.records
    return (sys.getsizeof(cases) + sum(sys.getsizeof(k) + sys.getsizeof(v) for k, v in cases.items())) / len(cases)


def recovery(changelog: dict[bytes, bytes | None]) -> float:
    """Cases per CPU-second."""
    partition = Partition(0, DEFAULT, windows=NoWindows())  # type: ignore[arg-type] # as above
    begun = process_time()
    for key, value in changelog.items():
        partition.restore(key, value)
    partition.restored()
    return len(partition) / (process_time() - begun)


def measure(events: int) -> dict[str, Any]:
    """Microseconds an event by stage (median of three), bytes per remembered case, cases recovered per CPU-second."""
    log = live_log(events)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        runs = [fold_and_drain(log) for _ in range(3)]
        recovered = median(recovery(changelog) for _, changelog, _ in runs)
    finally:
        gc.enable()
        gc.unfreeze()
    stages = {name: round(median(times[name] for _, _, times in runs) / len(log) * 1e6, 2) for name in runs[0][2]}
    partition = runs[0][0]
    return {
        "events": len(log),
        "events_per_case": len(log) / len(partition),
        "stages_us": stages,
        "bytes_per_case": bytes_per_case(partition),
        "recovered_per_s": recovered,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)))
