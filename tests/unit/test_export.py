"""Rows come back from every form as they went in, a file is whole or not there, and a period is what its days say."""

import csv
import io
import json
import sys
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.directory import Directory
from projections.score import ScoreWeights
from streams.cli import run
from streams.export.column import CASES, INDICATORS, ColumnKind, ExportColumn, Row
from streams.export.destination import destination
from streams.export.form import BOM, WRITERS, defused
from streams.export.indicators import weights_at
from streams.export.period import NoPeriod, Period
from streams.terminal.outcome import ExitCode
from tests.support.exports import read

ZONE = ZoneInfo("America/Los_Angeles")
COLUMNS = tuple(ExportColumn(kind.name.lower(), kind) for kind in ColumnKind)
INSTANTS = st.integers(0, 4_000_000_000_000)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.sampled_from(
    ["=1+1", "+1", "-1", "@x", "'", "'=1", 'a "b", c', "\t=1", "a\r\nb"]
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | NUMBERS,
        st.booleans(),
        st.dates(date(1970, 1, 1), date(2099, 1, 1)),
        st.none() | INSTANTS,
    )
)


# -- forms ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", WRITERS)
@given(blocks=st.lists(ROWS, max_size=3))
def test_what_was_written_is_read(form: str, blocks: list[list[Row]]) -> None:
    file = io.BytesIO()
    writer = WRITERS[form](file, COLUMNS)
    for block in blocks:
        writer.write(block, ZONE)
    writer.close()
    assert read(form, file.getvalue(), COLUMNS) == [row for block in blocks for row in block]


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("columns", [CASES, INDICATORS])
def test_a_form_without_rows_has_the_columns_where_it_can(form: str, columns: tuple[ExportColumn, ...]) -> None:
    file = io.BytesIO()
    WRITERS[form](file, columns).close()
    assert read(form, file.getvalue(), columns) == []
    assert form == "json" or all(column.name.encode() in file.getvalue() for column in columns)


def test_csv_is_what_spreadsheets_and_rfc_4180_expect() -> None:
    file = io.BytesIO()
    WRITERS["csv"](file, COLUMNS).write([('=SUM("a",1)', -1, None, True, date(2026, 11, 1), 1_793_521_800_000)], ZONE)
    assert file.getvalue() == (
        BOM + b"text,whole,number,flag,day,instant\r\n" + b'"\'=SUM(""a"",1)",-1,,true,2026-11-01,2026-11-01T01:30:00.000-07:00\r\n'
    )


@given(TEXTS)
def test_no_text_is_taken_for_a_formula_and_none_is_lost(text: str) -> None:
    written = defused(text)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\0"))
    assert written.removeprefix("'") == text


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    file = io.BytesIO()
    hour = 3_600_000
    WRITERS["json"](file, COLUMNS[-1:]).write([(1_793_521_800_000,), (1_793_521_800_000 + hour,)], ZONE)
    assert [json.loads(line)["instant"] for line in file.getvalue().splitlines()] == [
        "2026-11-01T01:30:00.000-07:00",
        "2026-11-01T01:30:00.000-08:00",
    ]


def test_a_large_parquet_file_is_made_of_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet  # noqa: PLC0415 - a library of the tests

    monkeypatch.setattr("streams.export.form.ROWS_A_GROUP", 100)
    file = io.BytesIO()
    writer = WRITERS["parquet"](file, COLUMNS[:1])
    for _ in range(5):
        writer.write([("a",)] * 60, ZONE)
    writer.close()
    assert [parquet.ParquetFile(file).metadata.row_group(group).num_rows for group in range(3)] == [120, 120, 60]


def test_pseudonyms_are_all_that_cases_know_of_people() -> None:
    """Everything else about a person would have to be in an event, whose contract has no place for it."""
    names = {column.name for column in CASES}
    assert "stakeholder" in names
    assert not names & {"name", "email", "phone", "address", "body", "text", "author"}
    assert all(column.name.endswith("_ms") == ("_ms" in column.name) for column in (*CASES, *INDICATORS)), "durations name their unit"


# -- files ----------------------------------------------------------------------------------------------------------------
def test_a_file_is_there_when_all_of_it_is(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    final.write_bytes(b"old")
    with destination(final) as file:
        file.write(b"new")
        assert final.read_bytes() == b"old"
    assert final.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), SystemExit(143), OSError("no space left")])
