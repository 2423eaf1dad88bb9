"""Where a district lives: the partition that Kafka's Java client chooses for the district's name as a record key.

Every publisher that keys its records by district agrees with this; a record found elsewhere is forwarded.
"""

from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


@lru_cache(maxsize=65_536)
def partition_of(district: str, partitions: int) -> int:
    """Partition number in [0, partitions): toPositive(murmur2(UTF-8 bytes)) mod partitions."""
    return (murmur2(district.encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """32-bit MurmurHash2 with Kafka's seed, unsigned (`org.apache.kafka.common.utils.Utils.murmur2`)."""
    whole = len(key) & ~3
    state = _SEED ^ len(key)
    for at in range(0, whole, 4):
        state = (state * _M & _MASK) ^ _mixed(int.from_bytes(key[at : at + 4], "little"))
    if whole < len(key):
        state = (state ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    state = (state ^ state >> 13) * _M & _MASK
    return state ^ state >> 15


def _mixed(word: int) -> int:
    word = word * _M & _MASK
    return (word ^ word >> 24) * _M & _MASK
