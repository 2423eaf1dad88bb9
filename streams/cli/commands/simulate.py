"""`frontdesk simulate`: believable events into the topic or a file, once or going on in real time."""

# ruff: noqa: PLC0415 - so that --help is instant

from typing import Annotated

import typer

from streams.terminal.options import Folder


def simulate(
    *,
    students: Annotated[int, typer.Option(min=1, max=1_000_000, help="Students of each district.")] = 10_000,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Days of history, up to the end.")] = 28,
    districts: Annotated[int, typer.Option(min=1, max=10_000, help="Districts, all of the same size.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and end give the same events.")] = 1,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="End, such as 2026-11-20T16:00 (the district's clock) or ...Z.", show_default="now")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Go on in real time after the history, until Ctrl-C.")] = False,
    out: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write NDJSON there instead of sending to Kafka; - for standard output.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Invent a school district: what families, students and staff ask, who answers when, and how content they are.

    0.4 new cases a student and school day, about five events each: bus delays in the morning, quiet weekends, many languages,
    automatic replies, questions that another department answers, cases that come back, ratings that not everybody gives. At
    the end it shows its own distributions beside the ranges that they should be in.
    """
    from streams.cli.work.simulate.run import invent, plan_until
    from streams.simulation import Plan
    from streams.terminal.configuration import load_settings

    settings = None if out else load_settings(folder)
    plan = Plan(plan_until(until, live=live, sent=out is None), students, days, seed, districts)
    invent(plan, settings, out or "", live=live)
