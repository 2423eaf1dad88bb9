"""Stands in for the program `clickhouse`: writes down how it was called, then serves by the embedded engine what its configuration says.

It does by its folder as the server does: its process id and a lock are in `status`. The password it takes from the file beside.
"""

import fcntl
import json
import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

CALLS = "calls.json"


def install(folder: Path, name: str = "clickhouse") -> Path:
    """A program in the folder that does this; `folder / CALLS` tells how it was called."""
    program = folder / name
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {folder / CALLS} "$@"\n')
    program.chmod(0o755)
    return program


def main(calls: str, command: str, option: str) -> None:
    file = Path(option.removeprefix("--config-file="))
    config = ET.parse(file).getroot()  # noqa: S314 - written by the product
    Path(calls).write_text(json.dumps({"command": command, "watchdog": os.environ["CLICKHOUSE_WATCHDOG_ENABLE"], "pid": os.getpid()}))
    data = Path(config.findtext("path") or "")
    status = os.open(data / "status", os.O_CREAT | os.O_RDWR)
    fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(status, f"PID: {os.getpid()}\nStarted at: now\n".encode())
    os.set_inheritable(status, True)
    engine = ["-m", "deploy.embedded.clickhouse", "--data", str(data), "--native-port", config.findtext("tcp_port") or ""]
    os.execv(sys.executable, [sys.executable, *engine, "--password-file", str(file.with_name("password"))])  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
