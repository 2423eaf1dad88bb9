"""The door's process: opens the engine, listens, says when it is ready, and on SIGTERM leaves in order.

Ready means that `door.json` stands in the data folder with the process id and the ports. On the way out no new
client is taken, running statements are ended, open inserts given up, and the engine closed; what has been acknowledged is in parts by then.
"""

import json
import logging
import os
import signal
import ssl
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.embedded.clickhouse.engine import Engine, opened
from deploy.embedded.clickhouse.native import NativeDoor
from deploy.embedded.clickhouse.running import Running

STOP_S = 10.0
READY_FILE = "door.json"
DEFAULT_MEMORY_BYTES = 4 << 30

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """What the command line says. Port 0 is any free port, None no port. `tls` is (certificate file, key file)."""

    data: Path
    native_port: int = 0
    secure_native_port: int | None = None
    tls: tuple[Path, Path] | None = None
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """What `door.json` holds."""

    pid: int
    native_port: int
    secure_native_port: int | None


def run(options: DoorOptions) -> None:
    """Serves until SIGTERM or SIGINT. Unavailable if it cannot begin."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with opened(options.data, options.memory_bytes) as engine:
        serve(options, engine, stop)


def serve(options: DoorOptions, engine: Engine, stop: threading.Event) -> None:
    running = Running(engine)
    doors = [NativeDoor(port, engine, running, options.password, tls) for port, tls in native_ports(options)]
    for door in doors:
        door.start()
    ready_file = options.data / READY_FILE
    secure = doors[1].port if options.secure_native_port is not None else None
    write_whole(ready_file, json.dumps(asdict(Ready(os.getpid(), doors[0].port, secure))))
    stop.wait()
    ready_file.unlink(missing_ok=True)
    leave(doors, running)


def leave(doors: Sequence[NativeDoor], running: Running) -> None:
    running.close()
    running.end_all()
    left = [door.stop(STOP_S) for door in doors]
    if not all(left):
        log.error("statements were still running %s seconds after the stop; leaving without them", STOP_S)
        logging.shutdown()
        os._exit(0)  # the engine cannot be closed under a running statement; its parts are whole at any moment


def native_ports(options: DoorOptions) -> list[tuple[int, ssl.SSLContext | None]]:
    ports: list[tuple[int, ssl.SSLContext | None]] = [(options.native_port, None)]
    if options.secure_native_port is not None and options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
        ports.append((options.secure_native_port, context))
    return ports


def write_whole(path: Path, text: str) -> None:
    """The file appears with all of its text or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
