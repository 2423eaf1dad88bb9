"""Counts the distinct events in the topic by reading all of it: what `events` in ClickHouse must hold, no more and no less."""

from msgspec import Struct
from msgspec.json import Decoder

from streams.kafka import LogReader, topic_identity
from streams.settings import Settings


class _NamedDistrict(Struct):
    district: str


class _Named(Struct):
    data: _NamedDistrict
    subject: str
    source: str
    id: str


async def distinct_events(settings: Settings) -> int:
    """How many different (district, subject, source, id) there are up to the present end of the log.

    Reads what Frontdesk itself published: structured mode.
    """
    names: set[tuple[str, str, str, str]] = set()
    decode = Decoder(_Named).decode
    topic = await topic_identity(settings, settings.topic)
    async with LogReader(settings, topic.partitions) as reader:
        for marks in await reader.marks():
            async for records in reader.records(marks.partition, marks.first, marks.end):
                names.update((e.data.district, e.subject, e.source, e.id) for e in map(decode, (record.value for record in records)))
    return len(names)
