"""What `frontdesk rebuild` does beside rebuilding: say what would be done and how far rebuilds are, give up, drop old tables."""

import asyncio

from rich.table import Table

from sinks.clickhouse import staging
from sinks.clickhouse.archive import districts
from sinks.clickhouse.rebuilds import ABANDONED, DROPPED, SWITCHED, SWITCHING, newest, rebuilds, record
from streams.directory import directory_of
from streams.kafka import backlog, forget_changelog, topic_identity
from streams.rebuild.journal import Journal
from streams.rebuild.plan import planned
from streams.rebuild.sequence import SOURCES, found
from streams.settings import Settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import remark, results
from streams.warehouse import clickhouse_of

EVENTS_A_SECOND = 20_000
"""On one core, for an estimate before there is a pace."""


def show_plan(settings: Settings, source: str | None) -> ExitCode:
    """Say what a rebuild would do now."""
    topic = asyncio.run(topic_identity(settings, settings.topic))
    with clickhouse_of(settings).connect() as client:
        plan = planned(found(client, settings, topic, directory_of(settings)), source, settings.clickhouse_database)
        rows = sum(count for _, count in districts(client, plan.done_to))
    events = asyncio.run(backlog(settings)).produced if plan.is_of_log else rows
    begins = f"goes on with rebuild {plan.number} ({plan.state})" if plan.tables else f"begins rebuild {plan.number}"
    results().print(
        f"{begins}: {SOURCES[plan.source]}; {events:,} events, about {events / EVENTS_A_SECOND / 60:,.0f} min on one core; "
        f"new tables in {plan.database}, epoch {plan.epoch}, directory revision {plan.directory_revision}",
        markup=False,
        soft_wrap=True,
    )
    return ExitCode.OK


def show_status(settings: Settings) -> ExitCode:
    """Say how far the rebuilds are."""
    with clickhouse_of(settings).connect() as client:
        known = rebuilds(client)
    table = Table()
    for column in ("rebuild", "state", "from", "events done", "of", "tables beside", "at work"):
        table.add_column(column)
    for each in known:
        table.add_row(str(each.number), each.state, each.source, f"{each.done:,}", f"{each.total:,}", each.database, each.owner or "nobody")
    results().print(table if known else "there has been no rebuild", markup=False)
    return ExitCode.OK


def abandon(settings: Settings) -> ExitCode:
    """Give up the one that is under way. Not any more once it has begun to switch."""
    with clickhouse_of(settings).connect() as client:
        last = newest(client)
        if last is None or not last.is_under_way:
            raise Stop(ExitCode.USAGE, "no rebuild is under way")
        if last.state == SWITCHING:
            raise Stop(ExitCode.REFUSED, f"rebuild {last.number} is switching tables already: finish it with `frontdesk rebuild`")
        journal = Journal.take(client, last)
        staging.drop(client, last.database)
        if last.is_of_log:
            asyncio.run(forget_changelog(settings, last.epoch))
        journal.note(state=ABANDONED, owner="")
    remark(f"rebuild {last.number} is given up, its tables are dropped")
    return ExitCode.OK


def drop_old(settings: Settings) -> ExitCode:
    """Drop the old tables of all that have switched."""
    with clickhouse_of(settings).connect() as client:
        kept = [each for each in rebuilds(client) if each.state == SWITCHED]
        for each in kept:
            staging.drop(client, each.database)
            record(client, each, state=DROPPED)
    dropped = ", ".join(each.database for each in kept)
    remark(f"dropped: {dropped}" if kept else "no old tables are kept")
    return ExitCode.OK
