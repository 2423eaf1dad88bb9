"""Another directory while a worker goes on: at SIGHUP its file is read again.

A file that cannot be used is refused with all its mistakes, and the old directory stays in force. A good one with a higher
revision is first written to ClickHouse, so that SQL knows it before any row does; then the processor restates what it holds.
"""

import asyncio
import random

import structlog

from events.directory import Directory
from events.directory_mistake import DirectoryError
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import DirectoryRefused, write_directory
from sinks.clickhouse.retry import code_of, pause_s
from streams.directory import directory_of
from streams.settings import Settings
from streams.worker.processor import Processor

log = structlog.get_logger("directory")


async def follow_directory(processor: Processor, server: ClickHouse, settings: Settings, hangup: asyncio.Event, current: Directory) -> None:
    """Until cancelled: each time `hangup` is set, take what the file says now. An outage of ClickHouse is waited for."""
    while True:
        await hangup.wait()
        hangup.clear()
        try:
            wanted = await asyncio.to_thread(directory_of, settings)
            if (wanted.revision, wanted.content_hash) == (current.revision, current.content_hash):
                log.info("directory unchanged", revision=current.revision)
                continue
            await _introduce(server, wanted)
        except (DirectoryError, DirectoryRefused, OSError) as why:
            _refuse(current, why)
        else:
            processor.adopt(wanted)
            current = wanted


def _refuse(current: Directory, why: Exception) -> None:
    log.error("directory refused: the old one stays in force", revision=current.revision, why=str(why).splitlines())


async def _introduce(server: ClickHouse, directory: Directory) -> None:
    """Let SQL know it. Raises `DirectoryRefused`, and what does not heal by repetition."""
    attempt = 0
    while True:
        try:
            await asyncio.to_thread(_write, server, directory)
        except DirectoryRefused:
            raise
        except Exception as failure:
            code = code_of(failure)
            if code is None:
                raise
            log.warning("directory is written again", code=code, why=str(failure))
            await asyncio.sleep(pause_s(attempt, code, random.random))
            attempt += 1
        else:
            return


def _write(server: ClickHouse, directory: Directory) -> None:
    with server.connect() as client:
        write_directory(client, directory)
