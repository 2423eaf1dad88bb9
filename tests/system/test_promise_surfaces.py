"""One promise, one answer: whatever tells how a promise stands says the same, for every history of a family (docs/decisions/005)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest

from events.directory import Directory
from events.event import Contacted, Event, Replied, Resolved
from projections.overview import PERIODS, overview
from projections.partition import Partition
from sinks.clickhouse import overview as page
from sinks.clickhouse import queries
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import migrate
from sinks.clickhouse.queries import dictionaries
from sinks.clickhouse.writer import RowWriter
from streams.clock import WallClock
from streams.worker.tables import tables_of
from tests.support.observers import Deaf

if TYPE_CHECKING:
    from clickhouse_driver import Client

    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

MIN = 60_000
DAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DIRECTORY: Final = Directory.parse(f"""
revision: 1
zone: UTC
hours: {{{", ".join(f"{day}: 00:00-24:00" for day in DAYS)}}}
targets: {{routine: {{response: 2 calendar hours, resolution: 8 calendar hours}}}}
""")
DUE_MIN: Final = {"response": 120, "resolution": 480}
WARN_SHARE: Final = 0.8


@dataclass(frozen=True)
class History:
    """What happened to one question, in minutes after it was asked, `age` minutes ago; None where it did not."""

    age: int
    needs_reply: bool
    replied: int | None
    settled: int | None
    outcome: str
    then: tuple[tuple[str, int], ...]

    def events(self, now: int) -> Iterator[Event]:
        asked_at = now - self.age * MIN
        yield Contacted(asked_at, "/desk", "asked", priority="routine", needs_reply=self.needs_reply)
        if self.replied is not None:
            yield Replied(asked_at + self.replied * MIN, "/desk", "replied")
        if self.settled is not None:
            yield Resolved(asked_at + self.settled * MIN, "/desk", "settled", outcome=self.outcome)
        for kind, minute in self.then:
            at, name = asked_at + minute * MIN, f"{kind}-{minute}"
            if kind == "settled":
                yield Resolved(at, "/desk", name, outcome=self.outcome)
            else:
                yield Contacted(at, "/desk", name, priority="routine", needs_reply=kind == "asked")

    @property
    def is_spam(self) -> bool:
        return self.outcome == "spam" and self.settled is not None and not self.is_asked_again

    @property
    def is_asked_again(self) -> bool:
        return bool(self.then) and self.then[-1][0] == "asked"

    @property
    def is_open(self) -> bool:
        return self.settled is None or self.is_asked_again

    def answered(self, target: str) -> int | None:
        """The minute in which a promise ended: settling answers, too, and the first time counts."""
        ends = [self.settled] if target == "resolution" else [self.replied, self.settled]
        return min((end for end in ends if end is not None), default=None)

    def state(self, target: str) -> str:
        """By the rules alone."""
        due, end = DUE_MIN[target], self.answered(target)
        if target == "response" and not self.needs_reply:
            return "no promise"
        if end is not None:
            return "kept" if end <= due else "missed"
        if self.age > due:
            return "missed"
        return "due soon" if self.age > WARN_SHARE * due else "in time"


def histories() -> list[History]:
    """Asked 20 hours ago (all is due), or so lately that a promise is due soon, or still in time."""
    again: tuple[tuple[tuple[str, int], ...], ...] = (
        (),
        (("asked", 720),),
        (("asked", 720), ("settled", 840)),
        (("settled", 840),),
        (("thanked", 720),),
        (("asked", 720), ("settled", 840), ("asked", 900)),
    )
    found = {
        History(1200, needs, replied, settled, outcome if settled else "resolved", then if settled else ())
        for needs, replied, settled, outcome, then in product(
            (True, False), (None, 60, 180), (None, 90, 360, 600), ("resolved", "spam"), again
        )
    }
    for age in (60, 110, 200, 400):  # in time; the response is due soon; is missed; the resolution is due soon
        for needs, replied, settled in product((True, False), (None, 20), (None, 30)):
            found |= {History(age, needs, replied, settled, "resolved", then if settled else ()) for then in ((), (("asked", 40),))}
    return sorted(found, key=str)


HISTORIES: Final = histories()


@dataclass(frozen=True)
class Told:
    """What each surface says, by district: each history has a district of its own."""

    open_cases: dict[str, dict[str, Any]]
    oncall: dict[str, dict[str, Any]]
    page: dict[str, list[dict[str, Any]]]
    windows: dict[str, dict[str, Any]]
    breaches: dict[str, dict[str, dict[str, Any]]]
    metrics: dict[str, dict[str, Any]]


def district_of(number: int) -> str:
    return f"district-{number}"


@pytest.fixture(scope="module")
def told(clickhouse: "ClickHouseServer") -> Told:
    server, now = ClickHouse(port=clickhouse.native_port, database="promise_surfaces"), WallClock().now()
    migrate(server)
    partition = Partition(0, DIRECTORY)
    events = [
        (event, district_of(number)) for number, history in enumerate(HISTORIES) for event in history.events(now) if event.time <= now
    ]
    events.sort(key=lambda each: each[0].time)
    partition.fold([(i, event.time, False, district, "case", event) for i, (event, district) in enumerate(events)])
    partition.advance(now)

    async def written() -> None:
        writer = RowWriter(server.connect, Deaf())
        await writer.write(tables_of([partition.drain()], [], "topic"))
        await writer.close()

    asyncio.run(written())
    with server.connect() as client:
        return asked(client, metrics_of(partition))


def asked(client: "Client", metrics: dict[str, dict[str, Any]]) -> Told:
    names = [district_of(number) for number in range(len(HISTORIES))]
    breaches: dict[str, dict[str, dict[str, Any]]] = {}
    for row in dictionaries(client, "SELECT * FROM breaches WHERE stage = 'breach'", {}):
        breaches.setdefault(row["district"], {})[row["target"]] = row
    return Told(
        {row["district"]: row for row in dictionaries(client, "SELECT * FROM open_cases(district = '')", {})},
        {row["district"]: row for row in queries.waiting(client)},
        {name: page.waiting(client, name)[1] for name in names},
        {row["district"]: row for row in queries.indicators(client, scope="district", window="24h", limit=10_000)},
        breaches,
        metrics,
    )


def metrics_of(partition: Partition) -> dict[str, dict[str, Any]]:
    seen, period = overview(partition, DIRECTORY.schedule_of), PERIODS.index("24h")
    return {
        cell.district: {
            "open": int(seen.open_n[number]),
            "waiting": int(seen.waiting_n[number]),
            **{
                target: {
                    "soon": int(seen.overdue[number, i, 0].sum()),
                    "overdue": int(seen.overdue[number, i, 1].sum() + seen.backlog[number, i].sum()),
                    "due": int(seen.due[number, i, period]),
                    "missed": int(seen.missed[number, i, period]),
                }
                for i, target in enumerate(DUE_MIN)
            },
        }
        for number, cell in enumerate(seen.cells)
        if cell.scope == "district"
    }


@pytest.mark.parametrize("target", list(DUE_MIN))
@pytest.mark.parametrize("number", range(len(HISTORIES)), ids=lambda number: str(HISTORIES[number]))
def test_every_surface_tells_the_same_of_a_promise(told: Told, number: int, target: str) -> None:
    history, name = HISTORIES[number], district_of(number)
    state = history.state(target)
    is_counted, is_due = not history.is_spam, history.age > DUE_MIN[target] and state != "no promise"
    is_owed = history.is_open and history.answered(target) is None
    if history.is_open:
        assert told.open_cases[name][f"{target}_promise"] == state
    assert (name in told.open_cases) == history.is_open
    due, kept = int(is_due and is_counted), int(is_due and is_counted and state == "kept")
    counted = told.windows.get(name, {})
    assert (counted.get(f"{target}s_due", 0), counted.get(f"{target}s_in_time", 0)) == (due, kept)
    breach = told.breaches.get(name, {}).get(target)
    assert (breach is not None) == (state == "missed" and is_counted)
    assert breach is None or bool(breach["is_open"]) == is_owed
    metrics = told.metrics.get(name, {}).get(target, {})
    assert (metrics.get("due", 0), metrics.get("missed", 0)) == (due, due - kept)
    assert metrics.get("overdue", 0) == int(is_owed and state == "missed")
    assert metrics.get("soon", 0) == int(is_owed and state == "due soon")


@pytest.mark.parametrize("number", range(len(HISTORIES)), ids=lambda number: str(HISTORIES[number]))
def test_every_surface_tells_the_same_of_who_waits(told: Told, number: int) -> None:
    history, name = HISTORIES[number], district_of(number)
    waits = history.is_asked_again or (history.needs_reply and history.answered("response") is None)
    metrics, row, listed = told.metrics.get(name, {}), told.oncall.get(name), told.page[name]
    assert (metrics.get("waiting", 0), metrics.get("open", 0)) == (int(waits), int(history.is_open))
    assert (row is not None, len(listed)) == (waits, int(waits))
    if row is None:
        return
    owed = [target for target in DUE_MIN if history.state(target) != "no promise" and history.answered(target) is None]
    assert row["target"] == (owed[0] if owed else "")
    assert row["promise"] == history.state(owed[0] if owed else "resolution")
    assert (row["due_at"] is None) == (not owed)
    assert bool(listed[0]["follow_up"]) == (history.answered("response") is not None)
    is_late = listed[0]["due_at"] is not None and history.age > DUE_MIN["response"]
    assert is_late == (owed[:1] == ["response"] and history.state("response") == "missed")
