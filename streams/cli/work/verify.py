"""What `frontdesk verify` does: first the topic beside the tables, then the numbers beside those computed again in SQL."""

import asyncio
from collections.abc import Sequence

from clickhouse_driver import Client
from rich.table import Table

from events.partition import partition_of
from sinks.clickhouse import ledger
from sinks.clickhouse.queries import log_identity
from sinks.clickhouse.verification import Verdict, VerifiedScope, confirmed
from streams.audit import Account, Audit, Report, until_committed
from streams.cli.work.places import refuse_unknown
from streams.clock import WallClock
from streams.directory import directory_of
from streams.kafka import LogReader, TopicIdentity, topic_identity
from streams.settings import Settings
from streams.terminal.outcome import ExitCode
from streams.terminal.screen import progress, remark, results, step
from streams.warehouse import clickhouse_of

COLUMNS = ("partition", "offsets", "records", "distinct", "duplicates", "sent on", "dead letters", "lost", "markers", "missing", "to come")


def verdict(settings: Settings, scope: VerifiedScope) -> int:
    """Print what was found; the exit code says whether anything was. A sample leaves the topic alone."""
    topic = asyncio.run(topic_identity(settings, settings.topic))
    with clickhouse_of(settings).connect() as client:
        for district in scope.districts:
            refuse_unknown(client, directory_of(settings), district)
        if stranger := _other_log(client, topic):
            results().print(stranger, markup=False, soft_wrap=True)
            return ExitCode.DIFFERENCE
        found = 0 if scope.sample else _topic(settings, client, topic, scope)
        found += _numbers(settings, client, topic.partitions, scope)
    results().print(f"{found:,} differences" if found else "no difference", markup=False)
    return ExitCode.DIFFERENCE if found else ExitCode.OK


def _other_log(client: Client, topic: TopicIdentity) -> str | None:
    known = log_identity(client)
    if known is None or (known.topic_id, known.partitions) == (topic.topic_id, topic.partitions):
        return None
    return (
        f"the tables were filled from topic {known.topic_id} with {known.partitions} partitions, "
        f"but the topic is now {topic.topic_id} with {topic.partitions}: nothing can be compared"
    )


# -- the topic ------------------------------------------------------------------------------------------------------------
def _topic(settings: Settings, client: Client, topic: TopicIdentity, scope: VerifiedScope) -> int:
    homes = {partition_of(district, topic.partitions) for district in scope.districts}
    report = asyncio.run(_audit(settings, client, topic, sorted(homes) or range(topic.partitions)))
    results().print(_table(report.accounts))
    for line in report.lines():
        results().print(line, markup=False, soft_wrap=True)
    for text in _remarks(report):
        remark(text)
    return report.found


async def _audit(settings: Settings, client: Client, topic: TopicIdentity, chosen: Sequence[int]) -> Report:
    async with LogReader(settings, topic.partitions) as reader:
        marks = await reader.marks()
        total = sum(marks[number].end - marks[number].first for number in chosen)
        with progress("reading the topic", total) as advance:
            return await Audit(reader, client, topic.topic_id, WallClock().now()).report(marks, chosen, advance)


def _table(accounts: Sequence[Account]) -> Table:
    table = Table(title="records = distinct + duplicates + sent on + dead letters + lost, up to what the group has committed")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for a in accounts:
        table.add_row(str(a.marks.partition), f"{a.marks.first:,} to {a.marks.committed:,}", *(f"{n:,}" for n in _sums(a)))
    totals = [sum(sums) for sums in zip(*map(_sums, accounts), strict=True)]
    table.add_section()
    table.add_row("all", "", *(f"{n:,}" for n in totals))
    return table


def _sums(a: Account) -> tuple[int, ...]:
    to_come = max(0, a.marks.end - a.marks.committed)
    return a.records, a.distinct, a.duplicates, a.forwarded, a.dead_letters, a.lost, a.markers, a.missing, to_come


def _remarks(report: Report) -> list[str]:
    older = sum(account.older_rows for account in report.accounts)
    begun = [account.marks.partition for account in report.accounts if account.marks.first]
    gone = f"the topic's first records are gone from partitions {', '.join(map(str, begun))}: {older:,} rows cannot be compared with it"
    unverifiable = f"{report.unverifiable:,} records were sent on to where the log is gone"
    return [gone] * bool(begun) + [unverifiable] * bool(report.unverifiable)


# -- the numbers ----------------------------------------------------------------------------------------------------------
def _numbers(settings: Settings, client: Client, partitions: int, scope: VerifiedScope) -> int:
    with step("computing cases and windows again from the events" if scope.windows else "computing cases again from the events"):
        found = confirmed(client, lambda: asyncio.run(until_committed(settings, ledger.reach(client), partitions)), scope)
    for difference in found.differences:
        results().print(str(difference), markup=False, soft_wrap=True)
    if found.changing:
        remark(_changing(found))
    return len(found.differences)


def _changing(found: Verdict) -> str:
    keys = {(difference.table, difference.key) for difference in found.changing}
    return (
        f"{len(keys):,} rows were different and new in each of {found.passes} passes, so they prove nothing: verify again in less traffic"
    )
