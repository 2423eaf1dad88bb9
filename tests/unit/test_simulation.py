from collections import Counter
from datetime import UTC, date, datetime
from itertools import islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import Contact, Rating, Reply, Resolution
from events.cloudevents import structured
from events.codec import Decoder
from events.event import Contacted, Rated, Replied, Resolved
from streams.simulation import Occurrence, Plan, Summary, simulate, traffic
from streams.simulation.district import DEPARTMENTS, district
from streams.simulation.school_year import is_school_day, volume

UNTIL = int(datetime(2026, 11, 20, 22, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CONTENT_TYPE = [("content-type", b"application/cloudevents+json")]
MODELS = {"contact": Contact, "reply": Reply, "resolution": Resolution, "rating": Rating}


def events_of(plan: Plan) -> list[Occurrence]:
    return list(simulate(plan))


def small(seed: int = 1, **changes: int) -> Plan:
    return Plan(**({"until": UNTIL, "students": 300, "days": 4, "seed": seed} | changes))


def test_the_same_plan_gives_the_same_bytes_and_another_seed_others() -> None:
    assert events_of(small()) == events_of(small())
    assert events_of(small()) != events_of(small(seed=2))


@given(st.integers(0, 400), st.integers(1, 5), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_events_come_in_order_within_the_plan(days_earlier: int, days: int, districts: int) -> None:
    plan = small(until=UNTIL - days_earlier * DAY_MS, days=days, districts=districts)
    times = [occurrence.time for occurrence in simulate(plan)]
    assert times == sorted(times)
    assert all(plan.since <= time <= plan.until for time in times)


def test_what_is_live_later_is_what_history_would_have_been() -> None:
    #  a plan that ends now and goes on  ==  the same plan, had it ended a day later
    earlier, later = small(days=3, until=UNTIL), small(days=4, until=UNTIL + DAY_MS)
    history = events_of(later)
    assert len(history) > len(events_of(earlier))
    assert list(islice(traffic(earlier), len(history))) == history


def test_ids_are_unique_and_short() -> None:
    names = [(o.district, e["source"], e["id"]) for o in simulate(small(districts=2)) for e in [msgspec.json.decode(o.value)]]
    assert len(set(names)) == len(names) > 0
    assert max(len(name) for _, _, name in names) <= 16


def test_the_bytes_are_the_published_contract() -> None:
    decoder, kinds = Decoder(), Counter()
    for occurrence in simulate(small(students=600, days=10)):
        kind = msgspec.json.decode(occurrence.value)["type"].split(".")[2]
        model = MODELS[kind].model_validate_json(occurrence.value)
        wire = structured(model)
        decoded = decoder.decode(occurrence.value, CONTENT_TYPE, UNTIL)
        assert isinstance(decoded, tuple), decoded
        assert decoded == decoder.decode(wire.value, wire.headers, UNTIL)
        assert (decoded[0], decoded[2].time, wire.key) == (occurrence.district, occurrence.time, occurrence.district.encode())
        kinds[kind] += 1
    assert set(kinds) == set(MODELS)
    assert not decoder.unknown_members


@pytest.mark.parametrize(("seed", "students"), [(1, 2_000), (7, 2_000)])
def test_the_distributions_are_as_stated(seed: int, students: int) -> None:
    plan = Plan(until=UNTIL, students=students, days=28, seed=seed)
    summary = Summary(plan)
    for occurrence in simulate(plan):
        summary.add(occurrence.time, occurrence.value)
    assert [share for share in summary.shares() if not share.as_stated] == []


def test_a_summary_counts_what_it_is_given() -> None:
    plan = small(days=10)
    summary = Summary(plan)
    occurrences = events_of(plan)
    for occurrence in occurrences:
        summary.add(occurrence.time, occurrence.value)
    assert summary.events == len(occurrences)
    assert summary.cases == len({msgspec.json.decode(o.value)["subject"] for o in occurrences})
    assert sum(summary.departments.values()) == summary.cases


def test_a_case_unfolds_in_the_order_of_life() -> None:
    cases: dict[str, list[object]] = {}
    decoder = Decoder()
    for occurrence in simulate(small(days=10)):
        _, subject, event = decoder.decode(occurrence.value, CONTENT_TYPE, UNTIL)  # type: ignore[misc]  # all are events: tested above
        cases.setdefault(subject, []).append(event)
    for events in cases.values():
        assert isinstance(events[0], Contacted)
        rated = [i for i, event in enumerate(events) if isinstance(event, Rated)]
        assert all(any(isinstance(event, Resolved) for event in events[:i]) for i in rated)
    assert any(isinstance(event, Replied) and event.department for events in cases.values() for event in events)


def test_late_buses_come_in_bursts() -> None:
    school_hours = Counter[tuple[str, int]]()
    for occurrence in simulate(Plan(until=UNTIL, students=4_000, days=8)):
        data = msgspec.json.decode(occurrence.value)["data"]
        if data.get("topic") == "bus-late" and data.get("department") == "transportation":
            school_hours[data["school"], occurrence.time // HOUR_MS] += 1
    assert max(school_hours.values()) >= 10


def test_a_large_district_has_twenty_schools_and_ten_departments() -> None:
    made = district(0, 10_000)
    assert len(set(made.schools)) == 20
    assert len(DEPARTMENTS) == 10
    assert sum(made.weights) == pytest.approx(1)


def test_a_thousand_districts_have_a_thousand_names() -> None:
    assert len({district(number, 500).name for number in range(1_000)}) == 1_000


def test_the_school_year() -> None:
    assert is_school_day(date(2026, 11, 20))
    assert not is_school_day(date(2026, 11, 26)), "Thanksgiving"
    assert not is_school_day(date(2026, 11, 21)), "a Saturday"
    assert not is_school_day(date(2026, 7, 15)), "summer"
    week = [volume(date(2026, 11, day)) for day in range(16, 21)]
    assert sum(week) / 5 == pytest.approx(1)
    assert volume(date(2026, 11, 21)) < 0.1
    assert volume(date(2026, 7, 15)) < 0.3


@pytest.mark.parametrize("changes", [{"students": 0}, {"days": 0}, {"districts": 0}, {"seed": -1}])
def test_a_plan_without_sense_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        small(**changes)


def test_one_student_is_enough() -> None:
    assert events_of(small(students=1, days=28))
