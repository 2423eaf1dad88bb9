"""What whoever is woken by a refused insert should look at first, by ClickHouse's code of the refusal.

It stands beside the reason in the log, in `/health/ready` and in the last words of a worker, so that nobody has to look a number up.
"""

from collections.abc import Mapping
from typing import Final

from sinks.clickhouse.retry import NETWORK_ERROR, STD_EXCEPTION, TOO_MANY_PARTS

BY_ITSELF: Final = "the worker waits and goes on by itself"
AWAY: Final = f"see that ClickHouse runs and can be reached; {BY_ITSELF}"
DISK: Final = f"see to ClickHouse's disk, which is full, read-only or broken (`SELECT * FROM system.disks`); {BY_ITSELF}"
MEMORY: Final = f"give ClickHouse more memory (max_server_memory_usage), or end what takes it (`SHOW PROCESSLIST`); {BY_ITSELF}"
MERGES: Final = f"ClickHouse's merges are behind: see system.merges, its disk and CPU; {BY_ITSELF}, trying more rarely"
QUERIES: Final = f"ClickHouse has too many queries at once (max_concurrent_queries); {BY_ITSELF}"
READ_ONLY: Final = f"the table is read-only: see system.replicas and Keeper, or the table's settings; {BY_ITSELF}"
SLOW: Final = f"see what ClickHouse is busy with (`SHOW PROCESSLIST`, system.merges), and the network to it; {BY_ITSELF}"
RIGHTS: Final = "let FRONTDESK_CLICKHOUSE_USER insert into these tables, then start the worker again"
SCHEMA: Final = (
    "the tables are not those of this version. `frontdesk migrate` makes what is missing; a table that was dropped or changed "
    "comes back by `frontdesk rebuild`. Then start the worker again"
)
PASSES: Final = f"{BY_ITSELF} once ClickHouse takes the rows"
STAYS: Final = "put right what is said here, then start the worker again: it goes on with these rows"

OF_THE_DRIVER: Final = 0
"""It cannot turn our values into what the table's columns are."""
ADVICE: Final[Mapping[int, str]] = {
    **dict.fromkeys((3, 159, 203, 209, NETWORK_ERROR, 236, 394), AWAY),
    **dict.fromkeys((75, 76, 243, STD_EXCEPTION), DISK),
    **dict.fromkeys((173, 241), MEMORY),
    **dict.fromkeys((164, 242, 774), READ_ONLY),
    **dict.fromkeys((OF_THE_DRIVER, 16, 47, 53, 60, 81, 117), SCHEMA),
    202: QUERIES,
    TOO_MANY_PARTS: MERGES,
    497: RIGHTS,
}


def advice(code: int, *, passes: bool) -> str:
    """What to do; where nothing special is known, whether it passes by itself."""
    return ADVICE.get(code, PASSES if passes else STAYS)
