"""A run with stock Faust in the worker's place: the same plan, the same traffic, and a comparison that asks for less.

Each record of the topic has to be counted once, in ClickHouse and in the agent's own table. That this fails shows that the
machine can find losses and duplicates.
"""

import signal
import time
from typing import Final

from streams.warehouse import clickhouse_of
from tests.chaos.fleet import KILLED
from tests.chaos.machine import STOPPED_S, Run
from tests.chaos.schedule import Fault
from tests.chaos.stock import ROWS, TOTALS
from tests.chaos.watch import Recovery

RECOVER_S: Final = 20.0
COUNTED_S: Final = 60.0
EXIT_S: Final = 10.0


class StockRun(Run):
    """Nobody dies at a point, for there are none, and nobody ends itself: that is the worker's own.

    Nothing is waited for that may never be.
    """

    program = "tests.chaos.stock"

    def _prepare(self) -> None:
        super()._prepare()
        with clickhouse_of(self._straight).connect() as client:
            client.execute(f"CREATE TABLE {ROWS} (partition UInt32, offset UInt64) ENGINE = MergeTree ORDER BY (partition, offset)")
            client.execute(f"CREATE TABLE {TOTALS} (partition UInt32, total UInt64) ENGINE = MergeTree ORDER BY partition")

    def _kill_at_point(self, fault: Fault) -> tuple[bool, int]:
        return self._kill(fault)

    def _stop(self, fault: Fault) -> tuple[bool, int]:
        member = self._chosen(fault)
        member.signal(signal.SIGSTOP)
        self._pause(STOPPED_S)
        member.signal(signal.SIGCONT)
        return True, 1

    def _send(self, fault: Fault, number: signal.Signals, expected: int, *, replaced: bool = True) -> tuple[bool, int]:
        """Where SIGTERM does not help, SIGKILL does."""
        member = self._chosen(fault)
        member.expected, member.replaced = expected, replaced
        member.signal(number)
        if not self._pause(EXIT_S, lambda: member.exit_code() is not None):
            member.expected = KILLED
            member.child.kill()
        return True, 1

    def _wait_for(self, recovery: Recovery, fault: Fault) -> None:  # noqa: ARG002 - of the worker's run
        self._pause(RECOVER_S, lambda: recovery.took_s is not None)

    def _wait_until_counted(self, when: str) -> None:
        """It may never get there: then the rows tell what is missing."""
        since = time.monotonic()
        self._pause(COUNTED_S, lambda: self._watch.last.at > since and self._watch.last.left() == 0)
        if self._watch.last.left():
            self._outcome.problems.append(f"{self._watch.last.left()} records are not committed {when}")

    def _dismiss(self) -> None:
        for member in self._fleet.members:
            member.replaced, member.expected = False, 0
            member.signal(signal.SIGTERM)
        if not self._pause(EXIT_S, lambda: not self._fleet.members):
            for member in self._fleet.members:
                member.child.kill()

    def _compare(self) -> list[str]:
        ends = {tp.partition: end for tp, end in self._watch.last.ends.items()}
        with clickhouse_of(self._straight).connect() as client:
            rows = client.execute(f"SELECT partition, count(), uniqExact(offset) FROM {ROWS} GROUP BY partition")
            totals = dict(client.execute(f"SELECT partition, max(total) FROM {TOTALS} GROUP BY partition"))
        found = {partition: (count, distinct) for partition, count, distinct in rows}
        return [
            told
            for partition, end in sorted(ends.items())
            if (told := compared(partition, end, *found.get(partition, (0, 0)), totals.get(partition, 0)))
        ]


def compared(partition: int, end: int, rows: int, distinct: int, total: int) -> str:
    """What is wrong with a partition that holds `end` records; nothing when each was counted once."""
    if (rows, distinct, total) == (end, end, end):
        return ""
    return f"partition {partition}: of {end} records {end - distinct} are lost, {rows - distinct} rows are double, the table has {total}"
