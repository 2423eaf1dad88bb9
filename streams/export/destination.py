"""Where an export goes. Under its own name a file is whole or not there: what was begun lies beside it until it is."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def destination(file: Path | None) -> Iterator[BinaryIO]:
    """Standard output without `file`. A pipe or a device is written to as it is; another file is replaced at the end.

    Raises OSError with the name that was asked for.
    """
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif file.exists() and not file.is_file():
        with file.open("wb") as opened:
            yield opened
    else:
        with _replaced(file) as opened:
            yield opened


@contextmanager
def _replaced(file: Path) -> Iterator[BinaryIO]:
    whole = file.resolve()  # through a link, what it points to
    part = whole.with_name(f"{whole.name}.{os.getpid()}.part")
    try:
        opened = part.open("xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error
    try:
        with opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(whole)
    except BaseException:  # Ctrl-C as well: whatever ended it goes on, and leaves no half file
        part.unlink(missing_ok=True)
        raise
