"""Another directory while a worker goes on: what it leaves is what it would have been under it from the first event on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import projections.case_store as case_store_module
import projections.partition as partition_module
from events.directory import Directory
from projections.case import decode_head
from projections.case_store import NewerDirectory
from projections.partition import Partition
from projections.restatement import MOST_NAMES, Restatement, summary
from projections.stream_time import CLOCK_KEY
from tests.support.histories import logs
from tests.support.stories import DAY, DISTRICT, MIN, Tables, contact, entries, folded, reply, resolution

if TYPE_CHECKING:
    from projections.partition import Entry

PLAIN = """
revision: 1
zone: UTC
hours: {monday: 00:00-08:00, tuesday: 00:00-08:00, wednesday: 00:00-08:00, thursday: 00:00-08:00, friday: 00:00-08:00}
targets:
  any: {response: 4 business hours, resolution: 16 business hours}
  urgent: {response: 2 business hours}
  critical: {response: none, resolution: none}
districts:
  riverside:
    schools:
      north: {name: North}
      south: {name: South}
  hillside: {name: Hillside}
"""


def changed(revision: int, old: str, new: str) -> Directory:
    assert old in PLAIN
    return Directory.parse(PLAIN.replace(old, new).replace("revision: 1", f"revision: {revision}"))


OLD = Directory.parse(PLAIN)
SNOW = changed(2, "{name: North}", "{name: North, snow_days: [2026-09-22]}")
SHORTER = changed(2, "critical: {response: none,", "critical: {response: 30 calendar minutes,")
ELSEWHERE = changed(2, "{name: Hillside}", "{snow_days: [2026-09-22]}")
H = 60 * MIN


def adopted(partition: Partition, directory: Directory) -> Restatement:
    restatement = Restatement()
    for _ in partition.adopt(directory, restatement):
        pass
    return restatement


def numbers(tables: Tables) -> dict[Any, dict[str, Any]]:
    """What the windows show, without what names the write, and without zeros."""
    shown = {key: {name: n for name, n in row.items() if name not in {"version", "as_of"}} for key, row in tables.windows.items()}
    return {key: row for key, row in shown.items() if any(n for name, n in row.items() if name.endswith("_n"))}


@pytest.mark.parametrize("directory", [SNOW, SHORTER, ELSEWHERE], ids=["snow day", "target", "elsewhere"])
@given(log=logs(), at=st.integers(0, 20))
def test_it_is_as_if_it_had_always_been_so(directory: Directory, log: list[Entry], at: int) -> None:
    partition, tables = folded(log[:at], directory=OLD)
    adopted(partition, directory)
    partition.fold(log[at:])
    while partition.pending:
        tables.write(partition.drain(1))
    tables.write(partition.drain())
    _, new = folded(log, directory=directory)
    assert tables.standing() == new.standing()
    assert numbers(tables) == numbers(new)
    assert tables.latest() == new.latest()


@given(log=logs())
def test_what_comes_back_is_as_if_nothing_had_been(log: list[Entry]) -> None:
    partition, tables = folded(log, directory=OLD)
    before = numbers(tables), {key: {**row, "version": 0, "directory_revision": 0} for key, row in tables.standing().items()}
    adopted(partition, SNOW)
    tables.write(partition.drain())
    adopted(partition, changed(3, "", ""))
    tables.write(partition.drain())
    assert numbers(tables) == before[0]
    assert {key: {**row, "version": 0, "directory_revision": 0} for key, row in tables.standing().items()} == before[1]


def test_it_says_what_it_restated() -> None:
    """The stories begin on Monday, 21 September 2026, at 00:00; the day is open until 08:00."""
    log = [
        *entries([contact(7 * H, school="north", priority="urgent")], "moved"),  # due Tuesday 01:00, resolved by Wednesday 07:00
        *entries([contact(7 * H, school="north", priority="urgent"), reply(8 * H), resolution(25 * H)], "answered", 1),
        *entries([contact(7 * H, school="south", priority="urgent")], "another school", 4),
        *entries([contact(0, school="north", priority="critical")], "without a promise", 5),
        *entries([contact(4 * DAY, school="north", priority="urgent")], "later", 6),
    ]
    partition, _ = folded(log, directory=OLD)
    said = adopted(partition, SNOW)
    assert (said.looked_at, said.cases, said.deadlines) == (5, 2, 4)
    assert summary(said) == {
        "cases": 2,
        "of": 5,
        "deadlines_moved": 4,
        "districts": ["riverside"],
        "schools": ["riverside north"],
        "from_due_at": "2026-09-22T01:00:00+00:00",
        "to_due_at": "2026-09-24T07:00:00+00:00",
    }


def test_a_district_that_another_revision_leaves_alone_is_not_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    partition, _ = folded(entries([contact(0), reply(H)]), directory=OLD)
    monkeypatch.setattr(case_store_module, "made_of", None)
    said = adopted(partition, ELSEWHERE)
    assert (said.looked_at, said.cases) == (1, 0)
    changes = partition.drain()
    assert list(changes.cases[0])
    assert {decode_head(value).directory for key, value in changes.changelog if value and key != CLOCK_KEY} == {2}


def test_it_pauses_so_that_others_can_breathe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_module, "ADOPTED_AT_ONCE", 2)
    partition, _ = folded([entry for i in range(5) for entry in entries([contact(0)], f"case-{i}", i)], directory=OLD)
    assert sum(1 for _ in partition.adopt(SNOW, Restatement())) == 2
    assert partition.pending == 5


def test_a_worker_with_an_older_directory_puts_nothing_back() -> None:
    _, tables = folded(entries([contact(0)]), directory=SNOW)
    heir = Partition(0, OLD)
    for key, value in tables.changelog:
        heir.restore(key, value)
    with pytest.raises(NewerDirectory, match="revision 2 of the directory, and this one has 1"):
        heir.restored()


def test_many_schools_are_named_in_part() -> None:
    said = Restatement(schools={(DISTRICT, f"school-{number:02}") for number in range(MOST_NAMES + 3)})
    assert summary(said)["schools"][-1] == "and 3 more"
    assert Counter(len(name) > 10 for name in summary(said)["schools"])[True] == MOST_NAMES
