"""The command `frontdesk`. One file for each subcommand; `outcome` turns whatever went wrong into a line and an exit code.

Commands import what they need when they run, so that `--help` and wrong flags are answered at once.
"""

# ruff: noqa: PLC0415 - see above

import logging
import sys
from collections.abc import Sequence

__all__ = ["main", "run"]


def main() -> None:
    """Entry point of the installed command."""
    from streams.terminal.standard_streams import made_sure_of

    made_sure_of()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """One command line in, its exit code out; never raises for what a user can cause."""
    logging.getLogger().addHandler(logging.NullHandler())  # commands say it all; only a worker logs, and sets that up itself
    from streams.cli.application import command
    from streams.terminal.causes import CAUSES
    from streams.terminal.outcome import guarded

    CAUSES.listen()
    return guarded(lambda: command().main(list(arguments), prog_name="frontdesk", standalone_mode=False))
