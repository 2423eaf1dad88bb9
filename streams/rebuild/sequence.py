"""What `frontdesk rebuild` does, step by step, each of which another process can take up where this one ended."""

# ruff: noqa: PLC0415 - a worker's libraries, half a second, only where a worker is needed

import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

from clickhouse_driver import Client
from prometheus_client import CollectorRegistry
from rich.prompt import Confirm
from rich.table import Table

from events.directory import Directory
from sinks.clickhouse import staging
from sinks.clickhouse.archive import clocks, districts
from sinks.clickhouse.comparison import Contrast
from sinks.clickhouse.ledger import reach
from sinks.clickhouse.queries import log_identity
from sinks.clickhouse.rebuilds import BUILDING, BUILT, FROM_ARCHIVE, FROM_LOG, FROM_LOG_AND_ARCHIVE, FROM_TOPIC, Rebuild, rebuilds
from sinks.clickhouse.store import Store
from sinks.metrics import WorkerMetrics
from streams.audit import until_committed
from streams.directory import directory_of
from streams.kafka import Backlog, LogReader, TopicIdentity, backlog, has_members, topic_identity
from streams.log import configure_logging
from streams.rebuild.archive import fold_archive
from streams.rebuild.journal import Journal
from streams.rebuild.plan import Found, planned
from streams.rebuild.switch import carry_over, compare, switch, tables_of
from streams.rebuild.topic import read_topic
from streams.settings import Settings
from streams.terminal.outcome import ExitCode
from streams.terminal.screen import progress, remark, remarks, results, step
from streams.warehouse import clickhouse_of

SOURCES = {
    FROM_ARCHIVE: "cases and windows from the archive of events in ClickHouse",
    FROM_TOPIC: "events, cases and windows from the topic",
    FROM_LOG: "events, cases, windows and what workers remember, from the first record of the topic on",
    FROM_LOG_AND_ARCHIVE: "events, cases, windows and what workers remember, from the first record of the topic on, to which goes again "
    "what only the archive has",
}


def rebuild(settings: Settings, source: str | None, *, yes: bool) -> int:
    """From where it stands to the switch, or to the comparison where nobody says yes."""
    configure_logging(settings.log_format, level=logging.WARNING)
    directory = directory_of(settings)
    topic = asyncio.run(topic_identity(settings, settings.topic))
    with clickhouse_of(settings).connect() as client:
        journal = Journal.take(client, planned(found(client, settings, topic, directory), source, settings.clickhouse_database))
        remark(f"rebuild {journal.now.number}: {SOURCES[journal.now.source]}")
        if not journal.now.tables:
            _begin(client, journal, settings, topic)
        if journal.now.state == BUILDING:
            _build(client, journal, settings, topic, directory)
        if journal.now.state == BUILT:
            differing = _compared(client, journal, settings, topic)
            if not (yes or _is_confirmed(journal.now)):
                return _put_off(journal, differing)
        with step("switching to the new tables"):
            switch(client, journal, settings, directory, topic.partitions)
    remark(f"the old tables are kept in the database {journal.now.database}: `frontdesk rebuild --drop-old` drops them")
    return ExitCode.OK


def found(client: Client, settings: Settings, topic: TopicIdentity, directory: Directory) -> Found:
    in_force = client.execute("SELECT revision, content_hash FROM directory_revisions ORDER BY revision DESC LIMIT 1")
    return Found(
        topic=topic,
        log=log_identity(client),
        known=rebuilds(client),
        workers=asyncio.run(has_members(settings)),
        directory=(directory.revision, directory.content_hash),
        directory_in_force=next(iter(in_force), None),
    )


# -- building -------------------------------------------------------------------------------------------------------------
def _begin(client: Client, journal: Journal, settings: Settings, topic: TopicIdentity) -> None:
    """Record where the workers are, and make the tables."""
    with step("making tables beside the old ones"):
        is_of_log = journal.now.is_of_log
        if not is_of_log:
            asyncio.run(until_committed(settings, reach(client), topic.partitions))
        offsets = [0] * topic.partitions if is_of_log else asyncio.run(_committed(settings, topic))
        instants = [0] * topic.partitions if is_of_log else clocks(client, topic.partitions)
        tables = staging.make(clickhouse_of(settings), journal.now.database)
        journal.note(offsets=offsets, clocks=instants, tables=tables, total=sum(rows for _, rows in districts(client)))


