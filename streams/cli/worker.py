"""`frontdesk worker`: one process that turns events into rows."""

# ruff: noqa: PLC0415 - so that --help is instant

from streams.cli.options import Folder


def worker(folder: Folder = None) -> int:
    """Read events from Kafka, keep the cases, write rows to ClickHouse, until it is stopped.

    Start as many as there are cores, up to the number of partitions: they share the districts among them. Ctrl-C or SIGTERM
    ends it cleanly; kill -9 loses nothing, either.
    """
    from streams.cli.configuration import load_settings
    from streams.log import configure_logging
    from streams.worker import run_worker

    settings = load_settings(folder)
    configure_logging(settings.log_format)
    return run_worker(settings)
