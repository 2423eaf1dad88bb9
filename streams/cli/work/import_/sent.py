"""What imports have sent from here, by hashes: so that the next one can say which rows tell something else under the same ids.

Kept in the state folder, 24 bytes an event, and nothing that could be read. Without it an import does the same, and says less.
The rows of one file are compared with each other, too, in a database that nobody else sees and that may outgrow the memory.
"""

import hashlib
import sqlite3
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from streams.terminal.outcome import ExitCode, Stop

NAME: Final = "imported.sqlite"
TABLE: Final = "CREATE TABLE IF NOT EXISTS sent (identity BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID"
TIMEOUT_S: Final = 60
"""How long one import waits while another one writes."""


class Comparison(Enum):
    """What an event is to what was sent before."""

    NEW = "new"
    SAME = "same"
    OTHER = "other"


class Hashes(NamedTuple):
    """Of what names an event, and of all that it says."""

    identity: bytes
    content: bytes


def hashes_of(topic: str, district: str, event: dict[str, Any], value: bytes) -> Hashes:
    """`value` is the event as it is sent."""
    identity = "\0".join((topic, district, event["subject"], event["source"], event["id"]))
    return Hashes(hashlib.blake2b(identity.encode(), digest_size=16).digest(), hashlib.blake2b(value, digest_size=8).digest())


class Sent:
    """A context for one import. It reads what there is; `begin` makes the file where there is none, and only then it is written."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / NAME
        self._database: sqlite3.Connection | None = None
        self._writes = False
        self._here = sqlite3.connect("")
        self._here.execute(TABLE)

    def __enter__(self) -> Self:
        if self.file.exists():
            try:
                self._database = sqlite3.connect(f"{self.file.resolve().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_S)
            except sqlite3.OperationalError as error:
                raise self._unreadable(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._here.close()
        if self._database is not None:
            self._database.close()

    def begin(self) -> None:
        """Raises OSError or sqlite3.DatabaseError where it cannot be written."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.file, timeout=TIMEOUT_S)
        try:
            database.execute(TABLE)
        except BaseException:
            database.close()
            raise
        if self._database is not None:
            self._database.close()
        self._database, self._writes = database, True

    def compared(self, hashes: Hashes) -> Comparison:
        """OTHER also where an earlier row of this import says something else. Raises `Stop` where the file is damaged."""
        earlier = _content(self._here, hashes)
        if earlier is None:
            self._here.execute("INSERT INTO sent (identity, content) VALUES (?, ?)", hashes)
        try:
            before = None if self._database is None else _content(self._database, hashes)
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        if {earlier, before} - {None, hashes.content}:
            return Comparison.OTHER
        return Comparison.NEW if before is None else Comparison.SAME

    def note(self, sent: Iterable[Hashes]) -> None:
        """These are in Kafka. Raises `Stop` where that cannot be written any more."""
        if self._database is None or not self._writes:
            return
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO sent (identity, content) VALUES (?, ?)", sent)
        except sqlite3.DatabaseError as error:
            raise Stop(
                ExitCode.UNAVAILABLE, f"{self.file} cannot be written ({error}): the same command goes on where this one was"
            ) from error

    def _unreadable(self, error: sqlite3.DatabaseError) -> Stop:
        hint = "remove it; then it is only not known what differs from earlier imports"
        return Stop(ExitCode.USAGE, f"{self.file} cannot be read ({error}): {hint}")


def _content(database: sqlite3.Connection, hashes: Hashes) -> bytes | None:
    """The hash of what was said under this identity."""
    row = database.execute("SELECT content FROM sent WHERE identity = ?", (hashes.identity,)).fetchone()
    return None if row is None else bytes(row[0])
