"""What `frontdesk publish` does: lines are checked, sent at the wanted pace, and accounted for, also after Ctrl-C."""

import asyncio
import os
from contextlib import aclosing
from typing import BinaryIO

from streams.cli.work.publish.check import Scrutiny
from streams.cli.work.publish.lines import chunks, chunks_of_file
from streams.cli.work.publish.pace import Pace
from streams.directory import directory_of
from streams.kafka import STRUCTURED, STRUCTURED_BACKFILL, Publisher
from streams.settings import Settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import Advance, progress, remark


class Delivery:
    """One call of the command. Raises `Stop` with exit code 4 where a line is wrong."""

    def __init__(self, settings: Settings, rate: float | None, *, backfill: bool) -> None:
        self._settings = settings
        self._allows = directory_of(settings).allows
        self._rate = rate
        self._headers = STRUCTURED_BACKFILL if backfill else STRUCTURED

    def of_file(self, file: BinaryIO, name: str, *, dry_run: bool) -> None:
        """All of a file, or nothing."""
        checked = Scrutiny(name, self._allows)
        with progress(f"checking {name}", os.fstat(file.fileno()).st_size) as advance:
            for chunk in chunks_of_file(file):
                for number, line in chunk:
                    checked.event_in(number, line)
                advance(file.tell())
        checked.refuse_any()
        _remark_on(checked)
        if dry_run:
            remark(f"{checked.events:,} events, nothing wrong, nothing sent")
            return
        file.seek(0)
        with progress(f"sending {name}", checked.events) as advance:
            self._send(file, Scrutiny(name, self._allows), advance)

    def of_pipe(self, pipe: BinaryIO, name: str, *, dry_run: bool) -> None:
        """Up to the first wrong line; a dry run shows all of them."""
        scrutiny = Scrutiny(name, self._allows)
        if dry_run:
            asyncio.run(_check(pipe, scrutiny))
            scrutiny.refuse_any()
            remark(f"{scrutiny.events:,} events, nothing wrong, nothing sent")
            return
        with progress("sending", None) as advance:
            self._send(pipe, scrutiny, advance)
        _remark_on(scrutiny)

    def _send(self, source: BinaryIO, scrutiny: Scrutiny, advance: Advance) -> None:
        publisher = Publisher(self._settings)
        try:
            asyncio.run(self._send_all(source, scrutiny, publisher, advance))
        finally:  # whatever ended it: what was acknowledged is the user's to know
            remark(f"{publisher.acknowledged:,} events are in {self._settings.topic}, acknowledged by every broker in sync")
            if publisher.sent > publisher.acknowledged:
                remark(f"of {publisher.sent - publisher.acknowledged:,} more it is not known; sending all again does no harm")

    async def _send_all(self, source: BinaryIO, scrutiny: Scrutiny, publisher: Publisher, advance: Advance) -> None:
        pace = Pace(self._rate)
        async with publisher, aclosing(chunks(source)) as parts:
            async for chunk in parts:
                for number, line in chunk:
                    event = scrutiny.event_in(number, line)
                    if event is None:
                        await publisher.flush()
                        raise Stop(
                            ExitCode.REFUSED,
                            f"stopped at line {number} of {scrutiny.source}: {publisher.acknowledged:,} events before it were sent",
                        )
                    await publisher.send(*event, self._headers)
                    if pace.is_ahead(publisher.sent):
                        await publisher.flush()
                        await pace.keep(publisher.sent)
                advance(publisher.sent)
                if not chunk or len(chunk) < _FEW:
                    await publisher.flush()


_FEW = 50
"""So few lines at once come from a pipe where little happens: they are sent now, not when a batch is full."""


async def _check(pipe: BinaryIO, scrutiny: Scrutiny) -> None:
    async with aclosing(chunks(pipe)) as parts:
        async for chunk in parts:
            for number, line in chunk:
                scrutiny.event_in(number, line)


def _remark_on(scrutiny: Scrutiny) -> None:
    if dropped := scrutiny.dropped():
        remark(dropped)