def test_what_breaks_leaves_no_file(tmp_path: Path, trouble: BaseException) -> None:
    def half() -> None:
        with destination(tmp_path / "out.csv") as file:
            file.write(b"half")
            raise trouble

    with pytest.raises(type(trouble)):
        half()
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with destination(tmp_path / "link") as file:
        file.write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"
    with destination(Path("/dev/null")) as file:
        file.write(b"x")
    assert Path("/dev/null").is_char_device()


# -- periods --------------------------------------------------------------------------------------------------------------
def test_a_period_holds_both_its_days_whatever_the_clocks_do() -> None:
    period = Period(date(2026, 11, 1), date(2026, 11, 1))
    assert datetime.fromtimestamp(period.begin(ZONE.key) / 1000, ZONE).isoformat() == "2026-11-01T00:00:00-07:00"
    assert period.end(ZONE.key) - period.begin(ZONE.key) == 25 * 3_600_000


@pytest.mark.parametrize(
    ("every", "begins", "part"),
    [
        ("", date(2026, 1, 1), (date(2026, 2, 11), date(2026, 3, 4))),
        ("day", date(2026, 2, 11), (date(2026, 2, 11), date(2026, 2, 11))),
        ("week", date(2026, 2, 9), (date(2026, 2, 11), date(2026, 2, 15))),
        ("month", date(2026, 2, 1), (date(2026, 2, 11), date(2026, 2, 28))),
        ("month", date(2026, 3, 1), (date(2026, 3, 1), date(2026, 3, 4))),
    ],
)
def test_parts_do_not_reach_beyond_the_period(every: str, begins: date, part: tuple[date, date]) -> None:
    assert Period(date(2026, 2, 11), date(2026, 3, 4)).part(begins, every) == Period(*part)


def test_without_days_it_is_the_28_of_the_score() -> None:
    assert Period.asked(None, date(2026, 3, 1), date(2026, 3, 1)) == Period(date(2026, 2, 2), date(2026, 3, 1))
    assert Period.asked(None, date(1970, 1, 5), date(2026, 3, 1)).first == date(1970, 1, 1)
    with pytest.raises(NoPeriod):
        Period.asked(None, date(1969, 12, 31), date(2026, 3, 1))


def test_the_weights_are_those_of_the_end_of_the_period() -> None:
    directory = Directory.parse("""
revision: 1
zone: America/Los_Angeles
hours: {monday: 08:00-16:00}
score:
  - {satisfaction: 0.6, response: 0.2, resolution: 0.2}
  - {satisfaction: 0.4, response: 0.4, resolution: 0.2, m: 5, valid_from: 2026-03-01}
""")
    change = Period(date(2026, 3, 1), date(2026, 3, 1)).begin("America/Los_Angeles")
    assert weights_at(directory, "riverside", change - 1) == ScoreWeights(0.6, 0.2, 0.2, 12)
    assert weights_at(directory, "riverside", change) == ScoreWeights(0.4, 0.4, 0.2, 5)


# -- what is refused ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["cases", "indicators"])
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "Missing option '--format'"),
        (["--format", "xml"], "--format"),
        (["--format", "csv", "--from", "soon"], "--from"),
        (["--format", "csv", "--from", "2026-02-30"], "--from"),
        (["--format", "csv", "--to", "2026-11-20T10:00"], "--to"),
        (["--format", "csv", "--to", "9999-12-31"], "--to 9999-12-31 lies in the future"),
        (["--format", "csv", "--from", "0001-01-01"], "--from 0001-01-01: days are counted from 1970-01-01 on"),
        (["--format", "csv", "--from", "2001-02-03", "--to", "2001-02-02"], "--from 2001-02-03 is after --to 2001-02-02"),
        (["--format", "csv", "--output", "."], "--output"),
        (["--format", "csv", "--every", "year"], "--every"),
        (["--format", "csv", "--window", "7d"], "--window"),
        (["--format", "csv", "out.csv"], "out.csv"),
    ],
)
def test_nonsense_is_one_clear_line(what: str, arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", what, *arguments]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert hint in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_parquet_does_not_go_to_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(["export", "cases", "--format", "parquet"]) == ExitCode.USAGE
    assert "name a file with --output" in capsys.readouterr().err


def test_without_pyarrow_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pyarrow"):
        WRITERS["parquet"](io.BytesIO(), COLUMNS)


def test_csv_reads_back_with_the_standard_library(tmp_path: Path) -> None:
    with destination(tmp_path / "out.csv") as file:
        WRITERS["csv"](file, COLUMNS[:2]).write([("señora, ñ", 1)], ZONE)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as opened:
        assert list(csv.DictReader(opened)) == [{"text": "señora, ñ", "whole": "1"}]
