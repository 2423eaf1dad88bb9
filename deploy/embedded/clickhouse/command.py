"""The command line of the door: options, log, exit codes, and one clear line for whatever keeps it from starting.

The password comes in a file, never on the command line, where every process of the machine could read it.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse.config import DEFAULT_MEMORY_BYTES
from deploy.embedded.clickhouse.door import DoorOptions, run

OK, USAGE, UNAVAILABLE = 0, 2, 3
LAST_PORT = 65535


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 after an ordered stop, 2 for wrong options, 3 if the folder or a port cannot be had."""
    try:
        options = parsed(arguments)
        start_log(options.data)
        run(options)
    except Unavailable as error:
        sys.stderr.write(f"clickhouse: {error}\n")
        return UNAVAILABLE
    return OK


def start_log(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        logging.basicConfig(filename=folder / "door.log", level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    except OSError as error:
        raise Unavailable(f"the data folder {folder} cannot be written: {error.strerror}") from error


def parsed(arguments: Sequence[str]) -> DoorOptions:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded.clickhouse", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data; made if it does not exist")
    parser.add_argument("--native-port", type=port, default=0, help="native protocol; 0 (the default) is any free port")
    parser.add_argument("--password-file", type=Path, help="file with the password of the one user, default; none without it")
    parser.add_argument("--memory-bytes", type=int, default=DEFAULT_MEMORY_BYTES, help="what all queries together may use")
    given = parser.parse_args(arguments)
    return DoorOptions(
        data=given.data.absolute(),
        native_port=given.native_port,
        memory_bytes=given.memory_bytes,
        password=password_in(given.password_file),
    )


def password_in(file: Path | None) -> str:
    try:
        return file.read_text() if file else ""
    except OSError as error:
        raise Unavailable(f"the password file {file} cannot be read: {error.strerror}") from error


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{number} is not a port (0 to {LAST_PORT})")
    return number
