"""What whoever reads the log of a process should do next, for each line of it that is a warning or worse.

Where it depends on the failure, the line brings its own (`next=...`); the others are listed here, so that the code that works is not
full of advice. A test holds the list in step with the code.
"""

from collections.abc import MutableMapping
from typing import Any, Final

NOTHING: Final = "nothing: what is not committed is read again, and counts once"
AGAIN: Final = "see that ClickHouse runs and can be reached; it is tried until it answers"
OFTEN: Final = f"{NOTHING}. If it comes often, see why partitions change hands: workers that restart, or are starved of CPU"

NEXT_STEPS: Final = {
    "batch given up at a rebalance": (
        f"{NOTHING}. If it comes often, ClickHouse answers too slowly for the session timeout: see frontdesk_insert_seconds, or raise "
        "FRONTDESK_SESSION_TIMEOUT_S"
    ),
    "batch given up": OFTEN,
    "flood accepted": "nothing: the partition goes on",
    "breaker open": "stop the publisher that is broken, then let what it sent pass: the commands are in `why`",
    "foreign records in the changelog": (
        "nothing: they are read before anything else is written. Another worker wrote after it had lost the partition: see its log"
    ),
    "away too long: another worker may have these partitions, exiting": (
        "let its supervisor start it again. If it comes often, the machine is starved or sleeps, or FRONTDESK_SESSION_TIMEOUT_S is short"
    ),
    "not committed in time: these records will be read again": NOTHING,
    "the receiver did not finish its batch in time: what it still wants to write is fenced off": NOTHING,
    "records were dropped on the way, fetching them again": NOTHING,
    "not committed, the group has moved on: these records will be read again": OFTEN,
    "not committed, the consumer's thread has ended: these records will be read again": NOTHING,
    "Kafka does not give the end of the log": (
        "see that the brokers run and can be reached; the worker waits and goes on by itself. Until then the lag is not known"
    ),
    "acceptances are asked for again": "see that ClickHouse runs and can be reached; the partition stands until it answers",
    "not everything was sent that was on its way": NOTHING,
    "restated under another directory": "nothing: rows that the new directory makes different are written again",
    "directory refused: the old one stays in force": "mend the file as `why` says, give it a higher revision, and send SIGHUP again",
    "directory is written again": AGAIN,
    "switches are asked for again": AGAIN,
    "ClickHouse does not answer": f"{AGAIN}. Until then the page shows what it had, and says so",
    "Kafka is away": "see that the brokers run, can be reached and let us in. Publishers are told to come again; it goes on by itself",
    "the token file stays as it was read before": "mend the file as `why` says, and send SIGHUP again",
    "refused": "nothing here: the publisher is told why. If it comes often, ask whoever runs it",
    "rejected": "ask whoever holds the token: these events break the contract, each was answered with its reason, none was taken",
}


def add_next_step(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: what the line does not say itself."""
    step = NEXT_STEPS.get(str(entry.get("event")))
    if step is not None:
        entry.setdefault("next", step)
    return entry
