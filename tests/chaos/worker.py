"""A worker as `frontdesk worker` runs it, that dies by order at a named point: `python -m tests.chaos.worker FOLDER`."""

import sys
from pathlib import Path

from streams.log import configure_logging
from streams.terminal.configuration import load_settings
from streams.terminal.outcome import guarded
from streams.worker.process import run_worker
from tests.chaos.points import Orders, watched


def main(folder: str) -> int:
    settings = load_settings()
    configure_logging(settings.log_format)
    return run_worker(settings, lambda parts: watched(parts, Orders(Path(folder)), settings))


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(*sys.argv[1:])))
