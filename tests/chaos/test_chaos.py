"""A short run of the fault machine, and the proof that it can fail: the same servers, faults and traffic with stock Faust in it.

`make chaos SEEDS=50` is the long one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.machine import Outcome, Run
from tests.chaos.schedule import KILL, KILL_AT_POINT, LOST_REPLY, STOP, Fault, Plan, drawn
from tests.chaos.servers import Servers, servers
from tests.chaos.stock_run import StockRun

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]

FAULTS = 3
SEEDS = (16, 17, 23)
"""A worker stopped past its session, lost replies, ClickHouse away and overloaded, Kafka cut off, kills at three points."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_is_right_after_the_faults_of(machine: Servers, seed: int, tmp_path: Path) -> None:
    plan = drawn(seed, FAULTS)
    outcome = Run(machine, plan, tmp_path / "run").outcome()
    assert outcome.problems == []
    assert [fault.name for fault in plan.faults] == outcome.plan
    assert all(took_place(outcome, fault.name) for fault in plan.faults), outcome.faults
    assert all(fault.recovery_s is not None for fault in outcome.faults), outcome.faults
    assert outcome.events > 500


def took_place(outcome: Outcome, name: str) -> bool:
    return any(happened.took_place and happened.records > 0 for happened in outcome.faults if happened.name == name)


def test_the_short_run_has_the_faults_that_matter_most() -> None:
    faults = [fault for seed in SEEDS for fault in drawn(seed, FAULTS).faults]
    assert {KILL_AT_POINT, STOP, LOST_REPLY} <= {fault.kind for fault in faults}
    assert len({fault.point for fault in faults if fault.point}) >= 2
    assert any(fault.late_s for fault in faults)


def test_stock_faust_does_not_survive_one_kill(machine: Servers, tmp_path: Path) -> None:
    """Its rows are written before the offset is committed, which it does every three seconds: what lies between is there twice."""
    kill = Fault(KILL, point="", pause_s=1.0, lasts_s=0.0, count=1, target=0.0, alone=True, late_s=0.0)
    outcome = StockRun(machine, Plan(1, 1, (kill,)), tmp_path / "stock").outcome()
    assert not outcome.clean
    assert any("rows are double" in problem for problem in outcome.problems), outcome.problems
