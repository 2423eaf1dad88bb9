"""What `frontdesk dead-letters` does: find, show, send again, discard, and let a flood pass."""

import asyncio
import base64
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from rich.table import Table

from events.contract import LARGEST
from sinks.clickhouse.dead_letters import DISCARDED, DeadLetter, Selection, accept, count, find, mark
from streams.clock import WallClock
from streams.dead_letters import NOT_KEPT, Original, Redriven, keeps_bytes, mended_record, originals
from streams.dead_letters import redrive as redrive_letters
from streams.kafka import TopicIdentity, administration, committed_offsets, reader, topic_identity
from streams.legible import in_one_line
from streams.settings import Settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import remark, results
from streams.warehouse import clickhouse_of

COLUMNS = ("state", "partition", "offset", "produced", "reason", "path", "message", "source", "bytes")


def selection(
    *,
    reasons: Sequence[str] | None = None,
    source: str | None = None,
    topic: str | None = None,
    partition: int | None = None,
    since: str | None = None,
    before: str | None = None,
    offset: int | None = None,
    from_offset: int | None = None,
    to_offset: int | None = None,
    state: str | None = None,
    everything: bool | None = None,
) -> Selection:
    """The flags as a selection. Raises `Stop` for nonsense; `everything` (None: does not matter) must say so where nothing narrows it."""
    if offset is not None and (from_offset is not None or to_offset is not None):
        raise Stop(ExitCode.USAGE, "--offset names one record, --from-offset and --to-offset a range: give one or the other")
    first, last = (offset, offset) if offset is not None else (from_offset, to_offset)
    if first is not None and last is not None and first > last:
        raise Stop(ExitCode.USAGE, f"--from-offset {first} is after --to-offset {last}")
    begin, end = instant("--since", since), instant("--before", before)
    if begin is not None and end is not None and begin >= end:
        raise Stop(ExitCode.USAGE, f"--since {since} is not before --before {before}")
    wanted = Selection(tuple(map(str, reasons or ())), source, topic, partition, begin, end, first, last, state and str(state))
    if everything is False and wanted.is_everything:
        raise Stop(ExitCode.USAGE, "say which: --reason, --source, --partition, --offset, --since ...; or --all")
    if everything and not wanted.is_everything:
        raise Stop(ExitCode.USAGE, "--all contradicts the other filters: give one or the other")
    return wanted


