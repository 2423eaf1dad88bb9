"""Makes business_time.csv: open time, counted minute by minute by the wall clock, with the sum of each day to check by hand.

It knows nothing of `events`: hours, holidays and odd days stand here once more, in plain Python, and time zones come from the
standard library. `python -m tests.oracles.business_time > tests/oracles/business_time.csv` writes the table again.

The table is long (over 100 kB) because each of its thousand rows carries the day-by-day sum by which a person can check it.
"""

import csv
import random
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
HEADING = ("about", "district", "department", "school", "from", "to", "open", "due", "days")

ZONES = {
    "riverside": "America/Chicago",
    "lord-howe": "Australia/Lord_Howe",
    "st-johns": "America/St_Johns",
    "casablanca": "Africa/Casablanca",
    "elsewhere": "America/Chicago",
}
EIGHT_TO_FOUR = [["08:00-16:00"]] * 5 + [[], []]
FROM_AUGUST = [["07:30-16:30"]] * 4 + [["07:30-15:00"], [], []]
BUSES = [["05:00-09:30", "13:30-18:00"]] * 5 + [["09:00-12:00"], []]
ALWAYS = [["00:00-24:00"]] * 7
WEEKS = {
    "lord-howe": [["08:00-16:00"], [], [], [], [], ["22:00-24:00"], ["00:30-02:15", "02:45-04:00"]],
    "st-johns": [["08:30-16:30"], [], [], [], [], ["12:00-24:00"], ["00:00-03:00"]],
    "casablanca": [["08:30-16:30"], [], [], [], [], [], ["01:30-05:00"]],
    "elsewhere": EIGHT_TO_FOUR,
}
NEW_HOURS_FROM = datetime(2026, 8, 17, tzinfo=ZoneInfo("America/Chicago"))
SUMMER = date(2026, 6, 8), date(2026, 8, 7)
SUMMER_WEEK = [["08:00-12:00"]] * 4 + [[], [], []]
WINTER_BREAK = date(2026, 12, 21), date(2027, 1, 1)
FEDERAL_HOLIDAYS = {  # of 2026 and the first of 2027, from the calendar of the U.S. Office of Personnel Management
    "2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03", "2026-07-04", "2026-09-07", "2026-10-12",
    "2026-11-11", "2026-11-26", "2026-12-25", "2027-01-01", "2027-01-18",
}  # fmt: skip
SNOW_DAY, SNOW_DAY_AT_WASHINGTON = date(2026, 2, 3), date(2026, 2, 4)
EARLY = {date(2026, 10, 14): ["08:00-12:00"], date(2026, 5, 22): ["08:00-11:30"]}
EARLY_AT_WASHINGTON = {date(2026, 10, 14): ["08:00-11:00"]}

Place = tuple[str, str, str]
"""District, department, school."""

# What a row is about, where, and around which moments of the wall clock it lies.
SUBJECTS: list[tuple[str, Place, list[str]]] = [
    ("plain week", ("elsewhere", "", ""), ["2026-03-17 12:00", "2026-09-22 12:00"]),
    ("weekend", ("elsewhere", "", ""), ["2026-03-21 12:00", "2026-09-27 12:00"]),
    ("several intervals", ("riverside", "transportation", ""), ["2026-03-17 12:00", "2026-09-25 12:00"]),
    ("holiday", ("riverside", "", ""), ["2026-01-19 12:00", "2026-05-25 12:00", "2026-11-26 12:00", "2026-02-16 12:00"]),
    ("holiday that another department ignores", ("riverside", "safety", ""), ["2026-11-26 12:00"]),
    ("winter break", ("riverside", "", ""), ["2026-12-18 20:00", "2026-12-19 12:00", "2027-01-03 12:00"]),
    ("snow day", ("riverside", "", ""), ["2026-02-03 12:00"]),
    ("snow day of a school", ("riverside", "", "washington"), ["2026-02-04 12:00"]),
    ("snow day of a school, buses", ("riverside", "transportation", "washington"), ["2026-02-04 12:00"]),
    ("early release", ("riverside", "", ""), ["2026-10-14 12:00", "2026-05-22 12:00"]),
    ("early release of a school", ("riverside", "", "washington"), ["2026-10-14 12:00"]),
    ("summer", ("riverside", "", ""), ["2026-06-08 10:00", "2026-07-03 10:00", "2026-08-07 10:00", "2026-08-10 10:00"]),
    ("summer that another department ignores", ("riverside", "transportation", ""), ["2026-06-12 12:00"]),
    ("new hours", ("riverside", "", ""), ["2026-08-17 00:00"]),
    ("clock goes forward", ("riverside", "safety", ""), ["2026-03-08 02:00"]),
    ("clock goes back", ("riverside", "safety", ""), ["2026-11-01 01:30"]),
    ("clock goes forward half an hour", ("lord-howe", "", ""), ["2026-10-04 02:00"]),
    ("clock goes back half an hour", ("lord-howe", "", ""), ["2026-04-05 01:45"]),
    ("clock goes forward in Newfoundland", ("st-johns", "", ""), ["2026-03-08 02:00"]),
    ("clock goes back in Newfoundland", ("st-johns", "", ""), ["2026-11-01 01:30"]),
    ("clock goes back before Ramadan", ("casablanca", "", ""), ["2026-02-15 02:30"]),
    ("clock goes forward after Ramadan", ("casablanca", "", ""), ["2026-03-22 02:30"]),
]
ROWS = 1_012


