"""Whatever is forgotten, begins anew, comes late, comes twice or comes while a worker dies: the tables agree with the archive.

Facts are computed again for each life of a case. A life ends where the case was forgotten: its rows were not written again
with what came later, and nothing had come for 100 days.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from events.directory import DEFAULT
from events.headers import MARKED_BACKFILL
from events.partition import partition_of
from projections import capacity
from projections.case import ENCODE, gather, refold
from projections.episode import finish
from projections.stream_time import CLOCK_KEY
from tests.support.durable import (
    DAY,
    MINUTE,
    NEVER,
    PARTITIONS,
    START,
    Died,
    Durable,
    Outside,
    at_work,
    count_all,
    event,
    told,
    until,
)

DISTRICT = "riverside"
HOME = partition_of(DISTRICT, PARTITIONS)
KINDS = ("contact", "contact", "reply", "resolution")


@dataclass(frozen=True)
class Told:
    """One record: what happened in which case, how long before it arrived, and how long after the record before."""

    kind: str
    subject: str
    name: int
    late_days: int
    pause_days: int
    backfill: bool


RECORDS = st.builds(
    Told,
    kind=st.sampled_from(KINDS),
    subject=st.sampled_from(["a", "b"]),
    name=st.integers(0, 8),
    late_days=st.sampled_from([0, 0, 0, 1, 30, 99, 101, 210]),
    pause_days=st.sampled_from([0, 0, 1, 20, 101, 150]),
    backfill=st.booleans(),
)
PIECES = st.lists(
    st.tuples(st.lists(RECORDS, min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 14) | st.none()), min_size=1, max_size=5
)
"""What arrives while a worker lives, how many records it takes at once, and the deed at which it dies; None: it is asked to stop."""


class InTime(Outside):
    """The wall clock stands at the newest record, and a partition is caught up when all of it is committed."""

    def caught_up(self, partition: int) -> bool:
        return self.durable.committed[partition] == len(self.durable.topic[partition])


def arrive(durable: Durable, records: Sequence[Told], now: int) -> int:
    """Every third record comes twice. Returns the wall clock after the last one."""
    for n, each in enumerate(records):
        now += each.pause_days * DAY + MINUTE
        value = event(each.kind, f"{each.name}-{each.late_days}", each.subject, now - each.late_days * DAY, DISTRICT)
        for _ in range(2 if n % 3 == 0 else 1):
            durable.publish(value, now, HOME, (MARKED_BACKFILL,) if each.backfill else ())
    return now


async def worked(durable: Durable, pieces: Sequence[tuple[list[Told], int, int | None]]) -> None:
    """Workers one after the other, and one in the end that does not die."""
    now = START + 400 * DAY
    for records, batch, dies_at in pieces:
        now = arrive(durable, records, now)
        with suppress(Died):
            await one(durable, batch, now, dies_at=dies_at or NEVER)
    await one(durable, 3, now)


async def one(durable: Durable, batch: int, wall: int, **options: Any) -> None:
    """A worker that counts all there is, and then looks whether there is something to forget."""
    async with at_work(InTime(durable, wall=wall, **options), holds=[HOME]) as (processor, running):
        await count_all(durable, processor, running, batch, holds=[HOME])
        processor._wake.set()
        await until(lambda: processor.ready and processor._held[HOME].day == wall // DAY and clock_of(durable) == wall, running)


def clock_of(durable: Durable) -> int:
    """In the changelog: what was forgotten then is there too."""
    clock: int = msgpack.decode(dict(durable.changelog[HOME]).get(CLOCK_KEY) or ENCODE((0, 0)))[0]
    return clock


def lives_of(durable: Durable, subject: str) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Rows of `events` and of `cases` for each life of a case."""
    rows = defaultdict(list)
    for row in durable.rows("cases").values():
        if row["subject"] == subject:
            rows[row["last_offset"]].append(row)
    ends = sorted(rows)
    archived = [row for row in durable.rows("events").values() if row["subject"] == subject]
    parts = [[row for row in archived if begin < row["offset"] <= end] for begin, end in zip([-1, *ends], ends, strict=False)]
    assert sum(map(len, parts)) == len(archived), "an event later than every row of its case"
    for earlier, later in pairwise(parts):
        touched = max(max(row["produced_at"], row["time"]) for row in earlier)
        assert min(row["produced_at"] for row in later) > touched + 100 * DAY, "nobody may have forgotten it"
    return [(part, rows[end]) for part, end in zip(parts, ends, strict=True)]


def facts(rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What these events say by themselves."""
    ordered, conflicts = gather(told(row) for row in rows)
    names = ("opened_at", "episode", "contacts", "replies", "resolutions", "conflicts", "received_at", "first_response_at")
    return [tuple(getattr(each, name) for name in names) for each in map(finish, refold(ordered, conflicts, DISTRICT, DEFAULT))]


def stored(rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("opened_at", "episode", "contacts", "replies", "resolutions", "conflicts", "received_at", "first_response_at")
    return sorted((tuple(row[name] for name in names) for row in rows), key=lambda row: row[:2])


@given(PIECES)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_the_tables_agree_with_the_archive_life_by_life(pieces: list[tuple[list[Told], int, int | None]]) -> None:
    durable = Durable()
    asyncio.run(worked(durable, pieces))
    assert reasons(durable) <= {"too_late"}
    all_agrees(durable)


@given(PIECES, st.integers(2, 4), st.integers(450, 1_200))
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_they_do_so_where_a_life_or_two_of_them_are_more_than_a_case_may_hold(
    pieces: list[tuple[list[Told], int, int | None]], most_events: int, most_bytes: int
) -> None:
    durable = Durable()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capacity, "MOST_EVENTS", most_events)
        patch.setattr(capacity, "MOST_BYTES", capacity.CASE_BYTES + most_bytes)
        patch.setattr(capacity, "SURELY_FIT", 1)
        asyncio.run(worked(durable, pieces))
    assert reasons(durable) <= {"too_late", "case_full"}
    all_agrees(durable)


def reasons(durable: Durable) -> set[str]:
    """For which records were set aside."""
    return {row["reason"] for _, row in durable.tables["dead_letters"].values()}


def all_agrees(durable: Durable) -> None:
    for subject in ("a", "b"):
        for archived, rows in lives_of(durable, subject):
            assert stored(rows) == sorted(facts(archived), key=lambda row: row[:2])
    each_once_or_refused(durable)
    last_month_is_counted(durable)


def each_once_or_refused(durable: Durable) -> None:
    """No record is both counted and set aside, and history is never too late."""
    refused = {row["offset"]: row["reason"] for _, row in durable.tables["dead_letters"].values()}
    counted = {(row["subject"], row["id"], row["time"], row["kind"]) for row in durable.rows("events").values()}
    offsets = {row["offset"] for row in durable.rows("events").values()}
    assert not offsets & set(refused)
    for record in durable.topic[HOME]:
        late = refused.get(record.offset) == "too_late"
        assert not (late and record.headers)
    assert len(counted) == len(durable.rows("events"))


def last_month_is_counted(durable: Durable) -> None:
    """Contacts of the district's last 28 days, from the rows of the cases."""
    _, window = durable.tables["windows"].get((DISTRICT, "district", "", "", "28d"), (0, {"contact_n": 0}))
    minute = max((int(row["as_of"]) for _, row in durable.tables["windows"].values()), default=0) // 60
    first = (minute // 720 - 55) * 720
    asked = [row["received_at"] // MINUTE for row in durable.rows("cases").values() if row["received_at"] is not None]
    assert window["contact_n"] == sum(first <= at <= minute for at in asked)
