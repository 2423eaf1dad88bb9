"""Dead letters sent once more to the events topic, as they came or with mended bytes.

Sending one twice does no harm, because events have ids; so the state is changed after the brokers have the records, and a command that
died in between can simply be given again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from events.codec import Decoder
from events.headers import ATTRIBUTE, BACKFILL, CONTENT_TYPE, FORWARDED, MARKED_BACKFILL
from events.personal_data import anybody_allows
from events.rejection import Reason, Rejection
from sinks.clickhouse.dead_letters import REDRIVEN, DeadLetter, LogPosition, mark
from streams.clock import Clock
from streams.dead_letters.record import Original, keeps_bytes
from streams.directory import directory_of
from streams.kafka import MOST_BESIDE, STRUCTURED, Headers, Publisher, has_small_headers
from streams.settings import Settings
from streams.warehouse import clickhouse_of

AT_ONCE: Final = 1_000
"""Records that are sent before their state is changed."""


@dataclass(frozen=True)
class Redriven:
    """How many were sent; and the first one that would be refused again, before which it ended."""

    sent: int
    letter: DeadLetter | None = None
    rejection: Rejection | None = None


def mended_record(original: Original, value: bytes) -> Original:
    """The record with other bytes. A whole event in place of the binary mode's data needs none of its headers."""
    as_it_was = Original(original.key, value, original.headers)
    if isinstance(Decoder(anybody_allows).decode(value, original.headers, MUCH_LATER), Rejection):
        others = [(name, content) for name, content in original.headers if not name.startswith(ATTRIBUTE) and name != CONTENT_TYPE]
        whole = Original(original.key, value, [*STRUCTURED, *others])
        if not isinstance(Decoder(anybody_allows).decode(value, whole.headers, MUCH_LATER), Rejection):
            return whole
    return as_it_was


NOT_KEPT: Final = "nothing of the record was kept, because it looked like personal data: its publisher has to send it again without"
MUCH_LATER: Final = 1 << 52
"""A timestamp at which no event is from the future."""


async def redrive(
    settings: Settings, letters: Iterable[DeadLetter], records: Mapping[LogPosition, Original], clock: Clock, *, backfill: bool = False
) -> Redriven:
    """Send these records in order until one would be refused again, and mark those that were sent.

    `records` holds each letter's bytes, mended or not. With `backfill` they are never too late.
    """
    decoder, sent = Decoder(directory_of(settings).allows), 0
    waiting: list[DeadLetter] = []
    async with Publisher(settings) as publisher:
        for letter in letters:
            record = records[letter.place]
            decoded = _refused_again(letter, record, backfill=backfill) or decoder.decode(record.value, record.headers, clock.now())
            if isinstance(decoded, Rejection):
                await _done(settings, publisher, waiting, clock)
                return Redriven(sent, letter, decoded)
            await publisher.send(decoded[0], record.value or b"", _headers(record, backfill=backfill))
            waiting.append(letter)
            sent += 1
            if len(waiting) == AT_ONCE:
                await _done(settings, publisher, waiting, clock)
        await _done(settings, publisher, waiting, clock)
    return Redriven(sent)


def _refused_again(letter: DeadLetter, record: Original, *, backfill: bool) -> Rejection | None:
    """What no bytes mend: a case that is forgotten or full is so for this event too, and headers come along. And what has no bytes."""
    if not record.value and not keeps_bytes(letter.reason):
        return Rejection(Reason.PERSONAL_DATA, letter.path, NOT_KEPT)
    if not has_small_headers(None, record.headers):
        return Rejection(Reason.TOO_LARGE, "$", f"its headers are over {MOST_BESIDE} bytes: only its publisher can send it without them")
    if letter.reason == Reason.TOO_LATE.value and not backfill:
        return Rejection(Reason.TOO_LATE, letter.path, "the case is no longer remembered: history is taken with --backfill")
    if letter.reason == Reason.CASE_FULL.value:
        return Rejection(Reason.CASE_FULL, letter.path, letter.message)
    return None


async def _done(settings: Settings, publisher: Publisher, letters: list[DeadLetter], clock: Clock) -> None:
    """What the brokers have is redriven."""
    await publisher.flush()
    with clickhouse_of(settings).connect() as client:
        mark(client, letters, REDRIVEN, clock.now())
    letters.clear()


def _headers(record: Original, *, backfill: bool) -> Headers:
    """Its own ones; that it was sent on once does not matter any more, because it goes to its district's partition now."""
    own = [header for header in record.headers if header[0] != FORWARDED and not (backfill and header[0] == BACKFILL)]
    return [*own, MARKED_BACKFILL] if backfill else own
