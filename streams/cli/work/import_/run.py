"""What `frontdesk import` does: every row is read and judged first, then the events are sent, and where it was is written down.

Ids come from the rows, so sending again changes nothing; the journal only spares the time. A row with a problem stays out as a
whole, and the rest is what it would be without it. What was sent before is remembered by hashes, so that a later export of the
same tickets is told apart: rows as they were, rows with something new, and rows that say something else under the same ids.
"""

import asyncio
import hashlib
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from events.codec import Decoder
from events.rejection import Rejection
from streams.cli.work.import_.journal import ImportJournal, Position
from streams.cli.work.import_.rows import rows_of
from streams.cli.work.import_.sent import Comparison, Hashes, Sent, hashes_of
from streams.clock import WallClock
from streams.directory import directory_of
from streams.kafka import STRUCTURED, STRUCTURED_BACKFILL, Publisher
from streams.legible import in_one_line
from streams.mapping import Emitted, Mapping, MappingError, Translation, key_of, read_mapping
from streams.settings import Settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import Advance, progress, remark

SHOWN: Final = 20
ROWS_BETWEEN_REPORTS: Final = 2_000
WEEK: Final = timedelta(weeks=1)


@dataclass(frozen=True)
class ImportOptions:
    """How it is imported."""

    backfill: bool
    shift_to_now: bool
    skip_bad: bool


class Judged(NamedTuple):
    """One event of a row that can be sent."""

    district: str
    value: bytes
    event: dict[str, Any]
    kind: str
    is_early: bool


class JudgedRow(NamedTuple):
    """Line, and events or problems: of a row of which one event is bad, none is sent."""

    line: int
    events: list[Judged]
    problems: list[str]


@dataclass
class Review:
    """What the first reading found. `compared` counts rows with events by what they are to what was sent before. Mutable."""

    rows: int = 0
    bad: int = 0
    bad_rows: int = 0
    early: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    compared: Counter[Comparison] = field(default_factory=Counter)
    latest: datetime | None = None
    dropped: Counter[str] = field(default_factory=Counter)


