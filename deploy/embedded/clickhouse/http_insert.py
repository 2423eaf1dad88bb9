"""An INSERT whose data come in an HTTP body, in any of ClickHouse's input formats: each piece goes to the engine as it arrives."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from deploy.embedded.clickhouse.failure import refused
from deploy.embedded.clickhouse.http_exchange import Receive
from deploy.embedded.clickhouse.session import Session
from deploy.embedded.clickhouse.statement import INSERT_HEAD, Insert, insert_of

HEAD_BYTES = 1 << 16
QUERY_BYTES = 64 << 20
QUERY_IS_TOO_LARGE = 62
NOT_IMPLEMENTED = 48


@dataclass(frozen=True, slots=True)
class Upload:
    """An INSERT with its data, of which `head` has been read so far."""

    insert: Insert
    format: str
    head: bytes


def begun(text: str, receive: Receive) -> bytes:
    """URL's text and the beginning of the body, as far as needed to see what kind of statement they are."""
    head = text.encode() + b"\n" if text else b""
    while len(head) < HEAD_BYTES and (piece := receive()):
        head += piece
    return head


def upload_of(head: bytes) -> Upload | None:
    """The INSERT ... FORMAT or INSERT ... VALUES that the text begins with; None for every other statement."""
    found = INSERT_HEAD.match(head.decode("latin-1"))  # one character a byte, so that positions agree
    if not found:
        return None
    insert = insert_of(head[: found.end("head")].decode())
    if insert is None:
        raise refused(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "This form of INSERT with data cannot pass this door")
    return Upload(insert, found["format"] or "Values", head[found.end() :])


def rest_of(head: bytes, receive: Receive) -> str:
    """The whole text of a statement that is not an upload; Failure if it is longer than anyone writes."""
    parts, size = [head], len(head)
    while piece := receive():
        parts.append(piece)
        size += len(piece)
        if size > QUERY_BYTES:
            raise refused(QUERY_IS_TOO_LARGE, "SYNTAX_ERROR", f"Max query size exceeded: the query is longer than {QUERY_BYTES} bytes")
    return b"".join(parts).decode(errors="replace")


def take_upload(session: Session, upload: Upload, receive: Receive, mark: str, abort: Callable[[], None]) -> dict[str, str]:
    """Carries the data into the engine; the summary that ClickHouse sends in a header. Failure if it refuses."""
    with closing(session.ingest(upload.insert, upload.format, mark, abort)) as ingest:
        for piece in data_of(upload, receive):
            ingest.append(piece)
        rows, size = ingest.finish()
    return {"written_rows": str(rows), "written_bytes": str(size)}


def data_of(upload: Upload, receive: Receive) -> Iterator[bytes]:
    if upload.head:
        yield upload.head
    while piece := receive():
        yield piece
