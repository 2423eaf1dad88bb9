"""How a worker learns that a rebuild has put new tables in the place of those it wrote to: it then writes all its windows again.

Windows may be written when nothing but a minute has passed, so no offset tells whether such a row went to the old table or the new.
"""

import asyncio
from functools import partial
from typing import Final

import structlog

from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.rebuilds import last_switch
from sinks.clickhouse.retry import until_answered
from streams.worker.processor import Processor

ASKED_EVERY_S: Final = 2.0

log = structlog.get_logger("switches")


async def follow_switches(processor: Processor, server: ClickHouse, known: int) -> None:
    """Until cancelled; `known` is the last switch before this worker. An outage of ClickHouse passes; another error of it is raised."""
    while True:
        await asyncio.sleep(ASKED_EVERY_S)
        number = await until_answered(
            partial(_last_switch, server), lambda _, failure: log.warning("switches are asked for again", why=str(failure))
        )
        if number > known:
            log.info("the tables were rebuilt", rebuild=number)
            processor.write_windows_again()
            known = number


def _last_switch(server: ClickHouse) -> int:
    with server.connect() as client:
        return last_switch(client)
