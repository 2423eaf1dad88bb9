"""What the tables hold of one partition of the log, in a form that is small enough to be laid beside the log itself.

An event is told by a digest of everything it says, 16 bytes, which ClickHouse and `digest` compute alike: so millions of rows
travel as two numbers each, and one changed letter in any column shows. Names are asked for only where something is wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import md5
from struct import pack
from typing import Any, Final

from clickhouse_driver import Client

from projections.capacity import CASE_BYTES, EPISODE_BYTES, EVENT_BYTES
from projections.rows import EVENT_COLUMNS, Row

WORDS: Final = EVENT_COLUMNS[: EVENT_COLUMNS.index("score")]
"""Columns of an event that are written as text, in order; then come three floats as the eight bytes that they are."""
TEXT: Final[Mapping[str, str]] = {"time": "toString(toUnixTimestamp64Milli(time))", "needs_reply": "toString(toUInt8(needs_reply))"}
STREAMED_ROWS: Final = 50_000
REPEATED: Final = ("school", "department", "stakeholder")
TEXTS: Final = tuple(word for word in WORDS if word not in {"district", "subject", *TEXT, "kind", "author_kind", "visibility"})
WEIGHT: Final = (
    f"""{EVENT_BYTES} + if(kind = 'resolution', {EPISODE_BYTES}, 0) + {" + ".join(f"length({text})" for text in (*TEXTS, *REPEATED))}"""
)
"""What `projections.capacity.weight` says of the event of a row."""

DIGEST: Final = f"""reinterpretAsUInt128(MD5(concat(
    concatWithSeparator('\\0', {", ".join(TEXT.get(word, word) for word in WORDS)}),
    reinterpretAsFixedString(score), reinterpretAsFixedString(worst), reinterpretAsFixedString(best))))"""


def digest(row: Row) -> int:
    """Digest of a row of `events` up to the column `best` (see `projections.rows.event_row`); names hold no zero bytes."""
    *words, score, worst, best = row
    told = "\0".join(map(str, words)).encode() + pack("<ddd", score, worst, best)
    return int.from_bytes(md5(told, usedforsecurity=False).digest(), "little")


def event_rows(client: Client, partition: int) -> Iterator[tuple[int, int]]:
    """(digest, offset) of each row of a partition. Read it to its end: the connection is taken meanwhile."""
    query = f"SELECT {DIGEST}, offset FROM events FINAL WHERE partition = %(partition)s"
    rows: Iterator[tuple[int, int]] = client.execute_iter(query, {"partition": partition}, settings={"max_block_size": STREAMED_ROWS})
    yield from rows


def dead_letter_rows(client: Client, topic_id: str, partition: int) -> dict[int, str]:
    """Reason at each offset of a partition that has a dead letter."""
    query = "SELECT offset, reason FROM dead_letters FINAL WHERE topic_id = %(topic_id)s AND partition = %(partition)s"
    return dict(client.execute(query, {"topic_id": topic_id, "partition": partition}))


def names(client: Client, partition: int, digests: Sequence[int]) -> dict[int, str]:
    """District, subject, source and id of the rows with these digests, as text."""
    query = f"""
        SELECT {DIGEST} AS digest, concat(district, ' ', subject, ' ', source, ' ', id)
        FROM events FINAL
        WHERE partition = %(partition)s AND toString(digest) IN %(digests)s"""
    return dict(client.execute(query, {"partition": partition, "digests": tuple(map(str, digests))})) if digests else {}


def weights(client: Client, cases: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    """How many events each case holds, and what they weigh (`projections.capacity`), both contents of a conflict included.

    That is never less than what the fold weighs: of a conflict it counts one content, and the name, which is less than the other.
    """
    query = f"""
        SELECT district, subject, uniqExact(source, id), {CASE_BYTES} + sum({WEIGHT})
        FROM events FINAL
        WHERE (district, subject) IN %(cases)s
        GROUP BY district, subject"""
    rows = client.execute(query, {"cases": tuple(cases)}) if cases else []
    return {(district, subject): (events, weight) for district, subject, events, weight in rows}


def strangers(client: Client, partitions: int) -> list[tuple[str, int, int]]:
    """(table, partition, rows) where rows name a partition that the log does not have."""
    tables = ("events", "cases", "windows")
    query = " UNION ALL ".join(
        f"SELECT '{t}' AS of, partition, count() FROM {t} WHERE partition >= %(partitions)s GROUP BY partition" for t in tables
    )
    return list(client.execute(f"{query} ORDER BY 1, 2", {"partitions": partitions}))


def reach(client: Client) -> dict[int, int]:
    """By partition: the offset after the last one of which any row speaks."""
    rows: list[Any] = client.execute(
        """
        SELECT partition, max(next)
        FROM
        (
            SELECT partition, max(offset) + 1 AS next FROM events GROUP BY partition
            UNION ALL
            SELECT partition, max(last_offset) + 1 FROM cases GROUP BY partition
            UNION ALL
            SELECT partition, max(toUInt64(bitAnd(bitShiftRight(version, 32), 0xFFFFFFFFFFFFFFFF))) FROM windows GROUP BY partition
        )
        GROUP BY partition"""
    )
    return dict(rows)
