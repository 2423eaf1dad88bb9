"""The most that Python can do with the topic: aiokafka, msgspec and a dictionary, in memory only. A job without any promise.

    python -m tests.benchmarks.ceiling BOOTSTRAP TOPIC PARTITIONS EVENTS

It prints one JSON line: events, and CPU and wall seconds from its first records to its last.
"""

import asyncio
import json
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition


class Data(msgspec.Struct, gc=False):
    district: str


class Envelope(msgspec.Struct, gc=False):
    """What the counting needs of an event."""

    subject: str
    type: str
    data: Data


async def count(bootstrap: str, topic: str, partitions: int, events: int) -> dict[str, float]:
    decode, counts, seen = msgspec.json.Decoder(Envelope).decode, dict[tuple[str, str, str], int](), 0
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=16 << 20)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        await consumer.seek_to_beginning()
        cpu_s, wall_s = time.process_time(), time.monotonic()
        while seen < events:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=20_000)).values():
                for record in records:
                    event = decode(record.value)
                    key = event.data.district, event.subject, event.type
                    counts[key] = counts.get(key, 0) + 1
                seen += len(records)
        return {"events": seen, "cpu_s": time.process_time() - cpu_s, "wall_s": time.monotonic() - wall_s}
    finally:
        await consumer.stop()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(count(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
