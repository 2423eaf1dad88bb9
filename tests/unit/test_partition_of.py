import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from events.partition import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_the_numbers_of_kafkas_own_test(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=40))
def test_murmur2_equals_the_one_of_the_python_client(key: bytes) -> None:
    assert murmur2(key) == aiokafka_murmur2(key) & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=20), st.integers(1, 500))
def test_a_district_lives_in_one_of_the_partitions(district: str, partitions: int) -> None:
    assert 0 <= partition_of(district, partitions) < partitions


def test_a_negative_hash_is_made_positive_as_in_java() -> None:
    # toPositive is number & 0x7fffffff, not abs: murmur2("21") is -973932308
    assert partition_of("21", 12) == (-973932308 & 0x7FFFFFFF) % 12
