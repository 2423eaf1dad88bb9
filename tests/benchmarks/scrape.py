"""What a scrape of `/metrics` costs with many cells, in CPU milliseconds: `python -m tests.benchmarks.scrape [cells] [questions]`.

The scrape is answered in the worker's own loop, so this is how long nothing else happens.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any

from events.directory import DEFAULT
from events.event import Contacted
from projections.partition import Partition
from streams.worker.cells import Cells
from streams.worker.process import keep_garbage_apart

MONDAY = 1_789_999_200_000
HOUR = 3_600_000
BATCH = 5_000
A_DISTRICT = 50
"""Cells of a district: itself, 39 schools, 10 departments."""


@dataclass
class Desk:
    partitions: dict[int, Partition]
    is_assigned: bool = True
    directory: Any = DEFAULT
    wall: int = MONDAY

    @property
    def recovering(self) -> list[int]:
        return []

    def now(self) -> int:
        return self.wall


def filled(cells: int, questions: int) -> Desk:
    """Questions of the last two days, none of them answered, in so many cells."""
    draw, partition = random.Random(7), Partition(0, DEFAULT)
    log = []
    for i in range(questions):
        at = MONDAY - 48 * HOUR + i * 52 * HOUR // questions
        district, school, department = f"district-{draw.randrange(cells // A_DISTRICT):03}", draw.randrange(39), draw.randrange(10)
        priority = draw.choice(("routine", "urgent", "critical"))
        event = Contacted(at, f"/{district}", f"{i}", f"school-{school:03}", f"department-{department:02}", priority=priority)
        log.append((i, at, False, district, f"case-{i}", event))
    for begin in range(0, len(log), BATCH):
        partition.fold(log[begin : begin + BATCH])
        partition.drain(wall=log[begin][1])
    processor = Desk({0: partition}, wall=MONDAY + 4 * HOUR)
    partition.advance(processor.wall)
    partition.drain(wall=processor.wall)
    return processor


def measure(cells: int, questions: int) -> dict[str, Any]:
    """Median of five."""
    processor = filled(cells, questions)
    page = Cells(processor, processor, cells + 1, lambda: None, lambda: False)
    times = []
    keep_garbage_apart()  # as the worker does
    for _ in range(5):
        begun = process_time()
        text = page.exposition()
        times.append(process_time() - begun)
    samples = sum(not line.startswith("#") for line in text.splitlines())
    return {"cells": cells, "questions": questions, "samples": samples, "bytes": len(text), "cpu_ms": round(median(times) * 1000, 1)}


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    print(json.dumps(measure(*(given + [5_000, 100_000][len(given) :]))))
