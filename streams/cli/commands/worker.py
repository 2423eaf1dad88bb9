"""`frontdesk worker`: one process that turns events into rows."""

# ruff: noqa: PLC0415 - so that --help is instant

from typing import Final

from streams.terminal.options import Folder

START_AGAIN: Final = "start it again once the server answers, or let its supervisor: nothing is lost, it goes on where it was"
DO_FIRST: Final = "do what is said here first: started again before, it stops again. Nothing is lost, and nothing beyond is committed"


def worker(folder: Folder = None) -> int:
    """Read events from Kafka, keep the cases, write rows to ClickHouse, until it is stopped.

    Start as many as there are cores, up to the number of partitions: they share the districts among them. Ctrl-C or SIGTERM
    ends it cleanly; kill -9 loses nothing, either.
    """
    from streams.log import configure_logging
    from streams.terminal.configuration import load_settings
    from streams.worker.process import run_worker

    settings = load_settings(folder)
    configure_logging(settings.log_format)
    try:
        return run_worker(settings)
    except Exception as error:
        _log(error)
        raise


def _log(error: Exception) -> None:
    """In the worker's own log too, for machines, and what comes next; the line for people and the exit code are the rim's."""
    import structlog

    from streams.terminal.outcome import ExitCode, one_line, outcome_of

    outcome = outcome_of(error)
    if outcome is not None:
        passes = outcome.code == ExitCode.UNAVAILABLE
        structlog.get_logger("worker").critical(
            "worker failed", why=one_line(outcome.message), exit_code=int(outcome.code), next=START_AGAIN if passes else DO_FIRST
        )
