from pathlib import Path

import pytest

from events.directory import DEFAULT, Directory
from events.directory_diff import told_differences

RIVERSIDE = (Path(__file__).parent / "directories/riverside.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("revision: 12", "revision: 13", []),
        ("# Two invented", "# Two made-up", []),
        ("snow_days: [2026-02-04]", "snow_days: [2026-11-17]", ["2026-02-04 is gone", "2026-11-17 is new"]),
        ("zone: America/Denver", "zone: America/Phoenix", ["district hillside, zone: America/Phoenix, was America/Denver"]),
        (
            "response: 2 business hours",
            "response: 90 calendar minutes",
            ["critical: response 90 calendar minutes, was"],
        ),
        ("  hillside:\n", "  seaside:\n", ["district hillside is gone: name Hillside", "district seaside is new: name Hillside"]),
        ("      nutrition:\n", "      kitchen:\n", ["department nutrition is gone", "department kitchen is new"]),
        (
            "2026-10-14: 07:30-11:00",
            "2026-10-15: 07:30-11:00",
            ["washington, early release, 2026-10-14: 07:30-11:00 is gone", "2026-10-15"],
        ),
        ("saturday", "saturday", []),
        ("friday: 07:30-15:00", "friday: 07:30-14:00", ["district riverside, hours: monday"]),
        ("    route: riverside-office\n", "", ["district riverside, route is gone: riverside-office"]),
        ("[2026-12-21 to 2027-01-01, 2026-10-12]", "[2026-12-22 to 2027-01-01, 2026-10-12]", ["closed days: 2026-12-21 is gone"]),
    ],
)
def test_what_changes_is_told_in_plain_words(old: str, new: str, lines: list[str]) -> None:
    assert old in RIVERSIDE or not lines
    found = told_differences(Directory.parse(RIVERSIDE), Directory.parse(RIVERSIDE.replace(old, new, 1)))
    assert len(found) == len(lines)
    for line, said in zip(lines, found, strict=True):
        assert line in said


def test_from_the_built_in_one() -> None:
    found = told_differences(DEFAULT, Directory.parse(RIVERSIDE))
    assert any(line.startswith("district riverside is new") for line in found)
    assert any(line.startswith("targets, critical: response 4 business hours") for line in found)
