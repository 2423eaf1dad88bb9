"""Why Kafka could not be reached. aiokafka raises one error for everything, and tells the cause to its log only.

A wrong password, an unknown certificate and a server that is away ask for different things of the user, so the log is
listened to, for the exception in it.
"""

import logging


class Causes(logging.Handler):
    """Remembers the exception that aiokafka's log named last."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.last = next((each for each in reversed(arguments) if isinstance(each, BaseException)), self.last)

    def listen(self) -> None:
        """Forget what was, and listen; once is enough for a process, twice does no harm."""
        self.last = None
        logging.getLogger("aiokafka").addHandler(self)


CAUSES = Causes()
"""Of this process: whoever tells an error has nothing but the error at hand."""
