"""What counts as counted: every partition up to where it ended, whatever the others have got since."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka.backlog import Backlog
from streams.kafka.log_reader import PartitionOffsets
from streams.rebuild import incarnation
from streams.settings import Settings


def log(*partitions: tuple[int, int], first: int = 0) -> Backlog:
    """Committed and end of each partition."""
    return Backlog([PartitionOffsets(number, first, *marks) for number, marks in enumerate(partitions)])


HELD = log((0, 1_000), (0, 1_000))
BEHIND_BESIDE_NEW_TRAFFIC = log((900, 1_000), (1_500, 1_500))


def test_what_one_partition_got_since_makes_up_for_nothing_in_another() -> None:
    assert not BEHIND_BESIDE_NEW_TRAFFIC.has_counted(HELD)
    assert BEHIND_BESIDE_NEW_TRAFFIC.left == 100
    assert log((1_000, 1_000), (1_000, 2_000)).has_counted(HELD)


def test_a_partition_that_is_gone_is_not_counted() -> None:
    assert not log((1_000, 1_000)).has_counted(HELD)
    assert not log().has_counted(HELD)
    assert log().has_counted(log((0, 0)))


def test_records_that_the_topic_no_longer_has_are_not_waited_for() -> None:
    state = log((5, 30), (20, 30), (40, 30), first=10)
    assert [marks.left for marks in state.partitions] == [20, 10, 0]
    assert (state.produced, state.committed, state.left) == (60, 30, 30)


async def test_a_round_of_a_rebuild_ends_when_every_partition_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = log((1_000, 1_000), (1_500, 1_500))
    answers = [HELD, BEHIND_BESIDE_NEW_TRAFFIC, whole, whole, whole]
    told: list[Backlog] = []

    async def asked(_: Settings) -> Backlog:
        return answers.pop(0)

    desk: Any = SimpleNamespace(floods=[])
    journal: Any = SimpleNamespace(beat=lambda: None)
    monkeypatch.setattr(incarnation, "backlog", asked)
    monkeypatch.setattr(incarnation, "ASKED_EVERY_S", 0)
    async with asyncio.timeout(5):
        await incarnation._until_counted(desk, Settings(), journal, told.append)
    assert told == [BEHIND_BESIDE_NEW_TRAFFIC]
    assert answers == []
