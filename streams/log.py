"""What the processes say about themselves: lines for people at a terminal, JSON for machines otherwise.

Everything goes to standard error, also what libraries log, so that standard output belongs to results.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from streams.legible import legible
from streams.next_steps import add_next_step

Format = Literal["auto", "console", "json"]
TALKATIVE = ("aiokafka", "faust", "mode", "asyncio", "streams.worker.app", "streams.worker.transport")
"""Libraries, and what Faust's services of ours tell of their starting and stopping."""
WITHOUT_VALUES = structlog.dev.RichTracebackFormatter(show_locals=False)
"""Of a mistake: a log tells where it is, and not what was in hand, which may be somebody's words."""
REPETITIVE = ("clickhouse_driver",)
"""Logs with a traceback what it raises as well; whoever asked it tells what failed, in a line."""


def without_traces_of_crashes(record: logging.LogRecord) -> bool:
    """Faust tells with a traceback that a service crashed. The exception reaches whoever started the app, who tells what it means."""
    if "Crashed reason" in str(record.msg):
        record.exc_info = None
    return True


def without_requests_that_are_no_http(record: logging.LogRecord) -> bool:
    """Aiohttp logs each with a traceback and its bytes. The client is told by a 400, and strangers fill no log."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


def with_legible_values(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For a terminal, which would obey what somebody's record says."""
    return {name: legible(value) if isinstance(value, str) else value for name, value in entry.items()}


def configure_logging(form: Format = "auto", stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Set up structlog and the standard library's logging for this process; libraries are heard from WARNING on."""
    out = stream or sys.stderr
    console = form == "console" or (form == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        add_next_step,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    render: list[structlog.typing.Processor] = (
        [with_legible_values, structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=WITHOUT_VALUES)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render]
        )
    )
    handler.addFilter(without_traces_of_crashes)
    handler.addFilter(without_requests_that_are_no_http)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in REPETITIVE:
        logging.getLogger(name).setLevel(max(level, logging.ERROR))
