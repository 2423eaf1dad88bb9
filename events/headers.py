"""The Kafka headers that Frontdesk reads and writes; no other module spells out a name (a test looks for that).

Attributes of CloudEvents in binary mode are `ce_` headers (the Kafka protocol binding, version 1.0.2). The marks are ours.
"""

from typing import Final

Header = tuple[str, bytes]

CONTENT_TYPE: Final = "content-type"
"""Of an event in structured mode the media type of CloudEvents; in binary mode that of its data."""
ATTRIBUTE: Final = "ce_"
"""What the name of an attribute begins with."""
SPECVERSION: Final = ATTRIBUTE + "specversion"
SOURCE: Final = ATTRIBUTE + "source"

BACKFILL: Final = "frontdesk-backfill"
"""History: never too late."""
FORWARDED: Final = "frontdesk-forwarded"
"""The record was found in another partition than its district's, and was sent on once."""
SET: Final = b"1"
"""What a mark says where it is there."""
DEAD_LETTER: Final = "frontdesk-dead-letter-"
"""What the headers that a dead letter gets begin with."""

MARKED_BACKFILL: Final[Header] = (BACKFILL, SET)
MARKED_FORWARDED: Final[Header] = (FORWARDED, SET)
