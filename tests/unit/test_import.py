"""`frontdesk import` with odd files, bad rows, later exports and interruptions; what it sends ends in a list."""

import csv
import gzip
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from streams.cli import run
from streams.cli.work.import_ import run as importation
from streams.cli.work.import_.journal import ImportJournal, Position
from streams.cli.work.import_.rows import rows_of
from streams.mapping.mapping import Table
from streams.settings import Settings
from streams.terminal.outcome import ExitCode

HEADING = ["case", "at", "closed", "group", "text"]
ROW = {"case": "4711", "at": "2026-11-20 09:00:00", "closed": "2026-11-20 10:00:00", "group": "Bus Office", "text": "private words"}
MAPPING: dict[str, Any] = {
    "source": "/riverside/export",
    "case": "join('-', ['ticket', row.case])",
    "set": {"district": "riverside"},
    "data": {"department": "slug(row.group)"},
    "events": [
        {"kind": "contact", "id": "join('-', [row.case, 'created'])", "time": {"value": "row.at", "zone": "America/Chicago"}},
        {"kind": "resolution", "id": "join('-', [row.case, 'resolved', time])", "time": {"value": "row.closed", "zone": "America/Chicago"}},
    ],
}
Row = dict[str, Any]


@dataclass
class Topic:
    """What was sent. `fails_after` so many events the connection breaks, once."""

    values: list[bytes] = field(default_factory=list)
    fails_after: int | None = None

    @property
    def ids(self) -> list[str]:
        return [json.loads(value)["id"] for value in self.values]


class ToTopic:
    """A publisher without Kafka: it keeps everything at once."""

    topic: ClassVar[Topic]

    def __init__(self, _: Settings) -> None:
        self.acknowledged = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def send(self, _: str, value: bytes, __: object) -> None:
        if self.topic.fails_after is not None and len(self.topic.values) >= self.topic.fails_after:
            self.topic.fails_after = None
            raise ConnectionError("the broker is away")
        self.topic.values.append(value)
        self.acknowledged += 1

    async def flush(self) -> None:
        return None


class Clock:
    """The wall, where a test has set it."""

    at: ClassVar[datetime]

    def now(self) -> int:
        return round(self.at.timestamp() * 1000)


