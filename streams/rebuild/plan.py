"""What a rebuild has to do, decided from what was found: which events it reads, under which epoch, or why it cannot be done now.

A pure function of what is known; nobody is asked and nothing is written here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from events.exit_code import ExitCode
from projections.case import FOLD
from sinks.clickhouse.queries import LogIdentity
from sinks.clickhouse.rebuilds import BUILDING, FROM_ARCHIVE, FROM_LOG, FROM_LOG_AND_ARCHIVE, OF_LOG, Rebuild
from streams.kafka import TopicIdentity


class RebuildRefused(Exception):
    """What was asked for would not be exact now; says what to do first."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Found:
    """What there is. `known` are the rebuilds so far, the newest first; a directory is (revision, content hash)."""

    topic: TopicIdentity
    log: LogIdentity | None
    known: Sequence[Rebuild]
    workers: bool
    directory: tuple[int, str]
    directory_in_force: tuple[int, str] | None


def planned(found: Found, source: str | None, database: str) -> Rebuild:
    """The rebuild to go on with, or to begin with (then without offsets and tables). Raises `RebuildRefused`.

    `source` is what the user asked for: `events`, `topic`, `log` or `log+events`; None for what suits. `database` is that of the tables.
    """
    if found.log is None:
        raise RebuildRefused("no worker has written anything yet: there is nothing to rebuild")
    is_same = (found.log.topic_id, found.log.partitions) == (found.topic.topic_id, found.topic.partitions)
    under_way = next((each for each in found.known if each.is_under_way), None)
    wanted = (source or FROM_ARCHIVE) if is_same or source == FROM_LOG_AND_ARCHIVE else FROM_LOG
    if wanted in OF_LOG and found.workers and not (under_way and under_way.read_to):
        raise RebuildRefused(
            "the log is counted anew from its first record, and workers of the old count still run: stop them, then rebuild "
            "(one that was killed counts until its session ends, half a minute)"
        )
    if not is_same and source == FROM_ARCHIVE:
        raise RebuildRefused(
            f"the topic is another one than the archive was filled from ({found.log.topic_id} with {found.log.partitions} partitions): "
            "a worker goes on from the topic, so only what is in it can be counted; what only the archive has can be sent to it again "
            "(--from log+events)"
        )
    _check_directory(found)
    if under_way is not None:
        _check_it_is_this(under_way, found, wanted if source else under_way.source)
        return under_way
    number = max((each.number for each in found.known), default=0) + 1
    newest_epoch = max([found.log.epoch, *(each.epoch for each in found.known)])
    epoch = newest_epoch + 1 if wanted in OF_LOG else found.log.epoch
    beside = f"{database}__rebuild_{number}"
    return Rebuild(number, BUILDING, wanted, beside, epoch, found.topic.topic_id, found.directory[0], FOLD, (), ())


def _check_directory(found: Found) -> None:
    """Rows beside each other must come from one directory, and the next worker must take it."""
    mine, in_force = found.directory, found.directory_in_force
    if in_force is None or mine == in_force:
        return
    if mine[0] <= in_force[0]:
        raise RebuildRefused(
            f"revision {in_force[0]} of the directory is in force: give this one, which says {mine[0]}, a higher revision "
            "(FRONTDESK_DIRECTORY names the file)"
        )
    if found.workers:
        raise RebuildRefused(
            f"workers count by revision {in_force[0]} of the directory, not by {mine[0]}: restart them with it first, "
            "for what they write beside the rebuild must be right, too"
        )


def _check_it_is_this(under_way: Rebuild, found: Found, wanted: str) -> None:
    """What was begun must still be what is wanted."""
    differs = {
        f"reads from {under_way.source}, not {wanted}": under_way.source != wanted,
        "is of another topic": under_way.topic_id != found.topic.topic_id,
        f"is of revision {under_way.directory_revision} of the directory": under_way.directory_revision != found.directory[0],
        "was begun by another version of Frontdesk, which folds differently": under_way.fold != FOLD,
    }
    for how in (how for how, it_does in differs.items() if it_does):
        raise RebuildRefused(f"rebuild {under_way.number} is under way and {how}: finish it as it was begun, or give it up with --abandon")
