"""An INSERT whose blocks come from a native client: each goes to the engine while it arrives.

The engine writes parts as blocks fill up, so a client that goes away in the middle leaves the complete blocks that were already
written, as with a server, and nothing of the block that it was sending.
"""

from collections.abc import Callable
from contextlib import closing

from deploy.embedded.clickhouse.channel import ClientChannel
from deploy.embedded.clickhouse.column import skimmer
from deploy.embedded.clickhouse.failure import Failure
from deploy.embedded.clickhouse.ingest import Ingest
from deploy.embedded.clickhouse.session import Session
from deploy.embedded.clickhouse.statement import Insert


class Intake:
    """Hands pieces to the engine until it refuses one; the rest is read and dropped, and the refusal kept for the end."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._failure: Failure | None = None

    def write(self, piece: bytes) -> None:
        if self._failure:
            return
        try:
            self._ingest.append(piece)
        except Failure as failure:
            self._failure = failure

    def finish(self) -> tuple[int, int]:
        """(rows, bytes) written; raises what the engine refused."""
        if self._failure:
            raise self._failure
        return self._ingest.finish()


def take_insert(channel: ClientChannel, session: Session, insert: Insert, mark: str, abort: Callable[[], None]) -> None:
    """Carries the client's blocks into the engine and answers when they are written. Failure if it refuses."""
    columns = session.insert_columns(insert)
    for column in columns:
        skimmer(column.type)  # refuses here, before the client sends what could not be read
    with closing(session.ingest(insert, "Native", mark, abort)) as ingest:
        channel.reply.header(columns)
        rows, size = taken(channel, Intake(ingest))
    channel.reply.progress({"written_rows": rows, "written_bytes": size})
    channel.reply.end()


def taken(channel: ClientChannel, intake: Intake) -> tuple[int, int]:
    while channel.receive_block(intake.write)[1].rows:
        pass
    return intake.finish()
