from datetime import UTC, datetime

from events.schedule import Schedule
from events.terms import Terms

HOUR = 3_600_000
OFFICE = Schedule("America/Chicago", {day: [(8 * HOUR, 16 * HOUR)] for day in range(5)})


def utc(day: int, hour: float) -> int:
    """An hour of November 2026; the office is open from 14:00 to 22:00 UTC."""
    return round((datetime(2026, 11, day, tzinfo=UTC).timestamp() + hour * 3_600) * 1_000)


def test_a_business_target_runs_only_while_the_office_is_open() -> None:
    terms = Terms(OFFICE, response_ms=4 * HOUR, resolution_ms=16 * HOUR)
    friday_afternoon = utc(20, 20)
    assert terms.response_due(friday_afternoon) == utc(23, 16)
    assert terms.response_warn(friday_afternoon) == utc(23, 15.2)
    assert terms.resolution_due(friday_afternoon) == utc(24, 20)
    assert terms.resolution_warn(friday_afternoon) == utc(24, 16.8)


def test_a_calendar_target_runs_always() -> None:
    terms = Terms(OFFICE, 10 * HOUR, 20 * HOUR, "calendar", "calendar")
    friday_afternoon = utc(20, 20)
    assert terms.response_due(friday_afternoon) == utc(21, 6)
    assert terms.response_warn(friday_afternoon) == utc(21, 4)
    assert terms.resolution_due(friday_afternoon) == utc(21, 16)
    assert terms.resolution_warn(friday_afternoon) == utc(21, 12)


def test_each_target_has_its_own_clock() -> None:
    terms = Terms(OFFICE, 10 * HOUR, 1 * HOUR, response_clock="calendar", resolution_clock="business")
    saturday = utc(21, 12)
    assert terms.response_due(saturday) == utc(21, 22)
    assert terms.resolution_due(saturday) == utc(23, 15)


def test_a_target_that_ends_with_the_day_is_due_at_closing_time() -> None:
    assert Terms(OFFICE, response_ms=8 * HOUR).response_due(utc(23, 14)) == utc(23, 22)


def test_nothing_promised_is_never_due() -> None:
    terms = Terms(OFFICE)
    assert (terms.response_due(0), terms.response_warn(0), terms.resolution_due(0), terms.resolution_warn(0)) == (None,) * 4
