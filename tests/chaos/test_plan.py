"""The fault machine's own parts: a seed says everything, every fault is drawn, and an order to die is obeyed once and only under load."""

import os
import signal
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from events.codec import Decoder
from events.partition import partition_of
from events.rejection import Rejection
from tests.chaos.machine import Happened, Outcome
from tests.chaos.points import AFTER_CHANGELOG, AFTER_FOLD, POINTS, Orders, Reached
from tests.chaos.report import line, record, recorded, rows, summary
from tests.chaos.schedule import KILL_AT_POINT, LATE_OFFSETS, REBALANCING, WEIGHTS, drawn
from tests.chaos.stock_run import compared
from tests.chaos.traffic import DISTRICTS, Sent, Traffic
from tests.chaos.watch import Look

NOW = 1_790_000_000_000
PARTITIONS = 4


# -- the plan -------------------------------------------------------------------------------------------------------------
def test_a_seed_gives_the_same_plan_again_and_another_seed_another() -> None:
    assert drawn(17) == drawn(17)
    assert drawn(17) != drawn(18)
    assert drawn(17, 3).faults == drawn(17, 5).faults[:3]


def test_fifty_seeds_draw_every_fault_and_every_point_with_late_answers_only_where_offsets_are_asked_for() -> None:
    faults = [fault for seed in range(50) for fault in drawn(seed).faults]
    assert {fault.kind for fault in faults} == set(WEIGHTS)
    assert {fault.point for fault in faults if fault.kind == KILL_AT_POINT} == set(POINTS)
    late = [fault for fault in faults if fault.late_s]
    assert {fault.kind for fault in late} <= REBALANCING
    assert all(0.005 <= fault.late_s <= 2.0 and fault.alone for fault in late)
    assert LATE_OFFSETS not in WEIGHTS


# -- the traffic ----------------------------------------------------------------------------------------------------------
def traffic(seed: int, count: int = 4_000) -> list[Sent]:
    made = Traffic(seed, PARTITIONS)
    return [record for step in range(count // 20) for record in made.records(20, NOW + step * 50)]


def test_a_seed_gives_the_same_traffic_again_and_another_seed_another() -> None:
    assert traffic(3) == traffic(3)
    assert traffic(3) != traffic(4)


def test_traffic_is_what_it_says() -> None:
    """Valid where it has a key, refused where not; in its district's partition, except what is sent astray; with everything in it."""
    decoder, records = Decoder(), traffic(5)
    for each in records:
        decoded = decoder.decode(each.value, each.headers, NOW + 60_000)
        if each.key is None:
            assert isinstance(decoded, Rejection), each
            continue
        assert not isinstance(decoded, Rejection), each
        district, subject, event = decoded
        assert each.key == (district, subject, event.source, event.id)
        astray = each.partition != partition_of(district, PARTITIONS)
        assert astray <= (each.kind in {"wrong partition", "duplicate", "conflict"})
    kinds = {each.kind.partition(":")[0] for each in records}
    assert kinds == {
        *("opening", "reply", "resolution", "rating", "contact", "second episode"),
        *("late contact", "crowded", "duplicate", "conflict", "wrong partition", "broken"),
    }
    assert {partition_of(district, PARTITIONS) for district in DISTRICTS} == set(range(PARTITIONS)), "a partition without a district"
    assert len(DISTRICTS) > PARTITIONS, "no two districts share a partition"


# -- points ---------------------------------------------------------------------------------------------------------------
@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Signals that this process would have had."""
    signals: list[int] = []
    monkeypatch.setattr("tests.chaos.points.os.kill", lambda _, number: signals.append(number))
    return signals


@pytest.mark.parametrize(("point", "records"), [(AFTER_FOLD, 0), (AFTER_CHANGELOG, 7)])
def test_nobody_dies_without_load_or_elsewhere(tmp_path: Path, killed: list[int], point: str, records: int) -> None:
    orders = Orders(tmp_path)
    orders.give(AFTER_FOLD)
    orders.obey(point, records)
    assert killed == []
    assert orders.reached() == []
    assert orders.take_back()


def test_one_dies_at_the_point_and_says_so_first(tmp_path: Path, killed: list[int]) -> None:
    orders = Orders(tmp_path)
    orders.give(AFTER_FOLD)
    orders.obey(AFTER_FOLD, 7)
    orders.obey(AFTER_FOLD, 8)
    assert killed == [signal.SIGKILL], "the order is for one"
    assert orders.reached() == [Reached(AFTER_FOLD, os.getpid(), 7)]
    assert not orders.take_back()


# -- how far the group is ---------------------------------------------------------------------------------------------------
def test_what_came_since_the_ends_were_read_makes_up_for_nothing_that_is_missing() -> None:
    ends = {TopicPartition("events", 0): 100, TopicPartition("events", 1): 100}
    assert Look(0.0, ends, {TopicPartition("events", 0): 90, TopicPartition("events", 1): 110}).left() == 10
    assert Look(0.0, ends, dict(ends)).left() == 0


# -- the comparison with stock Faust --------------------------------------------------------------------------------------
def test_each_record_once_is_well_and_anything_else_is_told() -> None:
    assert compared(0, 10, rows=10, distinct=10, total=10) == ""
    assert "2 are lost" in compared(0, 10, rows=8, distinct=8, total=10)
    assert "3 rows are double" in compared(0, 10, rows=13, distinct=10, total=10)
    assert "the table has 11" in compared(0, 10, rows=10, distinct=10, total=11)


# -- the report -----------------------------------------------------------------------------------------------------------
def test_the_report_counts_what_took_place_and_keeps_a_seeds_last_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad = Outcome(seed=1, plan=["a"], problems=["lost"], faults=[Happened("a", took_place=True, recovery_s=9.0)])
    good = Outcome(seed=1, plan=["a"], faults=[Happened("a", took_place=True, recovery_s=2.5), Happened("b", took_place=False)])
    other = Outcome(seed=2, plan=["a"], faults=[Happened("a", took_place=True, recovery_s=3.0)], records={"reply": 1_000})
    for outcome in (bad, good, other):
        record(outcome, stock=False)
    record(Outcome(seed=2, plan=[], problems=["as expected"]), stock=True)
    assert recorded() == [good, other]
    assert rows(recorded()) == [("a", "2", "2", "3.0"), ("b", "0", "1", "0.0"), ("all", "2", "3", "3.0")]
    assert summary(recorded()) == "2 of 2 runs are clean; 1,000 records; worst recovery 3.0 s"
    assert "NOT CLEAN" in line(bad)
    assert "b (did not take place)" in line(good)
