"""What `frontdesk import` does: every row is read and judged first, then the events are sent, and where it was is written down.

Ids come from the rows, so sending again changes nothing; the journal beside the file only spares the time. It names what was
imported how, and another file, mapping or option begins anew.
"""

import asyncio
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from events.codec import Decoder
from events.rejection import Rejection
from streams.cli.outcome import ExitCode, Stop
from streams.cli.rows import rows_of
from streams.cli.screen import Advance, progress, remarks
from streams.clock import WallClock
from streams.legible import in_one_line
from streams.mapping.expression import MappingError, key_of
from streams.mapping.mapping import Mapping, read_mapping
from streams.mapping.translation import Translation
from streams.publisher import STRUCTURED, STRUCTURED_BACKFILL, Publisher
from streams.settings import Settings

SHOWN: Final = 20
ROWS_BETWEEN_REPORTS: Final = 2_000
WEEK: Final = timedelta(weeks=1)


@dataclass(frozen=True)
class Options:
    """How it is imported."""

    backfill: bool
    shift_to_now: bool
    skip_bad: bool


class Translated(NamedTuple):
    """One event of a row, or what is wrong with the row."""

    line: int
    district: str
    value: bytes
    problem: str | None
    event: dict[str, Any]


@dataclass
class Review:
    """What the first reading found. Mutable."""

    rows: int = 0
    bad: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    latest: datetime | None = None
    dropped: Counter[str] = field(default_factory=Counter)


class Importation:
    """One call of the command. Raises `Stop`, `MappingError` and OSError."""

    def __init__(self, settings: Settings, file: Path, mapping: Path, options: Options) -> None:
        self._settings = settings
        self._file = file
        self._options = options
        self._mapping: Mapping = read_mapping(mapping)
        self._key = None if settings.pseudonym_key is None else key_of(settings.pseudonym_key)
        self._journal = Journal(file, _fingerprint(file, mapping, self._key, options))

    def dry_run(self) -> None:
        self._report(self._reviewed())
        _remark("nothing was sent")

    def run(self) -> None:
        review = self._reviewed()
        self._report(review)
        shift = _shift(review.latest, WallClock().now()) if self._options.shift_to_now else timedelta()
        done = self._journal.rows_done()
        if done:
            _remark(f"the first {done:,} rows were sent before: going on after them")
        publisher = Publisher(self._settings)
        try:
            with progress(f"sending {self._file.name}", review.rows) as advance:
                asyncio.run(self._send(publisher, done, shift, advance))
        finally:  # whatever ended it: what was acknowledged is the user's to know
            _remark(f"{publisher.acknowledged:,} events are in {self._settings.topic}, acknowledged by every broker in sync")
        self._journal.remove()

    def _reviewed(self) -> Review:
        review, last = Review(), 0
        decoder = Decoder()
        with progress(f"checking {self._file.name}", None) as advance:
            for each in self._translated(decoder, timedelta()):
                if each.line != last:
                    review.rows, last = review.rows + 1, each.line
                if each.problem is not None:
                    self._note(review, each)
                elif each.event:
                    review.kinds[each.event["type"]] += 1
                    moment = datetime.fromisoformat(each.event["time"])
                    review.latest = max(review.latest or moment, moment)
                if review.rows % ROWS_BETWEEN_REPORTS == 0:
                    advance(review.rows)
        review.dropped = decoder.unknown_members
        return review

    def _note(self, review: Review, each: Translated) -> None:
        review.bad += 1
        if review.bad <= SHOWN:
            print(in_one_line(f"{self._file}:{each.line}: {each.problem}"), file=sys.stderr)
        elif review.bad == SHOWN + 1:
            print(f"{self._file}: further problems are counted only", file=sys.stderr)

    def _report(self, review: Review) -> None:
        told = ", ".join(f"{count:,} {kind.split('.')[2]}" for kind, count in sorted(review.kinds.items())) or "no events"
        _remark(f"{review.rows:,} rows: {told}, {review.bad:,} problems")
        if review.dropped:
            raise Stop(
                ExitCode.USAGE, f"the mapping sets members of data that are not in the contract: {', '.join(sorted(review.dropped))}"
            )
        if review.bad and not self._options.skip_bad:
            raise Stop(ExitCode.REFUSED, "nothing was sent: mend the mapping or the rows, or leave them out with --skip-bad")

    def _translated(self, decoder: Decoder, shift: timedelta) -> Iterator[Translated]:
        """At least one for each row, so that rows can be counted; one without an event where a row is none."""
        translation, now = Translation(self._mapping, self._key), WallClock().now()
        for line, row in rows_of(self._file, self._mapping.csv):
            made = 0
            try:
                for event in translation.events(row, line, shift) if row is not None else ():
                    made += 1
                    yield _judged(decoder, line, event, now)
            except MappingError as error:
                yield Translated(line, "", b"", str(error), {})
                continue
            if not made:
                yield Translated(line, "", b"", None if row is not None else "this is no row of the table", {})

    async def _send(self, publisher: Publisher, done: int, shift: timedelta, advance: Advance) -> None:
        headers = STRUCTURED_BACKFILL if self._options.backfill else STRUCTURED
        rows, last = 0, 0
        async with publisher:
            for each in self._translated(Decoder(), shift):
                if each.line != last:
                    if rows > done and rows % ROWS_BETWEEN_REPORTS == 0:
                        await publisher.flush()
                        self._journal.write(rows)
                        advance(rows)
                    rows, last = rows + 1, each.line
                if rows > done and each.problem is None and each.event:
                    await publisher.send(each.district, each.value, headers)


