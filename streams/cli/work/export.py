"""What `frontdesk export` does: asks ClickHouse district by district, and writes what comes as it comes."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from clickhouse_driver import Client

from events.directory import Directory
from sinks.clickhouse import exports
from sinks.clickhouse.directory import in_force
from sinks.clickhouse.exports import Chosen
from sinks.clickhouse.overview import true_as_of
from streams.cli.work.places import refuse_unknown
from streams.clock import WallClock
from streams.directory import directory_of
from streams.export import (
    CASES,
    INDICATORS,
    MINUTE_MS,
    WRITERS,
    ExportColumn,
    FileWriter,
    Period,
    Row,
    Tallies,
    destination,
    indicator_rows,
)
from streams.settings import Settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import Advance, progress, remark
from streams.warehouse import clickhouse_of

FARTHEST_EAST: Final = timedelta(hours=14)
"""Where days begin first, ahead of UTC."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Days of each district's calendar, and places; None is any."""

    first: date | None
    last: date | None
    district: str | None
    school: str | None
    department: str | None

    @property
    def place(self) -> dict[str, str]:
        """The school and the department that are named."""
        named = {"school": self.school, "department": self.department}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Asked:
    """Who answers; the directory that the numbers were made with, the newest in ClickHouse; and the districts that are wanted."""

    client: Client
    directory: Directory
    districts: Sequence[str]


class Exportation:
    """One export."""

    def __init__(self, settings: Settings, wanted: ExportRequest, form: str, output: Path | None) -> None:
        self._settings = settings
        self._wanted = wanted
        self._form = form
        self._output = output
        self._now = WallClock().now()
        self._rows = 0
        self._period("UTC")  # what is a period nowhere is refused before a server is asked
        if form == "parquet" and output is None and sys.stdout.isatty():
            raise Stop(ExitCode.USAGE, "Parquet is nothing to read at a terminal: name a file with --output, or choose csv")

    def cases(self) -> None:
        """Write the questions that came in."""
        names = [column.name for column in CASES]
        with self._asked() as asked, self._begun(CASES) as writer:
            chosen = [self._chosen(asked.directory, district) for district in asked.districts]
            weeks = [(each, week, n) for each in chosen for week, n in exports.weeks(asked.client, each)]
            with self._progress("exporting cases", sum(n for *_, n in weeks)) as advance:
                for each, week, _ in weeks:
                    for block in exports.cases(asked.client, names, each, week):
                        self._write(writer, block, asked.directory.zone(each.district), advance)
        self._conclude()

    def indicators(self, every: str, scope: str | None) -> None:
        """Write what each cell counted; `every` is day, week, month or '', `scope` None for all."""
        with self._asked() as asked, self._begun(INDICATORS) as writer, self._progress("exporting indicators", None) as advance:
            for district in asked.districts:
                chosen = (row for row in self._indicators(asked, district, every) if self._is_wanted(row, scope))
                while block := list(islice(chosen, exports.ROWS_A_BLOCK)):
                    self._write(writer, block, asked.directory.zone(district), advance)
        self._conclude()

    def _write(self, writer: FileWriter, block: Sequence[Row], zone: str, advance: Advance) -> None:
        writer.write(block, ZoneInfo(zone))
        self._rows += len(block)
        advance(self._rows)

    def _indicators(self, asked: Asked, district: str, every: str) -> Iterator[Row]:
        zone = asked.directory.zone(district)
        period = self._period(zone)
        known = true_as_of(asked.client, district)
        complete_until = min(period.end(zone), self._now if known is None else known + MINUTE_MS)
        tallies = exports.tallies(
            asked.client,
            district,
            zone,
            period.begin(zone) // MINUTE_MS,
            complete_until // MINUTE_MS - 1,
            first_day=str(period.first),
            part=every,
        )

        def period_of(each: Tallies) -> Period:
            return period.part(each["part"], every)

        return indicator_rows(tallies, district, asked.directory, period_of, complete_until)

    def _is_wanted(self, row: Row, scope: str | None) -> bool:
        _, found, school, department, *_ = row
        return scope in {None, found} and self._wanted.school in {None, school} and self._wanted.department in {None, department}

    def _period(self, zone: str) -> Period:
        """The days asked for; the last one is today by the clock there, or at the latest what is today anywhere."""
        now = datetime.fromtimestamp(self._now / 1000, UTC)
        last = self._wanted.last or now.astimezone(ZoneInfo(zone)).date()
        return Period.asked(self._wanted.first, last, newest=(now + FARTHEST_EAST).date())

    def _chosen(self, directory: Directory, district: str) -> Chosen:
        zone = directory.zone(district)
        period = self._period(zone)
        return Chosen(district, period.begin(zone), period.end(zone), self._wanted.place)

    @contextmanager
    def _asked(self) -> Iterator[Asked]:
        with clickhouse_of(self._settings).connect() as client:
            newest = in_force(client)
            directory = directory_of(self._settings) if newest is None else Directory.parse(newest.content)
            yield Asked(client, directory, self._districts(client, directory))

    def _districts(self, client: Client, directory: Directory) -> Sequence[str]:
        known, wanted = exports.districts(client), self._wanted.district
        refuse_unknown(client, directory, wanted, **self._wanted.place)
        place = self._wanted.place
        if place and not exports.is_known(client, wanted, place):
            named = " and ".join(f"--{name} {value}" for name, value in place.items())
            raise Stop(ExitCode.USAGE, f"{named}: nothing was ever counted there; `frontdesk indicators --by school` shows what there is")
        return known if wanted is None else [wanted]

    @contextmanager
    def _begun(self, columns: Sequence[ExportColumn]) -> Iterator[FileWriter]:
        """A writer, whose file is whole at the end or not there."""
        with destination(self._output) as file:
            writer = WRITERS[self._form](file, columns)
            yield writer
            writer.close()

    def _progress(self, title: str, total: int | None) -> AbstractContextManager[Advance]:
        """None where the rows themselves fill the terminal."""
        return nullcontext(lambda _: None) if self._output is None and sys.stdout.isatty() else progress(title, total)

    def _conclude(self) -> None:
        if not self._rows:
            remark("nothing is known of that period there: `frontdesk status` shows how far the workers are")
        elif self._output is not None:
            remark(f"{self._rows:,} rows in {self._output}")
