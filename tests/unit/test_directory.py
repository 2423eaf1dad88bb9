from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from events.directory import DEFAULT, Directory
from events.directory_file import DirectoryError

HOUR = 3_600_000
FOLDER = Path(__file__).parent / "directories"
LAKESIDE = (FOLDER / "lakeside.yaml").read_text("utf-8")


def rome(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Rome")).timestamp() * 1_000)


def mistakes(text: str) -> list[str]:
    with pytest.raises(DirectoryError) as caught:
        Directory.parse(text)
    return str(caught.value).splitlines()


def test_a_file_says_who_promises_what() -> None:
    directory = Directory.parse(LAKESIDE)
    assert directory.revision == 7
    assert directory.zone("lakeside") == "Europe/Rome"
    assert directory.targets() == [
        ("routine", None, "business", None, "business"),
        ("urgent", 24 * HOUR, "calendar", None, "business"),
        ("critical", 3 * HOUR // 2, "business", HOUR, "business"),
    ]


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


def test_the_content_hash_covers_what_matters_and_nothing_else() -> None:
    content_hash = Directory.parse(LAKESIDE).content_hash
    same = LAKESIDE.replace("[2026-11-26, 2026-11-27]", "[2026-11-27, 2026-11-26]").replace("# An invented", "# A made-up")
    assert Directory.parse(same).content_hash == content_hash
    assert Directory.parse(LAKESIDE.replace("revision: 7", "revision: 8")).content_hash == content_hash
    for old, new in [("Rome", "Berlin"), ("08:00-16:00", "08:00-16:30"), ("2026-11-27", "2026-11-24"), ("24 calendar", "23 calendar")]:
        assert Directory.parse(LAKESIDE.replace(old, new, 1)).content_hash != content_hash


def test_the_default_serves_where_no_file_is_named() -> None:
    assert (DEFAULT.revision, DEFAULT.zone("riverside")) == (0, "America/Chicago")
    assert DEFAULT.targets() == [
        ("routine", 8 * HOUR, "business", 40 * HOUR, "business"),
        ("urgent", 4 * HOUR, "business", 24 * HOUR, "business"),
        ("critical", 2 * HOUR, "business", 8 * HOUR, "business"),
    ]


def test_every_mistake_is_told_with_its_line_and_what_to_write() -> None:
    assert mistakes((FOLDER / "lakeside_with_mistakes.yaml").read_text("utf-8")) == [
        "line 1: revision: is missing; write `revision: 1`, for example",
        "line 1: revison: is not known here; write 'revision'",
        "line 4: hours.monday.0: cannot be read; write `monday: 08:00-16:00`, for example",
        "line 5: hours.tuesday: has intervals that overlap or are out of order; write `tuesday: 08:00-16:00`, for example",
        "line 6: hours.wednesday.0: closes before it opens; write `wednesday: 08:00-16:00`, for example",
        "line 7: hours.munday: is not known here; write 'sunday'",
        "line 8: closed_days.1: is not a day of the calendar; write `closed_days: [2026-11-26]`, for example",
        "line 8: closed_days.2: is not a date; write `closed_days: [2026-11-26]`, for example",
        "line 10: targets.critical.response: cannot be read; write `response: 2 business hours`, for example",
        "line 11: targets.high: is not known here; write one of critical, urgent, routine",
        "line 12: targets.urgent: must be a mapping; write `urgent: {response: 2 business hours}`, for example",
        "line 13: zone: stands here and in line 2; write it once",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "line 1: the file: must be a mapping; write `key: value` lines"),
        ("- 1", "line 1: the file: must be a mapping; write `key: value` lines"),
        ("{" * 5_000, "line 1: is not YAML that can be read; write a UTF-8 text of `key: value` lines"),
        ("\x00", "line 1: is not YAML that can be read; write a UTF-8 text of `key: value` lines"),
        (LAKESIDE.replace("revision: 7", "revision: x"), "line 2: revision: must be a whole number; write `revision: 1`, for example"),
        (LAKESIDE.replace("Europe/Rome", "Europe"), "line 3: zone: is not an IANA time zone; write `zone: America/Chicago`, for example"),
        (LAKESIDE.replace("Europe/Rome", "../Rome"), "line 3: zone: is not an IANA time zone; write `zone: America/Chicago`, for example"),
    ],
)
def test_one_mistake_is_one_line(text: str, line: str) -> None:
    assert mistakes(text) == [line]


def test_what_is_no_yaml_is_told_with_its_line() -> None:
    (line,) = mistakes("revision: 1\nzone: [")
    assert line.startswith("line 2: is not YAML (")


def test_a_week_without_open_hours_is_a_mistake() -> None:
    (line,) = mistakes("revision: 1\nzone: Europe/Rome\nhours:\n  monday:\n")
    assert line == "line 3: hours: never opens, so no target could fall due; write `hours: {monday: 08:00-16:00}`, for example"


def test_an_alias_may_say_the_same_hours_again() -> None:
    directory = Directory.parse("revision: 1\nzone: Europe/Rome\nhours:\n  monday: &day [08:00-12:00]\n  tuesday: *day\n")
    assert directory.schedule_of("lakeside", "", "").open_ms(rome("2026-11-25T00:00")) > 0


def test_an_alias_that_holds_itself_is_a_mistake() -> None:
    assert mistakes("hours: &week [*week]\nzone: Europe/Rome")[0].startswith("line 1: is not YAML (")
