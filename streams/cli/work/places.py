"""A district, school or department that is mistyped is an error in every command: an empty list would look like a quiet place."""

import difflib
from collections.abc import Sequence
from typing import Final

from clickhouse_driver import Client

from events.directory import Directory
from sinks.clickhouse import places
from streams.terminal.outcome import ExitCode, Stop

MOST_NAMED: Final = 10


def refuse_unknown(
    client: Client, directory: Directory, district: str | None, *, school: str | None = None, department: str | None = None
) -> None:
    """Raise `Stop` for the first of them that neither a case nor the directory names, with the names that are near."""
    listed = directory.file.districts.values()
    if district is not None:
        _refuse(client, "district", district, directory.districts())
    if school is not None:
        _refuse(client, "school", school, [name for one in listed for name in one.schools])
    if department is not None:
        _refuse(client, "department", department, [name for one in listed for name in one.departments])


def _refuse(client: Client, kind: str, name: str, listed: Sequence[str]) -> None:
    if name in listed or places.is_known(client, kind, name):
        return
    known = sorted({*listed, *places.names(client, kind)})
    near = difflib.get_close_matches(name, known, n=3) or difflib.get_close_matches(name.casefold(), known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {enumerated(known)}"
    raise Stop(ExitCode.USAGE, f"--{kind} {name}: nothing was ever counted for it; {hint}")


def enumerated(known: Sequence[str]) -> str:
    """As many names as one can take in."""
    more = f" and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else ""
    return (", ".join(known[:MOST_NAMED]) or "none yet") + more
