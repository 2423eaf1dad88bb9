"""The rules of the consumer, without Kafka: what may be fetched, delivered, committed and written, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.transport import Bounds, Fetched, PartitionAssignment
from streams.worker.transport.assignment import FIRST_GUESS_BYTES, LEAST_RECORDS, FetchedRange, Hole
from streams.worker.transport.away import Away


@dataclass(frozen=True)
class Rec:
    offset: int
    serialized_value_size: int = 100


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def assignment(bounds: Bounds | None = None, clock: Hand | None = None) -> PartitionAssignment:
    return PartitionAssignment(bounds or Bounds(), Away(30, clock=clock or Hand()), clock=clock or Hand())


def opened(starts: dict[int, int], bounds: Bounds | None = None, clock: Hand | None = None) -> PartitionAssignment:
    made = assignment(bounds, clock)
    made.begin(starts)
    assert made.open()
    return made


def span(
    partition: int, first: int, after: int, *, size: int = 100, highwater: int | None = None, polled_at: float = 1000.0
) -> FetchedRange:
    records = [Rec(offset, size) for offset in range(first, after)]
    return FetchedRange(partition, first, records, after, after if highwater is None else highwater, polled_at)


def empty(partition: int, before: int, after: int, highwater: int, polled_at: float) -> FetchedRange:
    return FetchedRange(partition, before, (), after, highwater, polled_at)


def received(of: PartitionAssignment, *spans: FetchedRange) -> list[Fetched]:
    fetched = [of.receive(s) for s in spans]
    assert None not in fetched
    return [f for f in fetched if f is not None]


# -- commit -----------------------------------------------------------------------------------------------------------
@given(ends=st.lists(st.integers(1, 50), min_size=1, max_size=12, unique=True).map(sorted), data=st.data())
def test_the_end_of_the_longest_finished_prefix_is_committable(ends: Sequence[int], data: st.DataObject) -> None:
    made = opened({0: 0})
    fetched = received(made, *(span(0, first, after) for first, after in pairwise([0, *ends])))
    done = data.draw(st.lists(st.sampled_from(range(len(fetched))), unique=True))
    for i in done:
        fetched[i].finish()
    prefix = next((i for i in range(len(fetched)) if i not in done), len(fetched))
    assert made.committable() == ({0: ends[prefix - 1]} if prefix else {})


def test_what_is_committed_is_not_committed_again() -> None:
    made = opened({0: 5})
    (fetched,) = received(made, span(0, 5, 9))
    fetched.finish()
    made.committed({0: 9}, made.epoch)
    fetched.finish()
    assert made.committable() == {}


def test_a_commit_of_an_earlier_assignment_says_nothing_about_this_one() -> None:
    made = opened({0: 0})
    earlier = made.epoch
    made.forget()
    made.begin({0: 0})
    made.open()
    (fetched,) = received(made, span(0, 0, 9))
    fetched.finish()
    made.committed({0: 9}, earlier)
    assert made.committable() == {0: 9}


def test_finishing_after_the_revoke_commits_nothing() -> None:
    made = opened({0: 0})
    (fetched,) = received(made, span(0, 0, 9))
    made.close()
    made.forget()
    made.begin({0: 0})
    fetched.finish()
    assert made.committable() == {}


def test_finishing_between_close_and_forget_still_counts() -> None:
    made = opened({0: 0})
    (fetched,) = received(made, span(0, 0, 9))
    made.close()
    fetched.finish()
    assert made.committable() == {0: 9}
    assert made.holds(0, fetched.epoch)


# -- order ------------------------------------------------------------------------------------------------------------
def test_a_fetch_that_does_not_start_where_the_last_one_ended_is_a_hole() -> None:
    made = opened({0: 0})
    received(made, span(0, 0, 10))
    with pytest.raises(Hole, match="fetched from 12, expected 10"):
        made.receive(span(0, 12, 20))
    assert made.expected(0) == 10
    received(made, span(0, 10, 20))


def test_positions_without_records_are_passed_over_and_committed_with_what_is_done() -> None:
    #  0..9 records, 10 a control record, 11.. records, 15..16 control records
    made = opened({0: 0})
    first, second = received(made, FetchedRange(0, 0, [Rec(i) for i in range(10)], 11, 11, 0), span(0, 11, 15))
    assert made.receive(empty(0, 15, 17, 17, 0)) is None
    assert made.expected(0) == 17
    assert made.committable() == {}
    first.finish()
    assert made.committable() == {0: 11}
    second.finish()
    assert made.committable() == {0: 15}
    assert made.receive(empty(0, 17, 18, 18, 0)) is None
    assert made.committable() == {0: 18}


# -- the gate ---------------------------------------------------------------------------------------------------------
def test_nothing_is_fetched_or_delivered_before_the_seek() -> None:
    made = assignment()
    assert not made.open()
    assert made.wanted() == []
    epoch = made.begin({0: 0, 1: 0})
    assert made.wanted() == []
    assert not made.delivers(epoch)
    assert made.open()
    assert made.wanted() == [0, 1]
    assert made.delivers(epoch)


def test_between_revoke_and_assignment_nothing_is_delivered_but_what_is_held_may_be_written() -> None:
    made = opened({0: 0})
    epoch = made.epoch
    assert made.close()
    assert not made.delivers(epoch)
    assert made.wanted() == []
    assert made.holds(0, epoch)
    made.forget()
    assert not made.holds(0, epoch)
    assert not made.close()


def test_an_epoch_once_over_never_comes_back() -> None:
    made = opened({0: 0})
    epoch = made.epoch
    made.close()
    made.forget()
    made.begin({0: 0})
    made.open()
    assert not made.holds(0, epoch)
    assert not made.delivers(epoch)
    assert made.holds(0, made.epoch)
    assert not made.holds(1, made.epoch)


# -- back pressure ----------------------------------------------------------------------------------------------------
def test_a_full_partition_waits_until_half_of_it_is_done_while_others_go_on() -> None:
    made = opened({0: 0, 1: 0}, Bounds(records=100))
    parts = received(made, *(span(0, first, first + 25) for first in range(0, 100, 25)))
    assert made.wanted() == [1]
    assert made.pressed
    parts[0].finish()
    parts[1].finish()
    assert made.wanted() == [1]
    made.changed.clear()
    parts[2].finish()
    assert made.changed.is_set()
    assert made.wanted() == [0, 1]
    assert not made.pressed


def test_bytes_fill_a_partition_too() -> None:
    made = opened({0: 0, 1: 0}, Bounds(bytes=10_000))
    received(made, span(0, 0, 10, size=999))
    assert made.wanted() == [0, 1]
    received(made, span(0, 10, 11))
    assert made.wanted() == [1]


@pytest.mark.parametrize("bounds", [Bounds(total_records=30), Bounds(total_bytes=3000)])
def test_all_partitions_wait_when_together_they_hold_too_much(bounds: Bounds) -> None:
    made = opened({0: 0, 1: 0, 2: 0}, bounds)
    fetched = received(made, span(0, 0, 10), span(1, 0, 10), span(2, 0, 10))
    assert made.wanted() == []
    assert made.pressed
    fetched[0].finish()
    assert made.wanted() == [0, 1, 2]
    assert not made.pressed


@pytest.mark.parametrize("bounds", [Bounds(records=10, total_records=30), Bounds(records=10, total_bytes=3000)])
def test_partitions_that_stand_do_not_stop_the_others(bounds: Bounds) -> None:
    """As four of them did whose breaker was open: they hold what they may, which was the whole."""
    made = opened(dict.fromkeys(range(5), 0), bounds)
    received(made, *(span(standing, 0, 10) for standing in (0, 1, 2, 3)))
    assert made.wanted() == [4]
    (first,) = received(made, span(4, 0, 6))
    assert made.wanted() == [], "over its share: all together hold no more than twice the total"
    first.finish()
    assert made.wanted() == [4]


def test_what_is_finished_out_of_order_still_counts_as_held() -> None:
    made = opened({0: 0}, Bounds(records=20))
    first, second = received(made, span(0, 0, 10), span(0, 10, 20))
    second.finish()
    assert made.wanted() == []
    first.finish()
    assert made.wanted() == [0]


@pytest.mark.parametrize(("size", "room"), [(100, 20_000), (4096, 4096), (10_000_000, LEAST_RECORDS)])
def test_a_fetch_gives_as_many_records_as_half_a_partition_may_hold(size: int, room: int) -> None:
    made = opened({0: 0}, Bounds(bytes=32 << 20))
    assert made.fetch_limit() == (16 << 20) / FIRST_GUESS_BYTES
    received(made, span(0, 0, 3, size=size))
    assert made.fetch_limit() == room


def test_tombstones_have_no_bytes() -> None:
    made = opened({0: 0})
    (fetched,) = received(made, FetchedRange(0, 0, [Rec(0, -1), Rec(1, 7)], 2, 2, 0))
    assert fetched.size == 7


# -- caught up --------------------------------------------------------------------------------------------------------
def test_a_partition_is_caught_up_while_its_end_is_reached_done_and_known_freshly() -> None:
    clock = Hand()
    made = opened({0: 0}, clock=clock)
    assert not made.caught_up(0)  # nothing is known
    (fetched,) = received(made, span(0, 0, 10, highwater=12, polled_at=clock.now))
    fetched.finish()
    assert not made.caught_up(0)  # two more are there
    (fetched,) = received(made, span(0, 10, 12, highwater=12, polled_at=clock.now))
    assert not made.caught_up(0)  # not done
    fetched.finish()
    assert made.caught_up(0)
    clock.now += 4.9
    assert made.caught_up(0)
    clock.now += 0.2
    assert not made.caught_up(0)  # old news
    made.receive(empty(0, 12, 12, 12, clock.now))
    assert made.caught_up(0)
    made.close()
    assert not made.caught_up(0)
    assert not made.caught_up(7)


# -- fail-stop --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("away_s", "ended"), [(0.2, 0), (17.9, 0), (18.1, 1), (3600, 1)])
def test_a_worker_that_was_away_over_six_tenths_of_its_session_ends(away_s: float, ended: int) -> None:
    clock, ends = Hand(), list[int]()
    away = Away(30, clock=clock, end=lambda: ends.append(1))
    away.beat()
    clock.now += away_s
    away.beat()
    assert sum(ends) == ended


def test_the_time_before_the_first_beat_does_not_count() -> None:
    clock, ends = Hand(), list[int]()
    away = Away(30, clock=clock, end=lambda: ends.append(1))
    clock.now += 1000
    away.beat()
    assert not ends
