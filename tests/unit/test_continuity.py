"""Where the group's offset is ahead of what the state knows: a marker of a transaction, or records that nobody counted."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self

import pytest
from aiokafka import TopicPartition

from streams.worker.continuity import Continuity, StateMissing

TP = TopicPartition("events", 3)


@dataclass
class Log:
    """A partition that holds records at these offsets, and begins and ends where it says; also its consumer."""

    offsets: tuple[int, ...]
    first: int
    end: int
    has_offset: bool = True
    position_at: int = 0
    looked: int = 0

    async def __aenter__(self) -> Self:
        self.looked += 1
        return self

    async def __aexit__(self, *_: object) -> None: ...
    def assign(self, tps: list[TopicPartition]) -> None:
        assert tps == [TP]

    async def beginning_offsets(self, _: Any) -> dict[TopicPartition, int]:
        return {TP: self.first}

    def seek(self, _: TopicPartition, offset: int) -> None:
        assert offset >= self.first
        self.position_at = offset

    async def position(self, _: TopicPartition) -> int:
        return self.position_at

    async def getmany(self, *_: Any, **__: Any) -> dict[TopicPartition, list[Any]]:
        found = next((offset for offset in self.offsets if offset >= self.position_at), None)
        self.position_at = self.end if found is None else found + 1
        return {} if found is None else {TP: [SimpleNamespace(offset=found)]}

    async def check(self, known_to: int, start: int) -> None:
        async def has_offset(_: int) -> bool:
            return self.has_offset

        await Continuity("events", lambda: self, has_offset).check(3, known_to, start)


@pytest.mark.parametrize(("known_to", "start"), [(0, 0), (10, 10), (12, 10)])
async def test_a_state_that_knows_as_much_needs_no_look(known_to: int, start: int) -> None:
    log = Log(tuple(range(20)), 0, 20)
    await log.check(known_to, start)
    assert log.looked == 0


async def test_a_marker_of_a_transaction_is_no_record() -> None:
    await Log((*range(10), *range(11, 20)), 0, 20).check(10, 11)
    await Log(tuple(range(10)), 0, 11).check(10, 11)
    await Log((), 0, 11).check(0, 11)


async def test_records_between_the_state_and_the_offset_are_named() -> None:
    with pytest.raises(StateMissing, match=r"ends at 7: the records at offsets 8 to 14 are in the topic") as missing:
        await Log((*range(7), *range(8, 20)), 0, 20).check(7, 15)
    assert "set it back to 7" in str(missing.value)
    assert "`frontdesk rebuild --from log`" in str(missing.value)


async def test_an_empty_state_beside_an_offset_is_no_state() -> None:
    with pytest.raises(StateMissing, match="ends at 0"):
        await Log(tuple(range(20)), 0, 20).check(0, 15)


async def test_records_that_were_deleted_stop_a_group_that_has_lost_its_offset() -> None:
    with pytest.raises(StateMissing, match="offsets 7 to 14 of events partition 3 were deleted before they were counted"):
        await Log(tuple(range(15, 20)), 15, 20, has_offset=False).check(7, 15)


async def test_whoever_sets_the_offset_beyond_deleted_records_may_go_on_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, str]] = []
    monkeypatch.setattr("streams.worker.continuity.log", SimpleNamespace(error=lambda _, **words: said.append(words)))
    await Log(tuple(range(15, 20)), 15, 20).check(7, 15)
    assert said == [{"where": "events partition 3", "offsets": "7 to 14", "next": "`frontdesk verify` shows what the tables hold"}]


async def test_a_new_group_on_a_topic_that_has_lost_its_beginning_starts_there() -> None:
    await Log(tuple(range(15, 20)), 15, 20, has_offset=False).check(0, 15)
