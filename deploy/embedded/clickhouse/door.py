"""The door's process: opens the engine, listens, says when it is ready, and on SIGTERM leaves in order.

Ready means that `door.json` stands in the data folder with the process id and the ports. On the way out no new
client is taken, running statements are ended, open inserts given up, and the engine closed; what has been acknowledged is in parts by then.
"""

import json
import logging
import os
import signal
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.embedded.clickhouse.config import DEFAULT_MEMORY_BYTES
from deploy.embedded.clickhouse.engine import Engine, opened
from deploy.embedded.clickhouse.native import NativeDoor
from deploy.embedded.clickhouse.running import Running

STOP_S = 10.0
READY_FILE = "door.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """What the command line says. Port 0 is any free port."""

    data: Path
    native_port: int = 0
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """What `door.json` holds."""

    pid: int
    native_port: int


def run(options: DoorOptions) -> None:
    """Serves until SIGTERM or SIGINT. Unavailable if it cannot begin."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with opened(options.data, options.memory_bytes) as engine:
        serve(options, engine, stop)


def serve(options: DoorOptions, engine: Engine, stop: threading.Event) -> None:
    running = Running(engine)
    door = NativeDoor(options.native_port, engine, running, options.password)
    door.start()
    ready_file = options.data / READY_FILE
    write_whole(ready_file, json.dumps(asdict(Ready(os.getpid(), door.port))))
    stop.wait()
    ready_file.unlink(missing_ok=True)
    leave(door, running)


def leave(door: NativeDoor, running: Running) -> None:
    running.close()
    running.end_all()
    if not door.stop(STOP_S):
        log.error("statements were still running %s seconds after the stop; leaving without them", STOP_S)
        logging.shutdown()
        os._exit(0)  # the engine cannot be closed under a running statement; its parts are whole at any moment


def write_whole(path: Path, text: str) -> None:
    """The file appears with all of its text or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