async def _committed(settings: Settings, topic: TopicIdentity) -> list[int]:
    async with LogReader(settings, topic.partitions) as reader:
        return [mark.committed for mark in await reader.marks()]


def _build(client: Client, journal: Journal, settings: Settings, topic: TopicIdentity, directory: Directory) -> None:
    if journal.now.is_of_log:
        _count_anew(client, journal, settings, topic)
    else:
        asyncio.run(_fold_anew(client, journal, settings, directory))
    journal.note(state=BUILT)


def _count_anew(client: Client, journal: Journal, settings: Settings, topic: TopicIdentity) -> None:
    from streams.rebuild import incarnation

    incarnation.introduce(journal, clickhouse_of(settings), settings, topic.partitions)
    _count(journal, settings)
    if journal.now.source == FROM_LOG_AND_ARCHIVE:
        as_it_is = settings.model_copy(update={"partitions": topic.partitions})
        with progress("sending again what only the archive has, by district", len(districts(client))) as advance:
            sent = asyncio.run(incarnation.send_again(client, journal.now.database, as_it_is, advance))
        remark(f"{sent:,} events were sent again")
        _count(journal, settings)


def _count(journal: Journal, settings: Settings) -> None:
    from streams.rebuild import incarnation

    with progress("counting the topic", asyncio.run(backlog(settings)).produced) as advance:

        def done(state: Backlog) -> None:
            advance(state.committed)

        try:
            incarnation.count(journal, settings, done)
        except incarnation.Interrupted as end:
            raise KeyboardInterrupt from end


async def _fold_anew(client: Client, journal: Journal, settings: Settings, directory: Directory) -> None:
    server = clickhouse_of(settings)
    beside = replace(server, database=journal.now.database)
    store = Store(beside, WorkerMetrics(CollectorRegistry()))
    try:
        if journal.now.source == FROM_TOPIC:
            await _read_topic(client, journal, settings, store)
        with (beside if journal.now.source == FROM_TOPIC else server).connect() as source:
            total = journal.now.done + sum(rows for _, rows in districts(source, journal.now.done_to))
            with progress("folding events", total) as advance:
                advance(journal.now.done)
                await fold_archive(journal, source, store, directory, advance)
    finally:
        await store.close()


async def _read_topic(client: Client, journal: Journal, settings: Settings, store: Store) -> None:
    async with LogReader(settings, len(journal.now.offsets)) as reader:
        total = sum(max(0, after - mark.first) for after, mark in zip(journal.now.offsets, await reader.marks(), strict=True))
        with progress("reading the topic", total) as advance:
            await read_topic(journal, reader, client, store, advance)


# -- comparing ------------------------------------------------------------------------------------------------------------
def _compared(client: Client, journal: Journal, settings: Settings, topic: TopicIdentity) -> int:
    """Print how old and new differ; returns in how many rows."""
    with step("comparing the new tables with the old ones"):
        if not journal.now.is_of_log:
            asyncio.run(until_committed(settings, reach(client), topic.partitions))
            carry_over(client, journal.now, settings.clickhouse_database, journal.now.database)
        contrasts = compare(client, journal, settings.clickhouse_database)
    results().print(_contrast_table(contrasts))
    for each in contrasts:
        for example in each.examples:
            results().print(f"{each.table}: for example {example}", markup=False, soft_wrap=True)
    return sum(each.differs for each in contrasts)


def _contrast_table(contrasts: Sequence[Contrast]) -> Table:
    table = Table(title="rows of the old tables and the new ones; what workers wrote since is in both")
    for column in ("table", "alike", "differ", "only old", "only new"):
        table.add_column(column, justify="left" if column == "table" else "right")
    for each in contrasts:
        table.add_row(each.table, *(f"{count:,}" for count in (each.same, each.other, each.gone, each.new)))
    return table


def _is_confirmed(rebuild: Rebuild) -> bool:
    """Nobody is asked where nobody can answer."""
    tables = ", ".join(tables_of(rebuild))
    return sys.stdin.isatty() and Confirm.ask(f"switch {tables} to the new tables?", console=remarks(), default=False)


def _put_off(journal: Journal, differing: int) -> ExitCode:
    journal.let_go()
    remark("the new tables are ready: `frontdesk rebuild --yes` switches to them, `--abandon` gives them up")
    return ExitCode.DIFFERENCE if differing else ExitCode.OK
