"""One run of the fault machine: traffic goes on, the plan of a seed is carried out, and at the end every number must be right.

What has to hold afterwards: every worker ended as it should, everything in the log is committed, `frontdesk verify` finds
no difference (the topic against the tables, and every row computed again in SQL), the events in ClickHouse are those that
the publisher has an acknowledgement for, and no process is left.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from events.exit_code import ExitCode
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.warehouse import clickhouse_of
from tests.chaos import schedule
from tests.chaos.fleet import KILLED, MOST, Fleet, Member
from tests.chaos.points import Orders
from tests.chaos.schedule import Fault, Plan
from tests.chaos.sender import Sender
from tests.chaos.servers import SESSION_S, Servers, drop, prepare
from tests.chaos.traffic import CROWDED
from tests.chaos.watch import Recovery, Watch

POLL_S: Final = 0.05
BEGIN_S: Final = 90.0
REACH_S: Final = 40.0
"""A point under load is passed many times a second; one that is not passed within this time is reported as not reached."""
RECOVER_S: Final = 120.0
EXIT_S: Final = 30.0
STOPPED_S: Final = SESSION_S + 2.0
VERIFY_S: Final = 300.0
SLOW_S: Final = 0.15


class Stuck(Exception):
    """Something did not happen in time."""


@dataclass
class Happened:
    """A fault, whether it really took place, and how long it took until all was counted again."""

    name: str
    took_place: bool
    records: int = 0
    recovery_s: float | None = None


@dataclass
class Outcome:
    """What one seed gave. `problems` is empty when all is exact."""

    seed: int
    plan: list[str]
    problems: list[str] = field(default_factory=list)
    faults: list[Happened] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    events: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    folder: str = ""

    @property
    def clean(self) -> bool:
        return not self.problems

    def told(self) -> dict[str, Any]:
        """For the record."""
        return {"clean": self.clean, **asdict(self)}


class Run:
    """A run under way. The fleet is tended wherever something is waited for."""

    program = "tests.chaos.worker"

    def __init__(self, servers: Servers, plan: Plan, folder: Path) -> None:
        self._servers = servers
        self._plan = plan
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._name = f"chaos_{plan.seed}_{time.time_ns() // 1_000_000 % 10_000_000}"
        self._straight = servers.straight(self._name)
        self._faulty = servers.faulty(self._name)
        self._orders = Orders(folder)
        self._outcome = Outcome(plan.seed, [fault.name for fault in plan.faults], folder=str(folder))
        self._recoveries: list[tuple[Happened, Recovery]] = []

    def outcome(self) -> Outcome:
        """Carry the plan out, and judge."""
        began = time.monotonic()
        try:
            self._servers.restore()
            self._prepare()
            self._carry_out()
            self._judge()
        except Stuck as stuck:
            self._outcome.problems.append(str(stuck))
        except Exception:  # noqa: BLE001 - this run has failed, and says how; the next seed has its turn
            self._outcome.problems.append(traceback.format_exc())
        finally:
            self._servers.restore()
        for happened, recovery in self._recoveries:
            happened.recovery_s = None if recovery.took_s is None else round(recovery.took_s, 2)
        self._outcome.seconds = round(time.monotonic() - began, 1)
        if self._outcome.clean:
            drop(self._straight)
            shutil.rmtree(self._folder)
        return self._outcome

    def _prepare(self) -> None:
        prepare(self._straight)

    # -- the plan -----------------------------------------------------------------------------------------------------
    def _carry_out(self) -> None:
        with ExitStack() as stack:
            fleet = self._fleet = stack.enter_context(self._made_fleet())
            watch = self._watch = stack.enter_context(Watch(self._straight))
            sender = stack.enter_context(Sender(self._straight, self._plan.seed))
            stack.callback(self._servers.restore)  # else the sender would wait for Kafka
            for _ in range(self._plan.workers):
                fleet.join()
            self._wait(lambda: sum(watch.last.committed.values()) > 0, BEGIN_S, "the workers did not begin")
            for fault in self._plan.faults:
                self._pause(fault.pause_s)
                self._suffer(fault)
            sender.end()
            self._sender = sender
            self._wait_until_counted("at the end")
            self._dismiss()
            self._wait_until_counted("after the last worker has gone")

    def _made_fleet(self) -> Fleet:
        command = ["-m", self.program, str(self._folder)]
        environment = os.environ | environment_of(self._faulty)
        return Fleet(command, environment, self._folder, lambda: {reached.pid for reached in self._orders.reached()})

    def _suffer(self, fault: Fault) -> None:
        happened = Happened(fault.name, took_place=False)
        self._outcome.faults.append(happened)
        if fault.late_s:
            self._servers.kafka_line.delay_responses(fault.late_s)
        delayed = self._servers.kafka_line.seen.delayed
        happened.took_place, happened.records = self._inflict(fault)
        recovery = self._watch.recovery()
        self._recoveries.append((happened, recovery))
        if fault.alone:
            self._wait_for(recovery, fault)
        if fault.late_s:
            late = self._servers.kafka_line.seen.delayed - delayed
            self._servers.kafka_line.delay_responses(0.0, keys=())
            lateness = Happened(schedule.LATE_OFFSETS, late > 0, late)
            self._outcome.faults.append(lateness)
            self._recoveries.append((lateness, recovery))

    def _wait_for(self, recovery: Recovery, fault: Fault) -> None:
        self._wait(lambda: recovery.took_s is not None, RECOVER_S, f"not everything was counted again after: {fault.name}")

    def _inflict(self, fault: Fault) -> tuple[bool, int]:
        """Whether it took place, and how many records, answers or workers it met. On return it has been lifted."""
        inflict: dict[str, Callable[[Fault], tuple[bool, int]]] = {
            schedule.KILL_AT_POINT: self._kill_at_point,
            schedule.KILL: self._kill,
            schedule.TERMINATE: self._terminate,
            schedule.STOP: self._stop,
            schedule.JOIN: self._join,
            schedule.LEAVE: self._leave,
            schedule.CLICKHOUSE_DOWN: self._clickhouse_down,
            schedule.CLICKHOUSE_SILENT: self._clickhouse_silent,
            schedule.CLICKHOUSE_SLOW: self._clickhouse_slow,
            schedule.CLICKHOUSE_KILLED: self._clickhouse_killed,
            schedule.TOO_MANY_PARTS: self._too_many_parts,
            schedule.MEMORY_LIMIT: self._memory_limit,
            schedule.LOST_REPLY: self._lost_reply,
            schedule.KAFKA_KILLED: self._kafka_killed,
            schedule.KAFKA_DOWN: self._kafka_down,
            schedule.KAFKA_CUT: self._kafka_cut,
        }
        return inflict[fault.kind](fault)

    # -- workers ------------------------------------------------------------------------------------------------------
    def _kill_at_point(self, fault: Fault) -> tuple[bool, int]:
        before = len(self._orders.reached())
        self._orders.give(fault.point)
        self._pause(REACH_S, lambda: len(self._orders.reached()) > before)
        if self._orders.take_back():
            return False, 0
        self._wait(lambda: len(self._orders.reached()) > before, REACH_S, f"a worker took the order and did not die: {fault.point}")
        reached = self._orders.reached()[-1]
        return reached.point == fault.point and reached.records > 0, reached.records

    def _kill(self, fault: Fault) -> tuple[bool, int]:
        return self._send(fault, signal.SIGKILL, KILLED)

    def _terminate(self, fault: Fault) -> tuple[bool, int]:
        return self._send(fault, signal.SIGTERM, 0)

    def _send(self, fault: Fault, number: signal.Signals, expected: int, *, replaced: bool = True) -> tuple[bool, int]:
        member = self._chosen(fault)
        member.expected, member.replaced = expected, replaced
        member.signal(number)
        self._wait(lambda: member.exit_code() is not None, EXIT_S, f"{member.name} did not end on {number.name}")
        return member.exit_code() == expected, 1

    def _stop(self, fault: Fault) -> tuple[bool, int]:
        """Stopped until the group has replaced it; then it must end itself, and write nothing any more."""
        member = self._chosen(fault)
        member.expected = ExitCode.AWAY
        member.signal(signal.SIGSTOP)
        self._pause(STOPPED_S)
        member.signal(signal.SIGCONT)
        self._wait(lambda: member.exit_code() is not None, EXIT_S, f"{member.name} was away for {STOPPED_S} s and goes on")
        return member.exit_code() == ExitCode.AWAY, 1

    def _join(self, _: Fault) -> tuple[bool, int]:
        if len(self._fleet.members) >= MOST:
            return False, 0
        member = self._fleet.join()
        self._wait(lambda: member.exit_code() is not None or member.is_assigned(), BEGIN_S, f"{member.name} does not come up")
        return member.is_assigned(), 1

    def _leave(self, fault: Fault) -> tuple[bool, int]:
        if len(self._fleet.working()) < 2:  # somebody has to stay
            return False, 0
        return self._send(fault, signal.SIGTERM, 0, replaced=False)

    def _chosen(self, fault: Fault) -> Member:
        self._wait(lambda: bool(self._fleet.working()), BEGIN_S, "no worker is left")
        member = self._fleet.chosen(fault.target)
        assert member is not None
        return member

    # -- ClickHouse ---------------------------------------------------------------------------------------------------
    def _clickhouse_down(self, fault: Fault) -> tuple[bool, int]:
        line = self._servers.clickhouse_line
        refused = line.seen.refused
        line.refuse()
        self._pause(fault.lasts_s)
        line.restore()
        return line.seen.refused > refused, line.seen.refused - refused

    def _clickhouse_silent(self, fault: Fault) -> tuple[bool, int]:
        line = self._servers.clickhouse_line
        line.hold()
        self._pause(fault.lasts_s)
        line.restore()
        return True, 1

    def _clickhouse_slow(self, fault: Fault) -> tuple[bool, int]:
        line = self._servers.clickhouse_line
        inserts = line.seen.inserts
        line.delay(SLOW_S)
        self._pause(fault.lasts_s + 2.0)
        line.restore()
        return line.seen.inserts > inserts, line.seen.inserts - inserts

    def _clickhouse_killed(self, fault: Fault) -> tuple[bool, int]:
        self._servers.clickhouse.kill()
        self._pause(fault.lasts_s)
        self._servers.restore()
        return True, 1

    def _too_many_parts(self, _: Fault) -> tuple[bool, int]:
        return self._answer(252, "TOO_MANY_PARTS", 1)

    def _memory_limit(self, fault: Fault) -> tuple[bool, int]:
        return self._answer(241, "MEMORY_LIMIT_EXCEEDED", fault.count)

    def _answer(self, code: int, name: str, count: int) -> tuple[bool, int]:
        line = self._servers.clickhouse_line
        before = line.seen.answers
        line.answer(code, name, count)
        self._pause(REACH_S, lambda: line.seen.answers >= before + count)
        line.restore()
        return line.seen.answers > before, line.seen.answers - before

    def _lost_reply(self, fault: Fault) -> tuple[bool, int]:
        line = self._servers.clickhouse_line
        before = line.seen.lost_replies
        line.lose_replies(fault.count)
        self._pause(REACH_S, lambda: line.seen.lost_replies >= before + fault.count)
        line.restore()
        return line.seen.lost_replies > before, line.seen.lost_replies - before

    # -- Kafka --------------------------------------------------------------------------------------------------------
    def _kafka_killed(self, fault: Fault) -> tuple[bool, int]:
        self._servers.kafka.kill()
        self._pause(fault.lasts_s / 2)
        self._servers.restore()
        return True, 1

    def _kafka_down(self, fault: Fault) -> tuple[bool, int]:
        line = self._servers.kafka_line
        refused = line.seen.refused
        line.refuse()
        self._pause(fault.lasts_s)
        line.restore()
        return line.seen.refused > refused, line.seen.refused - refused

    def _kafka_cut(self, _: Fault) -> tuple[bool, int]:
        line = self._servers.kafka_line
        connections = line.seen.connections
        line.cut()
        self._pause(REACH_S, lambda: line.seen.connections > connections)
        return line.seen.connections > connections, line.seen.connections - connections

    # -- waiting ------------------------------------------------------------------------------------------------------
    def _wait(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        if not self._pause(within_s, condition):
            raise Stuck(f"{what} (within {within_s:.0f} s); {self._state()}")

    def _pause(self, seconds: float, condition: Callable[[], bool] = lambda: False) -> bool:
        """Tend the fleet until the condition holds (True), or for so long (False)."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self._fleet.tend()
            time.sleep(POLL_S)
        return True

    def _state(self) -> str:
        look = self._watch.last
        ends = "; ".join(f"{end.name} ended with {end.code}" for end in self._fleet.ends)
        return f"{look.left()} records are not committed, {len(self._fleet.members)} workers run; {ends}"

    # -- the end ------------------------------------------------------------------------------------------------------
    def _wait_until_counted(self, when: str) -> None:
        """Nothing is left, by a look that began now: a forward or two may still have come."""
        since = time.monotonic()
        self._wait(lambda: self._watch.last.at > since and self._watch.last.left() == 0, RECOVER_S, f"not everything is committed {when}")

    def _dismiss(self) -> None:
        """Nobody is replaced any more, and everybody goes by itself."""
        fleet = self._fleet
        self._wait(lambda: all(member.is_assigned() for member in fleet.members), BEGIN_S, "a worker does not come up")
        for member in fleet.members:
            member.replaced = False
            if member.expected is None:
                member.expected = 0
                member.signal(signal.SIGTERM)
        self._wait(lambda: not fleet.members, EXIT_S, "a worker did not end on SIGTERM")

    def _judge(self) -> None:
        outcome, problems = self._outcome, self._outcome.problems
        outcome.records = dict(self._sender.kinds)
        outcome.ends = dict(Counter(str(end.code) for end in self._fleet.ends))
        problems += [f"{end.name} ended with {end.code}:\n{end.log}" for end in self._fleet.ends if end.is_a_defect()]
        problems += self._compare()

    def _compare(self) -> list[str]:
        """Every way in which the tables differ from the topic, and from what was sent.

        Of the crowded case some is refused: that each of those records has its dead letter, and had to be refused, `verify` says.
        """
        sent, stored = self._sender.keys, stored_keys(self._straight)
        self._outcome.events = len(stored)
        lost, more = sorted(key for key in sent - stored if key[1] != CROWDED), sorted(stored - sent)
        found = [f"{len(lost)} acknowledged events are not in ClickHouse: {lost[:3]}"] if lost else []
        found += [f"{len(more)} events are in ClickHouse that nobody sent: {more[:3]}"] if more else []
        return found + verified(self._straight)


def verified(settings: Settings) -> list[str]:
    """What `frontdesk verify` has to say, as an operator gives the command; nothing when all is equal."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "verify"],
        env=os.environ | environment_of(settings) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=VERIFY_S,
        check=False,
    )
    both_ran = "records = distinct" in done.stdout and done.stdout.rstrip().endswith("no difference")
    return [] if done.returncode == 0 and both_ran else [f"frontdesk verify ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"]


def stored_keys(settings: Settings) -> set[tuple[Any, ...]]:
    with clickhouse_of(settings).connect() as client:
        return set(client.execute("SELECT DISTINCT district, subject, source, id FROM events"))
