"""Where an import was, so that the same command goes on there: how many rows are in Kafka, and by how much their times were moved.

It lies beside the imported file, or in the state folder where nobody may write there. It names what was imported how; another
file, mapping or option begins anew.
"""

import errno
import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from streams.terminal.outcome import ExitCode, Stop

NO_PLACE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG})


@dataclass(frozen=True)
class Position:
    """`shift` is by how much times are moved: computed once, and kept, since with another one the events would be others."""

    rows: int
    shift: timedelta


class ImportJournal:
    """Of one import, entry by its `fingerprint`. `folder` is where it is kept when it cannot lie beside the file."""

    def __init__(self, file: Path, fingerprint: str, folder: Path) -> None:
        self._beside = file.with_name(f"{file.name}.import-progress")
        self._elsewhere = folder / f"{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:32]}.import-progress"
        self._fingerprint = fingerprint

    def begun(self) -> Position | None:
        """None where nothing was begun, or something else. Raises `Stop` where a journal is damaged."""
        return self._read(self._beside) or self._read(self._elsewhere)

    def write(self, progress: Position) -> None:
        """Raises OSError where there is no place for it at all."""
        entry = {"import": self._fingerprint, "rows": progress.rows, "shift_days": progress.shift.days}
        try:
            _replace(self._beside, json.dumps(entry))
        except OSError as error:
            if error.errno not in NO_PLACE:
                raise
            self._elsewhere.parent.mkdir(parents=True, exist_ok=True)
            _replace(self._elsewhere, json.dumps(entry))

    def remove(self) -> None:
        for file in (self._beside, self._elsewhere):
            if _stands(file):
                file.unlink()

    def _read(self, file: Path) -> Position | None:
        if not _stands(file):
            return None
        try:
            entry = json.loads(file.read_bytes())
            imported, progress = str(entry["import"]), Position(int(entry["rows"]), timedelta(days=int(entry["shift_days"])))
        except (ValueError, TypeError, KeyError) as error:
            raise Stop(ExitCode.USAGE, f"{file} is damaged: remove it; importing from the beginning does no harm") from error
        return progress if imported == self._fingerprint else None


def _stands(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        return False


def _replace(file: Path, text: str) -> None:
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(text)
    fresh.replace(file)
