"""A believable school district, so that a first run, the tests and the benchmarks have something to count.

Pure: a plan goes in, ready CloudEvents come out in the order of their times, always the same for the same plan. Who
sends them, how fast and where to is for the caller.
"""

from streams.simulation.plan import DAY_MS, Plan
from streams.simulation.summary import Summary
from streams.simulation.traffic import Occurrence, simulate, traffic, traffic_of

__all__ = ["DAY_MS", "Occurrence", "Plan", "Summary", "simulate", "traffic", "traffic_of"]
