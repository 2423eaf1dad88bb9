"""Dead letters: what one is as a Kafka record, the record it was made of, and the way back to the events topic."""

from streams.dead_letters.originals import BytesGone, originals
from streams.dead_letters.record import Original, dead_letter_body, dead_letter_headers, keeps_bytes
from streams.dead_letters.redrive import NOT_KEPT, Redriven, mended_record, redrive

__all__ = [
    "NOT_KEPT",
    "BytesGone",
    "Original",
    "Redriven",
    "dead_letter_body",
    "dead_letter_headers",
    "keeps_bytes",
    "mended_record",
    "originals",
    "redrive",
]
