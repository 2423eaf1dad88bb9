"""Ranges of districts: each district is in one, in order, and none holds more rows than it may unless it is one district."""

from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.pieces import Range, ranges


def test_small_districts_share_a_piece_and_a_large_one_has_its_own() -> None:
    sizes = [("a", 3), ("b", 4), ("c", 90), ("d", 1), ("e", 9)]
    assert list(ranges(sizes, most=10)) == [Range("a", "b"), Range("c", "c"), Range("d", "e")]


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 40))
def test_every_district_is_in_one_piece_and_no_piece_is_too_large(rows: list[int], most: int) -> None:
    sizes = {f"district-{number:02}": n for number, n in enumerate(rows)}
    pieces = [[name for name in sizes if some.first <= name <= some.last] for some in ranges(sizes.items(), most)]
    assert [name for piece in pieces for name in piece] == list(sizes)
    assert all(len(piece) == 1 or sum(sizes[name] for name in piece) <= most for piece in pieces)
