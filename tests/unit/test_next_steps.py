"""Every warning of a worker says what to do next."""

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from streams.log import configure_logging
from streams.next_steps import NEXT_STEPS

ROOT = Path(__file__).parents[2]
SEVERE = {"warning", "error", "critical"}


def severe_lines() -> Iterator[tuple[str, bool]]:
    """What each call of a log in `streams` and `sinks` tells from WARNING on, and whether it brings its own next step."""
    for path in [*(ROOT / "streams").rglob("*.py"), *(ROOT / "sinks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEVERE:
                [told, *_] = node.args
                assert isinstance(told, ast.Constant), f"{path}:{node.lineno}: an event is a plain string"
                yield str(told.value), any(keyword.arg == "next" for keyword in node.keywords)


def test_every_warning_has_a_next_step() -> None:
    lines = list(severe_lines())
    assert len(lines) > 10
    assert {told for told, has_own in lines if not has_own} - NEXT_STEPS.keys() == set()


def test_the_list_names_only_what_is_told() -> None:
    assert NEXT_STEPS.keys() - {told for told, _ in severe_lines()} == set()


@pytest.fixture
def logged() -> io.StringIO:
    """What is written to the log, as JSON."""
    out = io.StringIO()
    configure_logging("json", out)
    return out


def test_a_line_of_the_log_bears_it(logged: io.StringIO) -> None:
    structlog.get_logger("processor").warning("batch given up", why="partition 3 is no longer ours")
    entry = json.loads(logged.getvalue())
    assert (entry["level"], entry["logger"], entry["why"]) == ("warning", "processor", "partition 3 is no longer ours")
    assert entry["next"] == NEXT_STEPS["batch given up"]


def test_a_crash_of_fausts_services_is_a_line_without_a_trace(logged: io.StringIO) -> None:
    reason = ValueError("the reason")
    logging.getLogger("streams.worker.transport.consumer").error("[^-Consumer]: Crashed reason=%r", reason, exc_info=reason)
    entry = json.loads(logged.getvalue())
    assert "the reason" in entry["event"]
    assert "exception" not in entry
