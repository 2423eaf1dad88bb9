"""How long a switch copies what workers write: until everything is committed, nobody works, or an insert would have been given up."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Self

import pytest

from streams.kafka.log_reader import PartitionOffsets
from streams.rebuild import switch
from streams.settings import Settings


class Log:
    """A log that ends at 10 everywhere, and what its group has committed at each look; the last one stays. The first look is at the end."""

    def __init__(self, looks: Sequence[dict[int, int]]) -> None:
        self.looks = list(looks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...
    async def marks(self) -> list[PartitionOffsets]:
        committed = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return [PartitionOffsets(number, 0, committed.get(number, 0), 10) for number in (0, 1)]


async def copies(monkeypatch: pytest.MonkeyPatch, looks: Sequence[dict[int, int]], *, working: bool = True, s_a_look: float = 1) -> int:
    """How often rows are copied."""
    done: list[str] = []
    clock = iter(number * s_a_look for number in range(10_000))

    async def has_members(_: Settings) -> bool:
        return working

    monkeypatch.setattr(switch, "LogReader", lambda *_: Log(looks))
    monkeypatch.setattr(switch, "has_members", has_members)
    monkeypatch.setattr(switch, "monotonic", lambda: next(clock))
    monkeypatch.setattr(switch, "POLL_S", 0)
    monkeypatch.setattr(switch, "carry_over", lambda *where: done.append(where[-1]))
    journal: Any = SimpleNamespace(now=SimpleNamespace(database="beside"), beat=lambda: None)
    await switch._catch_up(None, journal, Settings(), 2)  # type: ignore[arg-type] # nobody asks the client
    assert set(done) == {Settings().clickhouse_database}
    return len(done)


async def test_until_what_was_in_the_log_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await copies(monkeypatch, [{}, {}, {0: 10}, {0: 12, 1: 9}, {0: 12, 1: 10}]) == 4


async def test_once_where_nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await copies(monkeypatch, [{0: 3}], working=False) == 1


async def test_where_a_partition_stands_until_an_insert_would_have_been_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An insert that began before the switch can land for so long, and no longer."""
    given_up_after = switch.RECEIVE_TIMEOUT_S + switch.GRACE_S
    assert await copies(monkeypatch, [{0: 10, 1: 9}], s_a_look=given_up_after / 4) == 4
