"""Real Kafka and real ClickHouse from packages alone, in a data folder, for a laptop, a demonstration and the tests.

Only the command line and the tests import this package. Whatever keeps a server from running is told as `Unavailable`.
"""

from events.exit_code import ExitCode

__all__ = ["Unavailable", "process", "stack"]


class Unavailable(Exception):
    """An embedded server cannot run here and now; the message says why and what to do about it."""

    exit_code = ExitCode.UNAVAILABLE