def instant(flag: str, text: str | None) -> int | None:
    """Milliseconds since the epoch of a time as people write it; UTC where it names no zone."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Stop(ExitCode.USAGE, f"{flag} {text} is no time: write 2026-11-23, 2026-11-23T08:00 or 2026-11-23T08:00-06:00") from error
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


# -- list and show -----------------------------------------------------------------------------------------------------
def show_list(settings: Settings, wanted: Selection, limit: int, form: str) -> None:
    with clickhouse_of(settings).connect() as client:
        total, letters = count(client, wanted), find(client, wanted, limit)
    if form == "json":
        print(json.dumps([plain(letter) for letter in letters], indent=1))
    else:
        results().print(_table(letters))
    if total > len(letters):
        remark(f"{len(letters):,} of {total:,}: --limit shows more")


def plain(letter: DeadLetter) -> dict[str, Any]:
    """For programs: instants in RFC 3339."""
    return asdict(letter) | {"produced_at": written(letter.produced_at), "changed_at": written(letter.changed_at)}


def written(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")


def _table(letters: Sequence[DeadLetter]) -> Table:
    table = Table(title="dead letters", title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in ("partition", "offset", "bytes") else "left", no_wrap=name != "message")
    for each in letters:
        where = (each.state, each.partition, each.offset, written(each.produced_at))
        why = (each.reason, each.path, each.message, each.source, each.bytes)
        table.add_row(*(_unmarked(str(cell)) for cell in (*where, *why)))
    return table


def _unmarked(text: str) -> str:
    """Rich reads [words] as markup; a message may hold them."""
    return text.replace("[", r"\[")


def show_one(settings: Settings, wanted: Selection, form: str, *, raw: bool) -> None:
    letter = the_one(settings, wanted)
    record = _originals(settings, [letter])[0]
    kept = keeps_bytes(letter.reason)
    if raw and not kept:
        raise Stop(ExitCode.REFUSED, NOT_KEPT)
    if raw:
        sys.stdout.buffer.write(record.value or b"")
        sys.stdout.buffer.flush()
    elif form == "json":
        print(json.dumps(plain(letter) | (_contents(record) if kept else {"not_kept": NOT_KEPT}), indent=1))
    else:
        for name, value in plain(letter).items():
            print(f"{name:<12}{in_one_line(str(value))}")
        if not kept:
            print(f"value       {NOT_KEPT}")
            return
        for header, content in record.headers:
            print(f"header      {in_one_line(header)}: {_text(content)}")
        print(f"key         {_text(record.key)}")
        print(f"value       {_text(record.value)}")


def the_one(settings: Settings, wanted: Selection) -> DeadLetter:
    """The newest dead letter at a place: a topic that was made anew has the same offsets again."""
    with clickhouse_of(settings).connect() as client:
        letters = find(client, wanted, MOST_INCARNATIONS)
    if not letters:
        raise Stop(ExitCode.USAGE, f"no dead letter is known at partition {wanted.partition}, offset {wanted.from_offset}")
    return max(letters, key=lambda letter: letter.produced_at)


MOST_INCARNATIONS = 100


def _contents(record: Original) -> dict[str, Any]:
    """Text where it is text, and always the exact bytes."""
    return {
        "key": None if record.key is None else record.key.decode(errors="replace"),
        "headers": [[name, None if content is None else content.decode(errors="replace")] for name, content in record.headers],
        "value": None if record.value is None else record.value.decode(errors="replace"),
        "value_base64": None if record.value is None else base64.b64encode(record.value).decode(),
    }


def _text(content: bytes | None) -> str:
    return "(null)" if content is None else in_one_line(content.decode(errors="backslashreplace"))


# -- redrive and discard -----------------------------------------------------------------------------------------------
def redrive_selected(settings: Settings, wanted: Selection, limit: int, mended: Path | None, *, backfill: bool) -> None:
    """Send what is open. Raises `Stop` with exit code 4 at the first record that is still no event."""
    value = None if mended is None else mended.read_bytes()
    if value is not None and (wanted.partition is None or wanted.from_offset is None or wanted.from_offset != wanted.to_offset):
        raise Stop(ExitCode.USAGE, "--with mends one record: name it with --partition and --offset")
    with clickhouse_of(settings).connect() as client:
        total, letters = count(client, wanted), find(client, wanted, limit)
    if not letters:
        remark("nothing to redrive: no open dead letter is meant")
        return
    if value is not None and len(letters) > 1:
        raise Stop(ExitCode.USAGE, "several dead letters are at this place: name one with --topic or --since")
    letters = up_to_an_oversized(letters)
    records = _originals(settings, letters)
    if value is not None:
        records = [mended_record(records[0], value)]
    by_place = {letter.place: record for letter, record in zip(letters, records, strict=True)}
    done = asyncio.run(redrive_letters(settings, letters, by_place, WallClock(), backfill=backfill))
    _report(done, total)


def up_to_an_oversized(letters: list[DeadLetter]) -> list[DeadLetter]:
    """Redriving ends at what is too large for an event: what comes behind it need not be read, and may be many times as large."""
    oversized = next((number for number, letter in enumerate(letters, 1) if letter.bytes > LARGEST), len(letters))
    return letters[:oversized]


def _report(done: Redriven, total: int) -> None:
    if done.letter is not None and done.rejection is not None:
        why = f"{done.rejection.reason.value} {done.rejection.path}: {done.rejection.message}"
        raise Stop(
            ExitCode.REFUSED,
            f"stopped at {done.letter.place}, which is still refused ({why}); {done.sent:,} records before it were sent. Mend it: --with",
        )
    left = f", {total - done.sent:,} more are open: --limit takes more at once" if total > done.sent else ""
    remark(f"{done.sent:,} records are sent and marked as redriven{left}")


def _originals(settings: Settings, letters: Sequence[DeadLetter]) -> list[Original]:
    found = asyncio.run(originals(settings, letters))
    return [found[letter.place] for letter in letters]


def discard_selected(settings: Settings, wanted: Selection, limit: int) -> None:
    with clickhouse_of(settings).connect() as client:
        letters = find(client, wanted, limit)
        mark(client, letters, DISCARDED, WallClock().now())
        left = count(client, wanted)
    remark(f"{len(letters):,} records are discarded" + (f", {left:,} more are open" if left else ""))


# -- accept ----------------------------------------------------------------------------------------------------------
def accept_flood(settings: Settings, partition: int, until: int) -> None:
    """Raises `Stop` where nothing waits there."""
    identity, committed, end = asyncio.run(_offsets(settings, partition))
    if until >= end:
        raise Stop(ExitCode.USAGE, f"--until {until}: partition {partition} holds nothing from offset {end} on; accept what is there")
    if until < committed:
        raise Stop(ExitCode.USAGE, f"--until {until}: the workers have passed it already, they are at offset {committed}")
    with clickhouse_of(settings).connect() as client:
        accept(client, identity.topic_id, partition, until)
    remark(
        f"partition {partition}: up to {until - committed + 1:,} records pass, offsets {committed} to {until}; the worker goes on "
        "within seconds if it stood there"
    )


async def _offsets(settings: Settings, partition: int) -> tuple[TopicIdentity, int, int]:
    """Which topic it is, the offset that the group has committed, and the one after the last record."""
    identity = await topic_identity(settings, settings.topic)
    if partition >= identity.partitions:
        raise Stop(ExitCode.USAGE, f"--partition {partition}: {settings.topic} has partitions 0 to {identity.partitions - 1}")
    place = TopicPartition(settings.topic, partition)
    async with administration(settings) as admin, reader(settings) as consumer:
        committed = await committed_offsets(admin, settings.group, [place])
        end = (await consumer.end_offsets([place]))[place]
    return identity, committed.get(place, 0), end