class Importation:
    """One call of the command. Raises `Stop`, `MappingError` and OSError."""

    def __init__(self, settings: Settings, file: Path, mapping: Path, options: ImportOptions) -> None:
        self._settings = settings
        self._file = file
        self._options = options
        self._mapping: Mapping = read_mapping(mapping)
        self._key = None if settings.pseudonym_key is None else key_of(settings.pseudonym_key)
        self._allows = directory_of(settings).allows
        self._journal = ImportJournal(file, _fingerprint(file, mapping, self._key, options), settings.folder)

    def dry_run(self) -> None:
        with Sent(self._settings.folder) as sent:
            self._report(self._reviewed(sent))
        remark("nothing was sent")

    def run(self) -> None:
        with Sent(self._settings.folder) as sent:
            review = self._reviewed(sent)
            self._report(review)
            self._send_all(sent, review)

    def _send_all(self, sent: Sent, review: Review) -> None:
        done = self._journal.begun()
        if done is None:
            done = Position(0, _shift(review.latest, WallClock().now()) if self._options.shift_to_now else timedelta())
        if done.rows:
            remark(f"the first {done.rows:,} rows were sent before: going on after them")
        self._journal.write(done)  # before anything is sent: it keeps the shift, and shows that there is a place for it
        try:
            sent.begin()
        except (OSError, sqlite3.DatabaseError) as error:
            remark(f"{sent.file} cannot be written ({error}): later imports will not know what differs from this one")
        publisher = Publisher(self._settings)
        try:
            with progress(f"sending {self._file.name}", review.rows) as advance:
                asyncio.run(self._send(publisher, sent, done, advance))
        finally:  # whatever ended it: what was acknowledged is the user's to know
            remark(f"{publisher.acknowledged:,} events are in {self._settings.topic}, acknowledged by every broker in sync")
        self._journal.remove()

    def _reviewed(self, sent: Sent) -> Review:
        review, decoder = Review(), Decoder(self._allows)
        with progress(f"checking {self._file.name}", None) as advance:
            for row in self._judged_rows(decoder, timedelta()):
                review.rows += 1
                for problem in row.problems:
                    review.bad = self._show_problem(review.bad, row.line, problem)
                review.bad_rows += bool(row.problems)
                for kind in (each.kind for each in row.events if each.is_early):
                    review.early = self._show_problem(review.early, row.line, f"{kind}: is dated before its contact, and counts as at once")
                self._count(review, row, sent)
                if review.rows % ROWS_BETWEEN_REPORTS == 0:
                    advance(review.rows)
        review.dropped = decoder.unknown_members
        return review

    def _count(self, review: Review, row: JudgedRow, sent: Sent) -> None:
        for each in row.events:
            review.kinds[each.kind] += 1
            moment = datetime.fromisoformat(each.event["time"])
            review.latest = max(review.latest or moment, moment)
        found = {sent.compared(self._hashes(each)) for each in row.events}
        if Comparison.OTHER in found:
            self._show_problem(review.compared[Comparison.OTHER], row.line, "says something else than was said before under the same id")
        if found:
            review.compared[next(one for one in (Comparison.OTHER, Comparison.NEW, Comparison.SAME) if one in found)] += 1

    def _show_problem(self, before: int, line: int, what: str) -> int:
        """The first of a kind, by file and line. Returns how many there were."""
        if before < SHOWN:
            print(in_one_line(f"{self._file}:{line}: {what}"), file=sys.stderr)
        elif before == SHOWN:
            print(f"{self._file}: further ones are counted only", file=sys.stderr)
        return before + 1

    def _report(self, review: Review) -> None:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(review.kinds.items())) or "no events"
        remark(f"{review.rows:,} rows: {kinds}, {review.bad:,} problems")
        if review.rows and not review.kinds and not review.bad:
            remark("no row says anything of interest: do the columns of this file have the names that the mapping uses?")
        if review.early:
            remark(f"{review.early:,} events are dated before their contact, and count as at once")
        same, new, other = (review.compared[one] for one in (Comparison.SAME, Comparison.NEW, Comparison.OTHER))
        if same or other:
            remark(f"compared with what was said before: {same:,} rows are as they were, {new:,} say something new, {other:,} differ")
        if other:
            remark("what differs under the same id counts once, with one of its contents: see docs/publishing.md")
        if review.dropped:
            raise Stop(
                ExitCode.USAGE, f"the mapping sets members of data that are not in the contract: {', '.join(sorted(review.dropped))}"
            )
        if review.bad and not self._options.skip_bad:
            raise Stop(ExitCode.USAGE, "nothing was sent: mend the mapping or the rows, or leave them out with --skip-bad")
        if review.bad:
            remark(f"{review.bad_rows:,} rows are left out as a whole")

    def _judged_rows(self, decoder: Decoder, shift: timedelta) -> Iterator[JudgedRow]:
        translation, now = Translation(self._mapping, self._key), WallClock().now()
        for line, row in rows_of(self._file, self._mapping.csv):
            if isinstance(row, str):
                yield JudgedRow(line, [], [row])
                continue
            try:
                translated = translation.events(row, line, shift)
            except MappingError as error:
                yield JudgedRow(line, [], [str(error)])
                continue
            judged = [_judged(decoder, emitted, now) for emitted in translated.emitted]
            problems = [each for each in judged if isinstance(each, str)]
            if not problems:
                translation.remember(translated)
            yield JudgedRow(line, [] if problems else [each for each in judged if isinstance(each, Judged)], problems)

    async def _send(self, publisher: Publisher, sent: Sent, done: Position, advance: Advance) -> None:
        headers = STRUCTURED_BACKFILL if self._options.backfill else STRUCTURED
        under_way: list[Hashes] = []
        async with publisher:
            for rows, row in enumerate(self._judged_rows(Decoder(self._allows), done.shift), 1):
                if rows <= done.rows:
                    continue
                if row.problems and not self._options.skip_bad:
                    raise Stop(ExitCode.USAGE, f"{self._file}:{row.line}: {row.problems[0]}; the rows before it were sent")
                for each in row.events:
                    await publisher.send(each.district, each.value, headers)
                under_way += map(self._hashes, row.events)
                if rows % ROWS_BETWEEN_REPORTS == 0:
                    await publisher.flush()
                    sent.note(under_way)
                    under_way.clear()
                    self._journal.write(Position(rows, done.shift))
                    advance(rows)
            await publisher.flush()
            sent.note(under_way)

    def _hashes(self, judged: Judged) -> Hashes:
        return hashes_of(self._settings.topic, judged.district, judged.event, judged.value)


def _judged(decoder: Decoder, emitted: Emitted, now: int) -> Judged | str:
    value = json.dumps(emitted.event, ensure_ascii=False, separators=(",", ":")).encode()
    decoded = decoder.decode(value, STRUCTURED, now)
    kind = emitted.event["type"].split(".")[2]
    if isinstance(decoded, Rejection):
        told_by = emitted.expressions.get(decoded.path)
        return f"{kind}: {decoded.reason.value} {decoded.path}{f' (`{told_by}`)' if told_by else ''}: {decoded.message}"
    return Judged(decoded[0], value, emitted.event, kind, emitted.moved)


def _shift(latest: datetime | None, now: int) -> timedelta:
    """Whole weeks, so that weekdays and hours stay what they were; the last event is then within a week before now."""
    return timedelta() if latest is None else (timedelta(milliseconds=now - int(latest.timestamp() * 1000)) // WEEK) * WEEK


def _fingerprint(file: Path, mapping: Path, key: bytes | None, options: ImportOptions) -> str:
    """Of everything that decides which events the first rows are."""
    hashed = hashlib.sha256(repr((options, hashlib.sha256(key or b"").hexdigest())).encode())
    hashed.update(mapping.read_bytes())
    with file.open("rb") as opened:
        hashed.update(hashlib.file_digest(opened, "sha256").digest())
    return hashed.hexdigest()
