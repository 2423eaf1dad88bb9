"""Small files that people name: read up to a size, and secrets only where nobody else can read them."""

import os
import stat
from pathlib import Path
from typing import Final

from events.exit_code import ExitCode

MOST_SECRET_BYTES: Final = 64 * 1024
OTHERS: Final = 0o077
"""Rights of group and others."""


class FileRefused(Exception):
    """A file is not used, and why: it has a secret that others can read, or is far too large for what it is named as."""

    exit_code = ExitCode.USAGE


def read_bytes(file: Path, most_bytes: int, forbidden_rights: int = 0) -> bytes:
    """Raises `FileRefused`, or OSError where it cannot be read. The rights are those of what a link leads to."""
    with file.open("rb") as opened:
        if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & forbidden_rights:
            raise FileRefused(f"{file} holds a secret and can be read by others: chmod 600 {file}")
        content = opened.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise FileRefused(f"{file} has over {most_bytes:,} bytes")
    return content


def read_secret(file: Path, most_bytes: int = MOST_SECRET_BYTES) -> bytes:
    """As `read_bytes`, of a file that only its owner may have rights for."""
    return read_bytes(file, most_bytes, OTHERS)
