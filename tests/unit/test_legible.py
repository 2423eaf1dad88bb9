"""What somebody else wrote is shown at a terminal and in spreadsheets as a text, and does nothing there."""

import csv
import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from events.personal_data import nobody_allows
from sinks.clickhouse.dead_letters import DeadLetter, Selection
from streams.cli.work import dead_letters as dead_letters_work
from streams.cli.work import indicators as reading
from streams.cli.work.oncall import Waiting, listed
from streams.cli.work.publish import check as scrutiny
from streams.dead_letters import Original
from streams.legible import in_one_line, legible
from streams.log import configure_logging
from streams.settings import Settings
from streams.terminal.outcome import one_line
from streams.terminal.screen import Screen

TITLE, CLEAR, C1, AROUND = "\x1b]0;owned\x07", "\x1b[2J", "\x9b31m", "\u202egpj.exe"
EVIL = f"riverside{TITLE}{CLEAR}{C1}{AROUND}\r"
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]").search
HARMLESS = ["", "Ríverside", "bus-late", "हिन्दी", "ق\u200cم", "👩\u200d🏫", "two\nlines", "a\tb", "[red]x[/]"]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_is_as_it_was(text: str) -> None:
    assert legible(text) == text


@given(st.text(st.characters(codec=None)))
def test_nothing_is_obeyed_and_a_line_is_one(text: str) -> None:
    assert not OBEYED(legible(text))
    assert not OBEYED(in_one_line(text))
    assert len(in_one_line(text).splitlines()) <= 1
    legible(text).encode()


def test_whatever_is_printed_on_a_screen_is_not_obeyed() -> None:
    out = io.StringIO()
    screen = Screen(file=out, force_terminal=True, width=400, color_system="truecolor", highlight=False)
    table = Table("place", title=f"title {EVIL}", caption=EVIL)
    table.add_row(EVIL)
    table.add_row(Text(EVIL, style="bold red"))
    for each in (table, Text(EVIL), EVIL.replace("[", r"\[")):
        screen.print(each, style="green")
    shown = out.getvalue()
    colours = re.compile(r"\x1b\[[0-9;]*m")
    assert colours.search(shown), "its own colours stay"
    assert not OBEYED(colours.sub("", shown))
    assert shown.count(r"\x1b]0;owned") == 6


def waiting_row() -> dict[str, Any]:
    now = datetime(2026, 11, 20, 14, tzinfo=UTC)
    return {
        "promise": "missed", "due_at": now, "as_of": now, "target": "response", "left_ms": -1, "priority": "critical", "waiting_ms": 5,
        "district": EVIL, "school": EVIL, "department": EVIL, "subject": EVIL, "topic": EVIL, "total": 1,
    }  # fmt: skip


def test_oncall_shows_names_and_obeys_none() -> None:
    out = io.StringIO()
    Screen(file=out, width=900).print(listed(Waiting([waiting_row()], trouble=EVIL), 1))
    assert not OBEYED(out.getvalue())
    assert out.getvalue().count("riverside") == 5


def test_a_dead_letter_is_shown_line_by_line_and_obeyed_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = DeadLetter(**{name: EVIL if kind in (str, "str") else 7 for name, kind in DeadLetter.__annotations__.items()})
    record = Original(**{
        name: {"headers": [(EVIL + "\n", EVIL.encode()), ("h", None)], "key": EVIL.encode(), "value": b"\x1b[2J\xff\n"}.get(name, 7)
        for name in Original.__annotations__
    })  # fmt: skip
    monkeypatch.setattr(dead_letters_work, "the_one", lambda *_: letter)
    monkeypatch.setattr(dead_letters_work, "_originals", lambda *_: [record])
    dead_letters_work.show_one(Settings(), Selection(), "table", raw=False)
    shown = capsys.readouterr().out
    assert not OBEYED(shown)
    assert len(shown.splitlines()) == len(DeadLetter.__annotations__) + 4


def test_a_message_on_the_error_line_is_not_obeyed() -> None:
    assert not OBEYED(one_line(f"ClickHouse says {EVIL}"))


def test_a_mistake_in_a_line_is_told_without_obeying_it(capsys: pytest.CaptureFixture[str]) -> None:
    scrutiny.Scrutiny(f"events{CLEAR}.ndjson", nobody_allows).event_in(1, b"{}")
    assert not OBEYED(capsys.readouterr().err)


def test_a_log_at_a_terminal_is_not_obeyed() -> None:
    out = io.StringIO()
    configure_logging("console", out)
    structlog.get_logger("x").warning("refused", path=TITLE, why=CLEAR)
    assert "owned" in out.getvalue()
    assert not OBEYED(out.getvalue())


# -- spreadsheets --------------------------------------------------------------------------------------------------------
def test_indicators_for_spreadsheets_hold_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "district": '=HYPERLINK("http://evil.example")',
        "school_name": "@sum",
        "contacts": -1,
        "score": None,
        "as_of": datetime(2026, 1, 1, tzinfo=UTC),
    }
    reading.write_indicators([row], "csv", "school", "24h")
    [read] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert read == {
        "district": '\'=HYPERLINK("http://evil.example")',
        "school_name": "'@sum",
        "contacts": "-1",
        "score": "",
        "as_of": "2026-01-01T00:00:00+00:00",
    }


def test_every_table_of_values_that_is_written_is_written_by_these() -> None:
    """A new CSV must defuse its texts too."""
    root = Path(sys.modules[reading.__name__].__file__ or "").parents[3]
    writers = {
        str(file.relative_to(root))
        for file in root.glob("streams/**/*.py")
        if re.search(r"csv\.(Dict)?[Ww]riter\(", file.read_text("utf-8"))
    }
    assert writers == {"streams/cli/work/sql.py", "streams/cli/work/indicators.py", "streams/export/form.py"}
