"""A run with stock Faust in the worker's place: the same plan, the same traffic, and a comparison that asks for less.

Each record of the topic has to be counted once, in ClickHouse and in the agent's own table. That this fails shows that the
machine can find losses and duplicates.
"""

import signal
from typing import Final

from streams.warehouse import clickhouse_of
from tests.chaos.fleet import KILLED
from tests.chaos.machine import STOPPED_S, Run, Stuck
from tests.chaos.schedule import Fault
from tests.chaos.stock import TABLE

COUNTED_S: Final = 60.0
COLUMNS: Final = "(partition UInt32, offset UInt64, total UInt64)"


class StockRun(Run):
    """Nobody dies at a point, for there are none, and nobody ends itself: that is the worker's own."""

    program = "tests.chaos.stock"
    counted_within_s = COUNTED_S

    def _prepare(self) -> None:
        super()._prepare()
        with clickhouse_of(self._straight).connect() as client:
            client.execute(f"CREATE TABLE {TABLE} {COLUMNS} ENGINE = MergeTree ORDER BY (partition, offset)")

    def _kill_at_point(self, fault: Fault) -> tuple[bool, int]:
        return self._send(fault, signal.SIGKILL, KILLED)

    def _stop(self, fault: Fault) -> tuple[bool, int]:
        member = self._chosen(fault)
        member.signal(signal.SIGSTOP)
        self._pause(STOPPED_S)
        member.signal(signal.SIGCONT)
        return True, 1

    def _wait_until_counted(self, when: str) -> None:
        """It may never get there: then that is one problem, and the rows tell the others."""
        try:
            super()._wait_until_counted(when)
        except Stuck as stuck:
            self._outcome.problems.append(str(stuck))

    def _compare(self) -> list[str]:
        ends = {tp.partition: end for tp, end in self._watch.last.ends.items()}
        with clickhouse_of(self._straight).connect() as client:
            rows = client.execute(f"SELECT partition, count(), uniqExact(offset), max(total) FROM {TABLE} GROUP BY partition")
        found = {partition: told for partition, *told in rows}
        problems = []
        for partition, end in sorted(ends.items()):
            count, distinct, total = found.get(partition, (0, 0, 0))
            if (count, distinct, total) != (end, end, end):
                problems.append(
                    f"partition {partition}: of {end} records {end - distinct} are lost, {count - distinct} rows are there twice, "
                    f"and the table counted {total}"
                )
        return problems
