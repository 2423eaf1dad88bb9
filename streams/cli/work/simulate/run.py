"""What `frontdesk simulate` does: sends or writes a plan's events, and shows the distributions at the end."""

import asyncio
import sys
from collections import Counter
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from streams.cli.work.simulate.playback import Counted, Outlet, Playback, ToFile, ToKafka
from streams.clock import WallClock
from streams.kafka import Publisher
from streams.settings import Settings
from streams.simulation import Plan, Summary
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import remark, remarks, results

STDOUT = "-"


def plan_until(text: str | None, *, live: bool, sent: bool) -> int:
    """The end of the plan in ms: now, or what the user wrote."""
    now = WallClock().now()
    if text is None:
        return now
    if live:
        raise Stop(ExitCode.USAGE, "--live begins now: leave out --until")
    try:
        until = datetime.fromisoformat(text)
    except ValueError as error:
        raise Stop(ExitCode.USAGE, f"--until {text}: no time; write it like 2026-11-20T16:00 or 2026-11-20T22:00:00Z") from error
    end = int((until if until.tzinfo else until.replace(tzinfo=Plan(until=now).timezone)).timestamp() * 1000)
    if sent and end > now:
        raise Stop(ExitCode.USAGE, f"--until {text} lies in the future: such events would be refused; --out FILE takes them")
    return end


def invent(plan: Plan, settings: Settings | None, out: str, *, live: bool) -> None:
    """Send the plan's events, or write them to `out` where there are no settings; if `live`, go on as time comes.

    Ends with the distributions, also after Ctrl-C, which is how live traffic ends.
    """
    summary, console = Summary(plan), remarks() if out == STDOUT else results()
    try:
        asyncio.run(_send(plan, settings, summary, live=live) if settings else _write(plan, out, summary, live=live))
    except KeyboardInterrupt:
        show(summary, console)
        raise
    show(summary, console)


async def _send(plan: Plan, settings: Settings, summary: Summary, *, live: bool) -> None:
    publisher = Publisher(settings)
    try:
        async with publisher:
            await _play(plan, ToKafka(publisher, plan.until), summary, live=live)
    finally:
        remark(f"{publisher.acknowledged:,} events are in {settings.topic}, acknowledged by every broker in sync")


async def _write(plan: Plan, out: str, summary: Summary, *, live: bool) -> None:
    with nullcontext(sys.stdout.buffer) if out == STDOUT else Path(out).open("wb") as file:  # noqa: ASYNC230 - nothing else waits
        await _play(plan, ToFile(file), summary, live=live)


async def _play(plan: Plan, outlet: Outlet, summary: Summary, *, live: bool) -> None:
    playback, counted = Playback(plan), Counted(outlet, summary)
    await playback.history(counted)
    if live:
        await playback.live(counted)


def show(summary: Summary, console: Console) -> None:
    """The distributions as tables; a value outside of its range is marked."""
    table = Table(title=f"{summary.cases:,} cases, {summary.events:,} events, seed {summary.plan.seed}", title_justify="left")
    table.add_column("of this simulation")
    table.add_column("value", justify="right")
    table.add_column("stated range", justify="right")
    for share in summary.shares():
        colour = "green" if share.as_stated else "yellow"
        table.add_row(share.name, f"[{colour}]{share.value:.3f}[/]", f"{share.low:.3f} to {share.high:.3f}")
    console.print(table)
    console.print("A short or small simulation may leave a range.", markup=False)
    for name, counts in summary.counters().items():
        console.print(f"{name}: {_in_words(counts)}", markup=False)


def _in_words(counts: Counter[str]) -> str:
    total = max(1, counts.total())
    return ", ".join(f"{name} {count / total:.1%}" for name, count in counts.most_common())
