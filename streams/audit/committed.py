"""Waits until what can be seen in ClickHouse is complete: until the group has committed every record of which a row speaks.

A worker commits an offset only when all rows of the records before it are there. So a row of a later record may belong to a
batch that is half written, and after this wait that batch is whole.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic

from events.exit_code import ExitCode
from streams.kafka import LogReader
from streams.settings import Settings

WITHIN_S = 60.0
POLL_S = 0.3


class NotCommitted(Exception):
    """Rows speak of records that nobody has committed, and nobody does."""

    exit_code = ExitCode.UNAVAILABLE


async def until_committed(settings: Settings, reach: Mapping[int, int], partitions: int, within_s: float = WITHIN_S) -> None:
    """Return when every partition is committed up to `reach` (offsets after the last record that has rows), or its end.

    Raises `NotCommitted` when that takes too long.
    """
    deadline = monotonic() + within_s
    async with LogReader(settings, partitions) as reader:
        ends = await reader.ends()
        wanted = {number: min(after, ends[number]) for number, after in reach.items() if number in ends}
        while open_ := _open(wanted, await reader.committed()):
            if monotonic() > deadline:
                raise NotCommitted(f"{'; '.join(open_)}: a worker stopped in the middle of its writing. Start one, then verify again")
            await asyncio.sleep(POLL_S)


def _open(wanted: Mapping[int, int], committed: Mapping[int, int]) -> list[str]:
    return [
        f"partition {number} has rows up to offset {after - 1:,}, but is committed only up to {committed.get(number, 0):,}"
        for number, after in sorted(wanted.items())
        if committed.get(number, 0) < after
    ]
