"""Another directory while a worker goes on: at SIGHUP its file is read again.

A file that cannot be used is refused with all its mistakes, and the old directory stays in force. A good one with a higher
revision is first written to ClickHouse, so that SQL knows it before any row does; then the processor restates what it holds.
"""

import asyncio
from functools import partial

import structlog

from events.directory import Directory
from events.directory_mistake import DirectoryError
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.directory import DirectoryRefused, write_directory
from sinks.clickhouse.retry import until_answered
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
    await until_answered(
        partial(_write, server, directory), lambda code, failure: log.warning("directory is written again", code=code, why=str(failure))
    )


def _write(server: ClickHouse, directory: Directory) -> None:
    with server.connect() as client:
        write_directory(client, directory)
