"""The table of measures against whatever is written by hand beside it."""

import re

import pytest

from projections.measures import COLUMNS, COUNTERS, MEASURES, Shape, of_shape, series_of
from sinks.clickhouse.measures import CONTRIBUTED, with_measures


def test_no_column_and_no_counter_has_two_meanings() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    assert len(set(COUNTERS)) == len(COUNTERS)


def test_every_counter_is_in_a_column() -> None:
    assert {counter for column in COLUMNS for counter in column.counters} == set(COUNTERS)


def test_durations_have_histograms_of_their_own() -> None:
    assert [series_of(measure) for _, measure in of_shape(Shape.DURATION)] == [0, 2]


def test_sql_says_of_every_measure_what_facts_contribute_to_it() -> None:
    told = re.findall(r"^ *\('(\w+)',", CONTRIBUTED, re.MULTILINE)
    assert told == [measure.name for measure in MEASURES if measure.shape is not Shape.PEOPLE]


@pytest.mark.parametrize("name", ["contributed", "places", "scopes", "cells", "shown"])
def test_a_query_gets_the_parts_that_it_names(name: str) -> None:
    assert "{" not in with_measures(f"SELECT {{{name}}}")


def test_other_braces_stay() -> None:
    assert with_measures("{part} %(first)s") == "{part} %(first)s"