class Journal:
    """How many rows of which import are in Kafka, in a file beside the imported one."""

    def __init__(self, file: Path, fingerprint: str) -> None:
        self._file = file.with_name(f"{file.name}.import-progress")
        self._fingerprint = fingerprint

    def rows_done(self) -> int:
        """0 where nothing was begun, or something else."""
        try:
            told = json.loads(self._file.read_bytes())
            imported, rows = str(told["import"]), int(told["rows"])
        except FileNotFoundError:
            return 0
        except (ValueError, TypeError, KeyError) as error:
            raise Stop(ExitCode.USAGE, f"{self._file} is damaged: remove it; importing from the beginning does no harm") from error
        return rows if imported == self._fingerprint else 0

    def write(self, rows: int) -> None:
        fresh = self._file.with_name(f"{self._file.name}.new")
        fresh.write_text(json.dumps({"import": self._fingerprint, "rows": rows}))
        fresh.replace(self._file)

    def remove(self) -> None:
        self._file.unlink(missing_ok=True)


def _judged(decoder: Decoder, line: int, event: dict[str, Any], now: int) -> Translated:
    value = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    decoded = decoder.decode(value, STRUCTURED, now)
    if isinstance(decoded, Rejection):
        kind = event["type"].split(".")[2]
        return Translated(line, "", b"", f"{kind}: {decoded.reason.value} {decoded.path}: {decoded.message}", event)
    return Translated(line, decoded[0], value, None, event)


def _shift(latest: datetime | None, now: int) -> timedelta:
    """Whole weeks, so that weekdays and hours stay what they were; the last event is then within a week before now."""
    return timedelta() if latest is None else (timedelta(milliseconds=now - int(latest.timestamp() * 1000)) // WEEK) * WEEK


def _fingerprint(file: Path, mapping: Path, key: bytes | None, options: Options) -> str:
    """Of everything that decides which events the first rows are."""
    hashed = hashlib.sha256(repr((options, hashlib.sha256(key or b"").hexdigest())).encode())
    hashed.update(mapping.read_bytes())
    with file.open("rb") as opened:
        hashed.update(hashlib.file_digest(opened, "sha256").digest())
    return hashed.hexdigest()


def _remark(text: str) -> None:
    remarks().print(text, markup=False)
