"""`frontdesk status`: what runs, how far the workers are, what the tables hold."""

# ruff: noqa: PLC0415 - so that --help is instant

from streams.terminal.options import Folder


def status(folder: Folder = None) -> int:
    """Show which servers answer, how many events wait to be counted, and how many rows there are.

    Exit code 0 when all answer, 3 when something is away.
    """
    from streams.cli.work.status import checks
    from streams.terminal.configuration import load_settings
    from streams.terminal.outcome import ExitCode
    from streams.terminal.screen import results, sign

    settings, console = load_settings(folder), results()
    healthy = True
    for check in checks(settings):
        healthy = healthy and check.good
        console.print(f"{sign(console, good=check.good)} {check.name:<20}", end="")
        console.print(check.finding, markup=False, soft_wrap=True)
    return ExitCode.OK if healthy else ExitCode.UNAVAILABLE