@pytest.fixture
def topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """Tests run in a folder with `map.yaml`, an empty state folder, at a fixed time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_FOLDER", str(tmp_path / "state"))
    monkeypatch.setattr(importation, "Publisher", ToTopic)
    monkeypatch.setattr(importation, "WallClock", Clock)
    Clock.at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    ToTopic.topic = Topic()
    mapped()
    return ToTopic.topic


def mapped(**changes: Any) -> None:
    Path("map.yaml").write_text(yaml.safe_dump(MAPPING | changes))


def table(rows: list[Row], name: str = "tickets.csv") -> str:
    with Path(name).open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, HEADING, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return name


def imported(name: str, *options: str) -> int:
    return run(["import", name, "--mapping", "map.yaml", *options])


def numbered(count: int) -> list[Row]:
    return [ROW | {"case": str(number)} for number in range(count)]


def journal(name: str) -> Path:
    return Path(f"{name}.import-progress")


# -- files of many forms -----------------------------------------------------------------------------------------------
def workbook(name: str, rows: list[list[str | float]]) -> str:
    """The least that a spreadsheet program takes for one sheet: texts, and numbers as the floats that they are there."""
    cells = [
        "".join(f"<c><v>{cell}</v></c>" if isinstance(cell, float) else f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row)
        for row in rows
    ]
    sheet = "".join(f"<row>{row}</row>" for row in cells)
    workbook = '<sheets><sheet name="Tickets" sheetId="1" r:id="r"/></sheets>'
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{relation}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relation}">{workbook}</workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{relation}/worksheet" '
        'Target="worksheets/sheet.xml"/></Relationships>',
        "xl/worksheets/sheet.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(name, "w") as out:
        for part, text in parts.items():
            out.writestr(part, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return name


ROWS = [ROW, ROW | {"text": 'two\nlines, "quoted"'}, ROW | {"case": "4712", "closed": ""}]


def in_form(form: str) -> str:
    name = f"rows{form}"
    text = Path(table(ROWS, "plain.csv")).read_bytes()
    if form.lower().endswith(".gz"):
        Path(name).write_bytes(gzip.compress(Path(in_form(form[:-3])).read_bytes()))
    elif form.lower() == ".csv":
        Path(name).write_bytes(b"\xef\xbb\xbf" + text)
    elif form == ".tsv":
        with Path(name).open("w", newline="") as out:
            csv.writer(out, delimiter="\t").writerows([HEADING, *(row.values() for row in ROWS)])
    elif form in {".ndjson", ".jsonl"}:
        Path(name).write_text("\n\n".join(map(json.dumps, ROWS)))
    elif form == ".json":
        Path(name).write_text(json.dumps(ROWS, indent=1))
    elif form == ".parquet":
        parquet.write_table(pa.Table.from_pylist(ROWS), name)
    else:
        workbook(name, [list(HEADING), *([*map(str, row.values())] for row in ROWS)])
    return name


LINES = {".csv": [2, 4, 5], ".tsv": [2, 4, 5], ".ndjson": [1, 3, 5], ".jsonl": [1, 3, 5], ".xlsx": [2, 3, 4]}


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize(
    "form", [".csv", ".CSV", ".tsv", ".ndjson", ".jsonl", ".json", ".xlsx", ".parquet", ".csv.gz", ".CSV.GZ", ".json.gz"]
)
def test_rows_of_all_forms_are_the_same(form: str) -> None:
    read = list(rows_of(Path(in_form(form)), Table()))
    assert [row for _, row in read] == ROWS
    assert [line for line, _ in read] == LINES.get(form.lower().removesuffix(".gz"), [1, 2, 3])


def test_a_spreadsheet_and_its_text_are_the_same_events(topic: Topic) -> None:
    cells: list[str | float] = [4711.0, ROW["at"], ROW["closed"], "Bus Office", ""]
    assert imported(workbook("tickets.xlsx", [list(HEADING), cells])) == ExitCode.OK
    assert imported(table([ROW | {"text": ""}])) == ExitCode.OK
    assert topic.values[:2] == topic.values[2:]


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "\ufeffsep=;\n"])
def test_the_first_line_may_name_the_delimiter(first: str, topic: Topic) -> None:
    Path("tickets.csv").write_text(f"{first}case;at;group\n1;2026-11-20 09:00:00;A, B\n2;soon;x\n", encoding="utf-8", newline="")
    assert imported("tickets.csv", "--skip-bad") == ExitCode.OK
    assert [json.loads(value)["data"]["department"] for value in topic.values] == ["a-b"]
    assert [number for number, _ in rows_of(Path("tickets.csv"), Table())] == [3, 4]


def test_a_long_cell_is_a_cell(topic: Topic) -> None:
    assert imported(table([ROW | {"text": "x" * 1_000_000}])) == ExitCode.OK
    assert len(topic.values) == 2


# -- files that cannot be read -----------------------------------------------------------------------------------------
def packed() -> bytes:
    rows = "".join(f"{number},2026-11-20 09:00:00,,{os.urandom(8).hex()},\n" for number in range(9_000))
    return gzip.compress((",".join(HEADING) + "\n" + rows).encode())


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def spoilt(content: bytes) -> bytes:
    return content[: len(content) // 2] + b"\0" * 64 + content[len(content) // 2 + 64 :]


UNREADABLE: dict[str, tuple[str, bytes, str]] = {
    "cut gzip": ("a.csv.gz", cut(packed()), r"after line \d+: the gzip is cut off or damaged"),
    "damaged gzip": ("a.csv.gz", spoilt(packed()), r"the gzip is cut off or damaged"),
    "no gzip": ("a.csv.GZ", b"case,at\n", r"the gzip is cut off or damaged"),
    "two columns of one name": (
        "a.csv",
        b"case,at,group,at\n1,2026-11-20 09:00:00,g,2026-11-01 09:00:00\n",
        r":1: several columns are called at",
    ),
    "a quote without its end": ("a.csv", b'case,at\n1,2026-11-20 09:00:00\n2,"2026\n', r"after line 2: what comes is no CSV"),
    "an endless cell": ("a.csv", b"case,at\n1," + b"x" * (17 << 20) + b"\n", r"after line 1: what comes is no CSV"),
    "half a file of UTF-16": ("a.csv", "case,at\n1,x".encode("utf-16")[:-1], r"what comes is no CSV in utf-16"),
    "a heading in another encoding": (
        "a.csv",
        "case,at,größe\n1,2026-11-20 09:00:00,\n".encode("cp1252"),
        r":1: the heading is not in utf-8-sig",
    ),
    "no JSON": ("a.json", b'[{"case": 1},', r"is no JSON"),
    "no JSON array": ("a.json", b'{"tickets": []}', r"is no JSON array"),
    "no spreadsheet": ("a.xlsx", b"case,at\n", r"is no XLSX that can be read"),
    "no Parquet": ("a.parquet", b"PAR1 and no more", r"is no Parquet that can be read"),
    "an unknown form": ("a.pdf", b"", r"rows come from \.csv, \.tsv, \.ndjson, \.jsonl, \.json .*\.xlsx, \.parquet"),
    "a packed spreadsheet": ("a.xlsx.gz", b"", r"rows come from"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_cannot_be_read_is_told_in_one_line_and_nothing_of_it_is_sent(
    what: str, topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, hint = UNREADABLE[what]
    Path(name).write_bytes(content)
    if "UTF-16" in what:
        mapped(csv={"encoding": "utf-16"})
    assert imported(name, "--skip-bad") == ExitCode.USAGE
    [line] = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("checking", f"{name}:"))]
    assert line.startswith(f"frontdesk: {name}:")
    assert re.search(hint, line)
    assert topic.values == []


TWICE = ["case", "at", "group", "group"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.xlsx", "a.parquet"])
def test_two_columns_of_one_name_are_told_in_every_form(name: str, topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    cells: list[str | float] = ["1", "2026-11-20 09:00:00", "Bus Office", ""]
    if name == "a.xlsx":
        workbook(name, [list(TWICE), cells])
    elif name == "a.parquet":
        parquet.write_table(pa.Table.from_arrays([pa.array([cell]) for cell in cells], names=TWICE), name)
    else:
        text = "\n".join(("," if ".csv" in name else "\t").join(map(str, row)) for row in (TWICE, cells)).encode()
        Path(name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert imported(name, "--skip-bad") == ExitCode.USAGE
    assert "several columns are called group: rename all but one" in capsys.readouterr().err
    assert topic.values == []


def test_columns_without_a_name_may_be_several(topic: Topic) -> None:
    Path("tickets.csv").write_text("case,at,,\n1,2026-11-20 09:00:00,,\n")
    assert imported("tickets.csv") == ExitCode.OK
    assert topic.ids == ["1-created"]


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"events": []}, "events"),
        ({"csv": {"encoding": "klingon"}}, "map.yaml: csv.encoding: "),
        ({"time": {"value": "row.at", "zone": "Mars"}}, "IANA zone"),
        ({"data": {"student": "row.who"}}, "not in the contract: student"),
    ],
)
def test_a_wrong_mapping_file(change: dict[str, Any], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    mapped(**change)
    Path("tickets.ndjson").write_text(json.dumps(ROW | {"who": "x"}))
    assert imported("tickets.ndjson") == ExitCode.USAGE
    assert hint in capsys.readouterr().err


@pytest.mark.usefixtures("topic")
def test_a_file_that_is_no_mapping(capsys: pytest.CaptureFixture[str]) -> None:
    Path("map.yaml").write_text("case,at,closed")
    Path("tickets.ndjson").write_text(json.dumps(ROW))
    assert imported("tickets.ndjson") == ExitCode.USAGE
    assert "map.yaml: is no mapping, see docs/mappings" in capsys.readouterr().err


def test_a_file_with_other_columns_is_told(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tickets.ndjson").write_text(json.dumps({"case": "4711", "created": "2026-11-20 09:00:00"}))
    assert imported("tickets.ndjson") == ExitCode.OK
    assert topic.values == []
    assert "do the columns of this file have the names" in " ".join(capsys.readouterr().err.split())


# -- rows --------------------------------------------------------------------------------------------------------------
BAD: dict[str, tuple[Row, str]] = {
    "no time": (ROW | {"closed": "yesterday"}, "`row.closed`: the time is not of the format rfc3339"),
    "a day that there was never": (ROW | {"closed": "2026-11-31 10:00:00"}, "`row.closed`: the time is not of the format"),
    "the end of all time": (ROW | {"closed": "9999-12-31 23:59:59"}, "`row.closed`: the time is not between the years 1980 and 2099"),
    "the beginning of all time": (ROW | {"closed": "0001-01-01 00:00:00"}, "`row.closed`: the time is not between the years 1980 and 2099"),
    "the future": (ROW | {"closed": "2027-11-20 10:00:00"}, "resolution: from_the_future $.time (`row.closed`)"),
    "no ticket": (ROW | {"case": ""}, "`join('-', ['ticket', row.case])`: the row names no case"),
    "a word for nothing": (ROW | {"case": "NaN"}, "`join('-', ['ticket', row.case])`: the row names no case"),
    "no name": (ROW | {"case": "4711 Ada Invented"}, "contact: invalid $.id (`join('-', [row.case, 'created'])`)"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_row_is_told_with_its_column_and_stays_out_as_a_whole(what: str, topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    row, hint = BAD[what]
    good = [ROW | {"case": "1"}, ROW | {"case": "2"}]
    file = table([good[0], row, good[1]])
    assert imported(file) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert f"{file}:3: {hint}" in told
    assert "Invented" not in told
    assert topic.values == []
    assert imported(file, "--skip-bad") == ExitCode.OK
    assert "1 rows are left out as a whole" in capsys.readouterr().err
    skipped = topic.values[:]
    topic.values.clear()
    assert imported(table(good)) == ExitCode.OK
    assert topic.values == skipped


NO_ROWS: dict[str, tuple[str, bytes, str]] = {
    "one cell more": ("a.csv", b"case,at\n1,2026-11-20 09:00:00,x\n", ":2: this is no row of the table: it has 3 cells, the heading 2"),
    "one cell less": ("a.csv", b"case,at\n1\n", ":2: this is no row of the table: it has 1 cells, the heading 2"),
    "another encoding": ("a.csv", "case,at,text\n1,2026-11-20 09:00:00,Müller\n".encode("cp1252"), ":2: column text: is not in utf-8-sig"),
    "no JSON": ("a.ndjson", b"nonsense\n", ":1: this is no row: it is not JSON"),
    "bytes": ("a.ndjson", b'{"case": "\xff"}\n', ":1: this is no row: it is not JSON"),
    "no object": ("a.json", b"[[1]]", ":1: this is no row: it is no JSON object"),
    "no number": (
        "a.ndjson",
        b'{"case": NaN, "at": "2026-11-20 09:00:00"}\n',
        ":1: `join('-', ['ticket', row.case])`: the row names no case",
    ),
    "too large a number": (
        "a.ndjson",
        b'{"case": 1e999, "at": "2026-11-20 09:00:00"}\n',
        ":1: `join('-', ['ticket', row.case])`: the row names no case",
    ),
    "half a character": ("a.ndjson", b'{"case": "1\\ud83d", "at": "2026-11-20 09:00:00"}\n', "`: the text holds half a character"),
    "an object": ("a.ndjson", b'{"case": {"a": 1}, "at": "2026-11-20 09:00:00"}\n', "a list or an object is no word"),
}


@pytest.mark.parametrize("what", NO_ROWS)
def test_what_is_no_row_is_told_by_its_line(what: str, topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    name, content, hint = NO_ROWS[what]
    Path(name).write_bytes(content)
    assert imported(name) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert f"{name}:" in told
    assert hint in told
    assert "0 problems" not in told
    assert topic.values == []


def test_problems_are_counted_and_the_first_are_told(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(table([ROW | {"at": "soon"}] * 25)) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert told.count("tickets.csv:") == 21
    assert "25 rows: no events, 25 problems" in told
    assert topic.values == []


def test_what_is_closed_before_it_was_opened_is_told_and_counts_as_closed_at_once(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(table([ROW, ROW | {"case": "2", "closed": "2026-11-20 08:59:00"}])) == ExitCode.OK
    told = capsys.readouterr().err
    assert "tickets.csv:3: resolution: is dated before its contact, and counts as at once" in told
    assert "1 events are dated before their contact" in told
    assert [json.loads(value)["time"] for value in topic.values[2:]] == ["2026-11-20T15:00:00.000Z"] * 2


# -- the same export later ---------------------------------------------------------------------------------------------
def test_a_later_export_says_how_many_rows_differ_from_what_was_sent(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    week = [ROW | {"case": "201"}, ROW | {"case": "202"}, ROW | {"case": "203", "closed": ""}, ROW | {"case": "204"}]
    assert imported(table(week)) == ExitCode.OK
    assert "compared" not in capsys.readouterr().err
    topic.values.clear()
    week[0] |= {"closed": "2026-11-23 10:00:00"}
    week[1] |= {"group": "Front Office"}
    week.append(ROW | {"case": "205"})
    for options in (["--dry-run"], []):
        assert imported(table(week), *options) == ExitCode.OK
        told = capsys.readouterr().err
        assert "compared with what was said before: 2 rows are as they were, 2 say something new, 1 differ" in told
        assert "tickets.csv:3: says something else than was said before under the same id" in told
    assert "201-resolved-2026-11-23T16:00:00.000Z" in topic.ids
    assert imported(table(week)) == ExitCode.OK
    assert "5 rows are as they were, 0 say something new, 0 differ" in capsys.readouterr().err


def test_two_rows_of_one_file_that_differ_under_one_id_are_told(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(table([ROW, ROW, ROW | {"group": "Front Office"}])) == ExitCode.OK
    told = capsys.readouterr().err
    assert "tickets.csv:4: says something else than was said before under the same id" in told
    assert "0 rows are as they were, 2 say something new, 1 differ" in told
    assert len(set(topic.values)) == 4


def test_what_was_sent_is_remembered_for_one_topic(
    topic: Topic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert imported(table([ROW])) == ExitCode.OK
    monkeypatch.setenv("FRONTDESK_TOPIC", "another.topic")
    assert imported(table([ROW | {"group": "x"}])) == ExitCode.OK
    assert "compared" not in capsys.readouterr().err
    assert len(topic.values) == 4


def test_nothing_that_was_sent_can_be_read_where_it_is_remembered(topic: Topic, tmp_path: Path) -> None:
    assert imported(table([ROW])) == ExitCode.OK
    content = (tmp_path / "state" / "imported.sqlite").read_bytes()
    assert [word for word in (b"4711", b"riverside", b"bus-office", b"private") if word in content] == []
    assert len(topic.values) == 2


def test_a_memory_that_is_damaged_is_told(topic: Topic, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "imported.sqlite").write_bytes(b"no database at all" * 100)
    assert imported(table([ROW])) == ExitCode.USAGE
    assert "imported.sqlite cannot be read" in capsys.readouterr().err
    assert topic.values == []


# -- interruptions -----------------------------------------------------------------------------------------------------
MANY = 2 * importation.ROWS_BETWEEN_REPORTS + 10


def interrupted(topic: Topic, name: str, *options: str) -> None:
    topic.fails_after = 2 * importation.ROWS_BETWEEN_REPORTS + 6
    assert imported(name, *options) == ExitCode.UNAVAILABLE


def test_what_was_stopped_goes_on_where_it_was(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    file = table(numbered(MANY))
    interrupted(topic, file)
    assert json.loads(journal(file).read_text())["rows"] == importation.ROWS_BETWEEN_REPORTS
    assert imported(file) == ExitCode.OK
    assert "the first 2,000 rows were sent before: going on after them" in capsys.readouterr().err
    assert len(topic.values) == 2 * MANY + 6
    assert len(set(topic.values)) == 2 * MANY
    assert not journal(file).exists()


def test_times_are_moved_as_they_were_begun_to_be_moved(topic: Topic) -> None:
    file = table(numbered(MANY))
    interrupted(topic, file, "--shift-to-now")
    Clock.at += timedelta(weeks=3)
    assert imported(file, "--shift-to-now") == ExitCode.OK
    assert {json.loads(value)["id"].rpartition("+")[2] for value in topic.values} == {"7d"}
    assert len(set(topic.values)) == 2 * MANY


def test_a_shift_is_kept_from_the_first_event_on(topic: Topic) -> None:
    file = table([ROW])
    topic.fails_after = 1
    assert imported(file, "--shift-to-now") == ExitCode.UNAVAILABLE
    Clock.at += timedelta(weeks=3)
    assert imported(file, "--shift-to-now") == ExitCode.OK
    assert len(set(topic.values)) == 2


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody whom permissions bind, whoever runs the tests."""
    us = os.geteuid()
    if us == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(us)


