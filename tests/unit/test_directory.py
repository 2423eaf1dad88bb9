import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from jsonschema import Draft202012Validator

from events import directory as directory_module
from events.directory import DEFAULT, Directory
from events.directory_mistake import DirectoryError
from events.schemas import texts
from events.terms import Terms
from events.zone import day_number

HOUR, MINUTE = 3_600_000, 60_000
FOLDER = Path(__file__).parent / "directories"
LAKESIDE = (FOLDER / "lakeside.yaml").read_text("utf-8")
RIVERSIDE = (FOLDER / "riverside.yaml").read_text("utf-8")


def at(text: str, zone: str = "America/Chicago") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000)


def rome(text: str) -> int:
    return at(text, "Europe/Rome")


def mistakes(text: str) -> list[str]:
    with pytest.raises(DirectoryError) as caught:
        Directory.parse(text)
    return str(caught.value).splitlines()


# -- a simple file ---------------------------------------------------------------------------------------------------------
def test_a_file_says_who_promises_what() -> None:
    directory = Directory.parse(LAKESIDE)
    assert directory.revision == 7
    assert directory.zone("lakeside") == "Europe/Rome"
    assert [(row.priority, *row[6:]) for row in directory.targets()] == [
        ("critical", 3 * HOUR // 2, "business", HOUR, "business"),
        ("urgent", 24 * HOUR, "calendar", None, ""),
    ]
    routine = directory.terms("lakeside", "", "", "routine", "", "", 0)
    assert (routine.response_ms, routine.resolution_ms) == (None, None)


def test_terms_run_on_the_schedule_of_the_file() -> None:
    directory = Directory.parse(LAKESIDE)
    friday = rome("2026-11-20T11:30")
    terms = directory.terms("lakeside", "", "", "critical", "", "", friday)
    assert terms.response_due(friday) == rome("2026-11-20T14:00")
    assert terms.resolution_due(rome("2026-11-25T15:30")) == rome("2026-11-30T08:30")
    urgent = directory.terms("lakeside", "north", "it", "urgent", "family", "web", friday)
    assert (urgent.response_due(friday), urgent.resolution_due(friday)) == (rome("2026-11-21T11:30"), None)


def test_the_schedule_that_sql_gets_is_the_one_that_terms_use() -> None:
    directory = Directory.parse(LAKESIDE)
    terms = directory.terms("lakeside", "north", "it", "urgent", "", "", 0)
    assert directory.schedule_of("lakeside", "it", "north") is terms.schedule
    assert list(directory.schedules()) == [("", "", "", 0, terms.schedule)]


def test_the_content_hash_covers_what_matters_and_nothing_else() -> None:
    content_hash = Directory.parse(LAKESIDE).content_hash
    for old, new in [
        ("[2026-11-26, 2026-11-27]", "[2026-11-27, 2026-11-26]"),
        ("[2026-11-26, 2026-11-27]", "[2026-11-26 to 2026-11-27]"),
        ("# An invented", "# A made-up"),
        ("revision: 7", "revision: 8"),
        ("monday: 08:00-16:00", "monday: [08:00-16:00]"),
    ]:
        assert old in LAKESIDE
        assert Directory.parse(LAKESIDE.replace(old, new)).content_hash == content_hash
    for old, new in [("Rome", "Berlin"), ("08:00-16:00", "08:00-16:30"), ("2026-11-27", "2026-11-24"), ("24 calendar", "23 calendar")]:
        assert Directory.parse(LAKESIDE.replace(old, new, 1)).content_hash != content_hash


def test_the_content_hash_covers_the_tables_of_zones_and_holidays(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Directory.parse(RIVERSIDE).content_hash
    monkeypatch.setattr(directory_module, "holidays_of", lambda _: frozenset({day_number(date(2026, 5, 5))}))
    assert Directory.parse(RIVERSIDE).content_hash != known
    monkeypatch.undo()
    assert Directory.parse(RIVERSIDE).content_hash == known
    monkeypatch.setattr(directory_module, "stretches", lambda _: ())
    assert Directory.parse(RIVERSIDE).content_hash != known


@pytest.mark.parametrize("text", [LAKESIDE, RIVERSIDE])
def test_the_content_is_the_file_once_more(text: str) -> None:
    directory = Directory.parse(text)
    again = Directory.parse(directory.content)
    assert (again.revision, again.content_hash, again.content) == (directory.revision, directory.content_hash, directory.content)
    assert again.targets() == directory.targets()
    assert list(again.schedules()) == list(directory.schedules())


@pytest.mark.parametrize("text", [LAKESIDE, RIVERSIDE])
def test_a_good_file_has_the_form_of_the_published_schema(text: str) -> None:
    schema = Draft202012Validator(json.loads(texts()["schemas/directory.json"]))
    written = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 texts, lists and dictionaries only
    written["revision"] = int(written["revision"])
    assert [error.message for error in schema.iter_errors(_without_empty(written))] == []


def _without_empty(value: object) -> object:
    """As editors check it: numbers are numbers there."""
    if isinstance(value, dict):
        return {key: _number(key, _without_empty(member)) for key, member in value.items() if member != ""}
    return [_without_empty(member) for member in value] if isinstance(value, list) else value


def _number(key: object, value: object) -> object:
    return float(str(value)) if key in {"satisfaction", "m"} or (key in {"response", "resolution"} and str(value)[:2] == "0.") else value


def test_the_default_serves_where_no_file_is_named() -> None:
    assert (DEFAULT.revision, DEFAULT.zone("riverside"), DEFAULT.districts()) == (0, "America/Chicago", [])
    assert [(row.priority, row.response_ms, row.resolution_ms) for row in DEFAULT.targets()] == [
        ("critical", 2 * HOUR, 8 * HOUR),
        ("urgent", 4 * HOUR, 24 * HOUR),
        ("routine", 8 * HOUR, 40 * HOUR),
    ]


# -- districts, schools, departments ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def riverside() -> Directory:
    return Directory.parse(RIVERSIDE)


def test_who_is_listed(riverside: Directory) -> None:
    assert riverside.districts() == ["riverside", "hillside"]
    assert riverside.is_listed("riverside", "lincoln-high", "transportation")
    assert riverside.is_listed("riverside", "", "")
    assert not riverside.is_listed("riverside", "lincoln-hihg", "transportation")
    assert not riverside.is_listed("riverside", "lincoln-high", "transport")
    assert not riverside.is_listed("seaside", "", "")


def test_names_zones_and_routes(riverside: Directory) -> None:
    assert riverside.name("riverside") == "Riverside Unified"
    assert riverside.name("riverside", "lincoln-high") == "Lincoln High School"
    assert riverside.name("riverside", "", "transportation") == "Transportation"
    assert riverside.name("riverside", "north", "") == "north"
    assert (riverside.zone("riverside"), riverside.zone("hillside"), riverside.zone("seaside")) == (
        "America/Chicago",
        "America/Denver",
        "America/Chicago",
    )
    assert riverside.route("riverside", "transportation") == "transportation-on-call"
    assert riverside.route("riverside", "nutrition") == "riverside-office"
    assert riverside.route("hillside", "") == "everyone"


def hours(directory: Directory, place: tuple[str, str, str], day: str) -> list[str]:
    """Open hours of (district, department, school) on a day, as people write them."""
    schedule = directory.schedule_of(*place, at(f"{day}T12:00", directory.zone(place[0])))
    return [
        f"{opens // HOUR:02}:{opens % HOUR // MINUTE:02}-{closes // HOUR:02}:{closes % HOUR // MINUTE:02}"
        for opens, closes in schedule.hours_on(day_number(date.fromisoformat(day)))
    ]


@pytest.mark.parametrize(
    ("department", "school", "day", "expected"),
    [
        ("", "", "2026-09-15", ["07:30-16:30"]),  # a Tuesday
        ("transportation", "", "2026-09-15", ["05:00-09:30", "13:30-18:00"]),  # its own hours
        ("nutrition", "", "2026-09-15", ["07:30-16:30"]),  # its district's
        ("unheard-of", "unheard-of", "2026-09-15", ["07:30-16:30"]),  # unlisted: the district's
        ("", "", "2026-11-26", []),  # Thanksgiving, a holiday of Texas
        ("", "", "2026-03-31", ["08:00-16:00"]),  # Cesar Chavez Day, left out; the week of before August
        ("", "", "2026-12-23", []),  # winter break, a span
        ("transportation", "", "2026-12-23", []),
        ("", "", "2026-02-03", []),  # a snow day of the district
        ("", "washington", "2026-02-04", []),  # and one of a single school
        ("transportation", "washington", "2026-02-04", []),  # which closes every department for its contacts
        ("transportation", "lincoln-high", "2026-02-04", ["05:00-09:30", "13:30-18:00"]),
        ("", "", "2026-10-14", ["07:30-12:00"]),  # early release
        ("", "washington", "2026-10-14", ["07:30-11:00"]),  # the school's own
        ("transportation", "washington", "2026-10-14", ["05:00-09:30", "10:30-13:00"]),  # the department's own
        ("", "", "2026-06-30", ["08:00-12:00"]),  # summer
        ("", "", "2026-07-03", []),  # a Friday in summer
        ("transportation", "", "2026-06-30", ["05:00-09:30", "13:30-18:00"]),  # has hours of its own, and no summer
    ],
)
def test_when_a_department_works(riverside: Directory, department: str, school: str, day: str, expected: list[str]) -> None:
    assert hours(riverside, ("riverside", department, school), day) == expected


def test_an_unknown_district_has_the_defaults_of_the_file(riverside: Directory) -> None:
    assert hours(riverside, ("seaside", "", ""), "2026-09-15") == ["08:00-16:00"]
    assert riverside.terms("seaside", "", "", "critical", "", "", 0).response_ms == 4 * HOUR


def test_weekly_hours_at_receipt_count_for_good(riverside: Directory) -> None:
    before, after = at("2026-08-16T23:59:59.999"), at("2026-08-17T00:00")
    old = riverside.terms("riverside", "", "", "critical", "", "", before)
    new = riverside.terms("riverside", "", "", "critical", "", "", after)
    assert old.response_due(before) == at("2026-08-17T10:00")  # still from 08:00 on, although the new hours have begun
    assert new.response_due(after) == at("2026-08-17T09:30")
    assert riverside.schedule_of("riverside", "", "", before) is old.schedule
    assert riverside.schedule_of("riverside", "", "") is new.schedule


def test_targets_at_receipt_count_for_good(riverside: Directory) -> None:
    day = at("2026-09-01T00:00")
    assert promised(riverside.terms("riverside", "", "transportation", "critical", "", "", day - 1)) == (90, 8 * 60)
    assert promised(riverside.terms("riverside", "", "transportation", "critical", "", "", day)) == (45, 8 * 60)


def promised(terms: Terms) -> tuple[int | None, int | None]:
    """In minutes."""
    response, resolution = terms.response_ms, terms.resolution_ms
    return None if response is None else response // MINUTE, None if resolution is None else resolution // MINUTE


@pytest.mark.parametrize(
    ("department", "priority", "audience", "channel", "expected"),
    [
        ("", "routine", "", "", (480, 2400)),  # the file's
        ("", "routine", "family", "phone", (60, 2400)),  # the district's for phone; the resolution is still the file's
        ("", "routine", "staff", "phone", (480, None)),  # an audience weighs more than a channel
        ("", "critical", "staff", "phone", (120, None)),  # a priority weighs more than an audience, a district more than the file
        ("nutrition", "critical", "staff", "phone", (30, None)),  # a department more than any priority
        ("nutrition", "routine", "", "", (30, 2400)),
        ("nutrition", "urgent", "", "", (None, 1440)),  # promises nothing, and says so
        ("transport", "routine", "family", "phone", (60, 2400)),  # unlisted: the district's
    ],
)
def test_the_most_specific_target_counts(  # noqa: PLR0917 - as parametrized
    riverside: Directory, department: str, priority: str, audience: str, channel: str, expected: tuple[int | None, int | None]
) -> None:
    assert promised(riverside.terms("riverside", "", department, priority, audience, channel, at("2026-10-01T12:00"))) == expected


def test_a_snow_day_moves_what_it_touches_and_makes_one_schedule_anew() -> None:
    text = RIVERSIDE.replace("snow_days: [2026-02-04]", "snow_days: [2026-02-04, 2026-11-17]").replace("revision: 12", "revision: 13")
    old, new = Directory.parse(RIVERSIDE), Directory.parse(text)
    received = at("2026-11-17T13:00")
    assert old.terms("riverside", "washington", "", "critical", "", "", received).response_due(received) == at("2026-11-17T15:00")
    assert new.terms("riverside", "washington", "", "critical", "", "", received).response_due(received) == at("2026-11-18T09:30")
    fresh = {id(schedule) for *_, schedule in new.schedules()} - {id(schedule) for *_, schedule in old.schedules()}
    assert len(fresh) == 3  # Washington's, in two versions of the week, and Transportation's for Washington


def test_the_promised_share_is_the_district_s_else_the_file_s_else_nine_in_ten() -> None:
    usual, file = DEFAULT.content, "revision: 3\nzone: America/Chicago\nhours: {monday: 08:00-16:00}\n"
    assert Directory.parse(usual).promised_share("riverside") == 0.9
    own = Directory.parse(file + "promised_share: 0.8\ndistricts: {riverside: {promised_share: 0.95}, lakeside: {}}\n")
    assert [own.promised_share(district) for district in ("riverside", "lakeside", "nowhere")] == [0.95, 0.8, 0.8]


def test_weights_of_the_score(riverside: Directory) -> None:
    assert [(weights.satisfaction, weights.m, weights.valid_from) for weights in riverside.weights("riverside")] == [
        (0.5, 12, None),
        (0.4, 20, date(2026, 8, 1)),
    ]
    assert [weights.satisfaction for weights in riverside.weights("seaside")] == [0.5]


def test_whoever_invents_departments_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_module, "MOST_PLANS", 10)
    directory = replace(DEFAULT, revision=1)
    for number in range(95):
        assert directory.terms("a", "", f"department-{number}", "critical", "", "", 0).response_ms == 2 * HOUR
    assert len(directory._plans) <= 10
    assert len(directory._eras) == 1


# -- mistakes --------------------------------------------------------------------------------------------------------------
def test_every_mistake_is_told_with_its_line_and_what_to_write() -> None:
    assert mistakes((FOLDER / "lakeside_with_mistakes.yaml").read_text("utf-8")) == [
        "line 1: revision: is missing; write `revision: 1`, for example",
        "line 1: revison: is not known here; write 'revision'",
        "line 4: hours.monday: '08:00' cannot be read; write `monday: 08:00-16:00`, for example",
        "line 5: hours.tuesday: has intervals that overlap or are out of order; write `tuesday: 08:00-16:00`, for example",
        "line 6: hours.wednesday: closes before it opens; write `wednesday: 08:00-16:00`, for example",
        "line 7: hours.munday: is not known here; write 'sunday'",
        "line 8: closed_days.1: is not a day of the calendar; write `closed_days: [2026-11-26, 2026-12-21 to 2027-01-01]`, for example",
        (
            "line 8: closed_days.2: is not a date: year, month and day are written 2026-11-26;"
            " write `closed_days: [2026-11-26, 2026-12-21 to 2027-01-01]`, for example"
        ),
        "line 10: targets.critical.response: '2 hours' cannot be read; write `response: 2 business hours`, for example",
        "line 11: targets.high: is not known here; write one of critical, urgent, routine, any",
        "line 12: targets.urgent: must be a mapping; write `urgent: {response: 2 business hours}`, for example",
        "line 13: zone: stands here and in line 2; write it once",
    ]


BASE = """\
revision: 3
zone: America/Chicago
hours: {monday: 08:00-16:00}
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "line 1: the file: must be a mapping; write `key: value` lines"),
        ("- 1", "line 1: the file: must be a mapping; write `key: value` lines"),
        ("{" * 2_000, "line 1: is over 50 levels deep; write less"),
        ("\x00", "line 1: is not YAML that can be read; write a UTF-8 text of `key: value` lines"),
        (LAKESIDE.replace("Europe/Rome", "Europe"), "line 3: zone: is not an IANA time zone; write `zone: America/Chicago`, for example"),
        (LAKESIDE.replace("Europe/Rome", "../Rome"), "line 3: zone: is not an IANA time zone; write `zone: America/Chicago`, for example"),
    ],
)
def test_what_is_no_directory_at_all(text: str, line: str) -> None:
    assert mistakes(text) == [line]


def kinds() -> list[tuple[str, str, str]]:
    """Mistakes as they are made: what is wrong, the line that is told, and the text, from a file beside this one."""
    blocks = (FOLDER / "mistakes.txt").read_text("utf-8").split("\n=== ")[1:]
    parts = [block.partition("\n--- ") for block in blocks]
    return [(name.strip(), told.partition("\n")[0], told.partition("\n")[2]) for name, _, told in parts]


def test_there_are_over_thirty_kinds() -> None:
    assert len({name for name, *_ in kinds()}) >= 40


@pytest.mark.parametrize(("told", "text"), [pytest.param(told, text, id=name) for name, told, text in kinds()])
def test_a_mistake_is_refused_with_a_line_to_act_on(told: str, text: str) -> None:
    """Every text is `BASE` with something wrong below it, so lines begin at 4; or a whole file, where it begins with `revision`."""
    whole = text if "revision:" in text else BASE + text
    assert "\n".join(mistakes(whole)) == told
    assert "; " in told


def test_a_week_without_open_hours_is_a_mistake() -> None:
    (line,) = mistakes("revision: 1\nzone: Europe/Rome\nhours:\n  monday:\n")
    assert line == "line 3: hours: never opens, so no target could fall due; write `hours: {monday: 08:00-16:00}`, for example"


def test_an_alias_may_say_the_same_hours_again() -> None:
    directory = Directory.parse("revision: 1\nzone: Europe/Rome\nhours:\n  monday: &day [08:00-12:00]\n  tuesday: *day\n")
    assert directory.schedule_of("lakeside", "", "").open_ms(rome("2026-11-25T00:00")) > 0


def test_an_alias_that_holds_itself_is_a_mistake() -> None:
    assert mistakes("hours: &week [*week]\nzone: Europe/Rome")[0].startswith("line 1: is not YAML (")