def hours(place: Place, day: date, received: datetime) -> list[str]:
    """What is open on a day of the wall clock, for a contact received then."""
    district, department, school = place
    if district != "riverside":
        return WEEKS[district][day.weekday()]
    at_washington = school == "washington"
    is_holiday = day.isoformat() in FEDERAL_HOLIDAYS and department != "safety"
    is_snow = day == SNOW_DAY or (at_washington and day == SNOW_DAY_AT_WASHINGTON)
    if is_holiday or is_snow or WINTER_BREAK[0] <= day <= WINTER_BREAK[1]:
        return []
    short = {**EARLY, **(EARLY_AT_WASHINGTON if at_washington else {})}
    if day in short:
        return short[day]
    if department:
        return {"transportation": BUSES, "safety": ALWAYS}[department][day.weekday()]
    if SUMMER[0] <= day <= SUMMER[1]:
        return SUMMER_WEEK[day.weekday()]
    return (FROM_AUGUST if received >= NEW_HOURS_FROM else EIGHT_TO_FOUR)[day.weekday()]


def is_open(place: Place, instant: datetime, received: datetime) -> bool:
    """Whether the wall clock shows an open hour."""
    wall = instant.astimezone(ZoneInfo(ZONES[place[0]]))
    return any(opens <= f"{wall:%H:%M}" < closes for opens, closes in (text.split("-") for text in hours(place, wall.date(), received)))


def counted(place: Place, begins: datetime, ends: datetime) -> tuple[dict[date, int], datetime | None]:
    """Open minutes of each day between two instants, and the end of the last of them."""
    days: dict[date, int] = {}
    due = None
    minutes = (ends - begins) // MINUTE
    for instant in (begins + number * MINUTE for number in range(minutes)):
        if is_open(place, instant, begins):
            day = instant.astimezone(ZoneInfo(ZONES[place[0]])).date()
            days[day] = days.get(day, 0) + 1
            due = instant + MINUTE
    return days, due


def row(about: str, place: Place, begins: datetime, ends: datetime) -> tuple[str, ...]:
    days, due = counted(place, begins, ends)
    zone = ZoneInfo(ZONES[place[0]])
    sums = " + ".join(f"{day:%a %b} {day.day} {clock(minutes)}" for day, minutes in days.items())
    return (about, *place, local(begins, zone), local(ends, zone), clock(sum(days.values())), local(due, zone) if due else "", sums)


def clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def local(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).isoformat(timespec="minutes")


def table() -> Iterator[tuple[str, ...]]:
    chance = random.Random(20_261_124)
    for number in range(ROWS):
        about, place, moments = SUBJECTS[number % len(SUBJECTS)]
        middle = datetime.fromisoformat(chance.choice(moments)).replace(tzinfo=ZoneInfo(ZONES[place[0]])).astimezone(UTC)
        reach = chance.choice([60 if "clock" in about else 84 * 60, 6 * 60, 36 * 60, 60 * 60])
        begins = middle - chance.randrange(0, reach, 5) * MINUTE
        ends = middle + chance.randrange(5, reach + 5, 5) * MINUTE
        yield row(about, place, begins, ends)


if __name__ == "__main__":
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(HEADING)
    writer.writerows(table())
