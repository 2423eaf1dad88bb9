"""Every exception of the product says itself which exit code it means; none is left to a default."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

import deploy
import events
import projections
import sinks
import streams
from events.exit_code import ExitCode
from streams.dead_letters import BytesGone
from streams.terminal.outcome import Stop, guarded, outcome_of
from streams.worker.changelog import Oversized
from streams.worker.transport.assignment import Hole

ROOMS = (events, projections, sinks, streams, deploy)


def modules() -> Iterator[ModuleType]:
    for room in ROOMS:
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def exceptions() -> set[type[BaseException]]:
    return {
        kind
        for module in modules()
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__module__ == module.__name__
    }


def test_every_exception_has_a_deliberate_code() -> None:
    found = exceptions()
    assert len(found) > 30, "the walk goes everywhere"
    named = {f"{kind.__module__}.{kind.__name__}": getattr(kind, "exit_code", None) for kind in found - {Stop}}
    assert {name: code for name, code in named.items() if not isinstance(code, ExitCode)} == {}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Stop(ExitCode.DIFFERENCE, "it differs"), ExitCode.DIFFERENCE),
        (Oversized("changelog", b"riverside case-1", None), ExitCode.REFUSED),
        (BytesGone("not there"), ExitCode.REFUSED),
    ],
)
def test_the_code_of_an_exception_is_that_of_the_command(error: Exception, code: ExitCode, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error

    assert guarded(work) == code
    assert capsys.readouterr().err == f"frontdesk: {error}\n"


@pytest.mark.parametrize("error", [Hole("inside"), type("New", (Exception,), {"__module__": "streams.somewhere"})("without a code")])
def test_what_should_never_get_out_is_a_mistake_with_its_traceback(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error

    assert outcome_of(error) is None
    assert guarded(work) == ExitCode.MISTAKE
    assert "Traceback" in capsys.readouterr().err