def test_a_journal_lies_in_the_state_folder_where_nobody_may_write_beside_the_file() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, state = Path(name), Path(name) / "state"
        file = folder / "export" / "tickets.csv"
        file.parent.mkdir()
        file.touch()
        state.mkdir()
        for each, mode in ((folder, 0o755), (file.parent, 0o555), (state, 0o777)):
            each.chmod(mode)
        kept, written = ImportJournal(file, "one", state), Position(2_000, timedelta(weeks=3))
        with unprivileged():
            assert kept.begun() is None
            kept.write(written)
            assert kept.begun() == written
            assert ImportJournal(file, "another mapping", state).begun() is None
            assert ImportJournal(folder / "elsewhere" / "tickets.csv", "one", state).begun() is None
            kept.remove()
            assert kept.begun() is None
        assert list(file.parent.iterdir()) == [file]


def test_a_name_that_leaves_no_room_for_a_journal_beside_it_does_no_harm(topic: Topic) -> None:
    file = table(numbered(MANY), f"{'x' * 245}.csv")
    interrupted(topic, file)
    assert imported(file) == ExitCode.OK
    assert len(set(topic.values)) == 2 * MANY < len(topic.values)


def test_without_a_place_for_a_journal_nothing_is_sent(topic: Topic) -> None:
    Path("state").symlink_to("nowhere/to be made")
    assert imported(table([ROW], f"{'x' * 245}.csv")) == ExitCode.USAGE
    assert topic.values == []


def test_an_import_that_cannot_be_remembered_says_so_and_goes_on(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    Path("state").symlink_to("nowhere/to be made")
    assert imported(table([ROW])) == ExitCode.OK
    assert "imported.sqlite cannot be written" in capsys.readouterr().err
    assert len(topic.values) == 2


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize("content", ["", "[]", '{"rows": 3}', '{"import": "x", "rows": "y"}', '{"import": "x", "rows": 3}'])
def test_a_damaged_journal(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = table([ROW])
    journal(file).write_text(content)
    assert imported(file) == ExitCode.USAGE
    assert "import-progress is damaged: remove it" in capsys.readouterr().err
