"""The password of an embedded ClickHouse: random, made once for a data folder, in a file that its owner alone can read.

Whoever may read the file may use the database, as with the data themselves. This module imports nothing, so that every command may.
"""

import os
import secrets
from pathlib import Path

NAME = "password"


def make(file: Path) -> None:
    """Have a password in the file; the one that is there is kept."""
    if not file.exists():
        new = file.with_name(f"{file.name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "w") as opened:
            opened.write(secrets.token_urlsafe(24))
        new.replace(file)
