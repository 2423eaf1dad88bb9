"""Nobody who has every public number, and knows the rule, learns more of a small group than that it is small.

The attacker is the strongest that there is: it goes through every table that would look the same from outside, and sees
which values a hidden part has in any of them. A limit of 3 people instead of 10 keeps that possible; the rule knows the limit as a
parameter only. The same attacker is let loose on simpler rules, and breaks them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.suppression import FEWEST, hidden_cells, lot, share
from tests.oracles.linear_attack import Sum, solved

LIMIT = 3
PARTS = "abcd"

Rule = Callable[[Mapping[str, int], int, Sequence[str]], frozenset[str]]
OURS: Rule = partial(hidden_cells, fewest=LIMIT)


@dataclass(frozen=True)
class Table:
    """The people of each part, and of those in no part."""

    people: tuple[int, ...]
    rest: int = 0

    @property
    def total(self) -> int:
        return sum(self.people) + self.rest

    def hidden(self, rule: Rule) -> frozenset[str]:
        """What the rule hides; the parts are drawn in the order of their names."""
        parts = PARTS[: len(self.people)]
        return rule(dict(zip(parts, self.people, strict=True)), self.rest, parts)

    def seen(self, rule: Rule) -> tuple[int, tuple[int | None, ...]]:
        """All that is public of it."""
        hidden = self.hidden(rule)
        return self.total, tuple(None if part in hidden else n for part, n in zip(PARTS, self.people, strict=False))


def sums(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways in which so many parts add up to a total."""
    if parts == 0:
        yield from [()] if total == 0 else []
        return
    for first in range(total + 1):
        yield from ((first, *others) for others in sums(total - first, parts - 1))


def attack(table: Table, rule: Rule, *, rest_is_known: bool) -> list[Table]:
    """Every table that would be seen as this one is."""
    total, shown = seen = table.seen(rule)
    holes = shown.count(None)
    left = total - sum(n for n in shown if n is not None) - (table.rest if rest_is_known else 0)
    found = []
    for values in sums(left, holes if rest_is_known else holes + 1):
        fill = iter(values)
        people = tuple(next(fill) if n is None else n for n in shown)
        candidate = Table(people, table.rest if rest_is_known else next(fill))
        if candidate.seen(rule) == seen:
            found.append(candidate)
    return found


def learnt(table: Table, rule: Rule, *, rest_is_known: bool) -> dict[str, set[int]]:
    """Of each small part, the small numbers that it cannot be: nothing where the rule holds."""
    possible = attack(table, rule, rest_is_known=rest_is_known)
    told: dict[str, set[int]] = {}
    for place, n in enumerate(table.people):
        if n < LIMIT:
            told[PARTS[place]] = set(range(LIMIT)) - {other.people[place] for other in possible}
    if 0 < table.rest < LIMIT and not rest_is_known:
        told["rest"] = set(range(1, LIMIT)) - {other.rest for other in possible}
    return {part: excluded for part, excluded in told.items() if excluded}


people = st.lists(st.integers(0, 8), min_size=1, max_size=4).map(tuple)


@given(people, st.integers(0, 5))
def test_of_schools_and_departments_nothing_is_learnt(people: tuple[int, ...], rest: int) -> None:
    table = Table(people, rest)
    if table.total >= LIMIT:
        assert learnt(table, OURS, rest_is_known=False) == {}


@given(people)
def test_of_weeks_which_have_no_rest_nothing_is_learnt(people: tuple[int, ...]) -> None:
    table = Table(people)
    if table.total >= LIMIT:
        assert learnt(table, OURS, rest_is_known=True) == {}


# -- the attacker can win -------------------------------------------------------------------------------------------------
def small_ones_only(people: Mapping[str, int], _rest: int, _drawn: Sequence[str]) -> frozenset[str]:
    return frozenset(part for part, n in people.items() if n < LIMIT)


def with_the_smallest(people: Mapping[str, int], rest: int, _drawn: Sequence[str]) -> frozenset[str]:
    """The rule that one would write first: hide beside a small part the smallest of the others."""
    return OURS(people, rest, sorted(people, key=lambda part: people[part]))


def with_one_more(people: Mapping[str, int], _rest: int, drawn: Sequence[str]) -> frozenset[str]:
    """Two hidden parts, however few people they have together."""
    small = small_ones_only(people, 0, ())
    return small | set([part for part in drawn if part not in small][: max(0, 2 - len(small))]) if small else small


def test_a_small_part_alone_is_the_difference_to_the_total() -> None:
    table = Table((1, 7, 8))
    assert [other.people for other in attack(table, small_ones_only, rest_is_known=True)] == [table.people]


@pytest.mark.parametrize(
    ("rule", "table"),
    [(with_the_smallest, Table((2, 4, 4, 8))), (with_one_more, Table((2, 3, 2, 2)))],
    ids=["the smallest", "any other"],
)
def test_rules_that_look_safe_tell_something(rule: Rule, table: Table) -> None:
    assert learnt(table, rule, rest_is_known=True)
    assert not learnt(table, OURS, rest_is_known=True)


def days_of(first: date, last: date) -> Sum:
    """That many contacts came in these days: three on each, for an attacker who does not know that."""
    days = frozenset(first + timedelta(days=number) for number in range((last - first).days + 1))
    return Sum(days, 3 * len(days))


def test_calendar_months_beside_weeks_would_give_single_days_away() -> None:
    """November 2026 begins on a Sunday, and January 2027 ends on one: from there subtraction leads back to it."""
    begins = [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)]
    months = [days_of(first, after - timedelta(days=1)) for first, after in pairwise(begins)]
    weeks = [days_of(monday, monday + timedelta(days=6)) for monday in (date(2026, 10, 26) + timedelta(weeks=n) for n in range(14))]
    assert solved([*months, *weeks]) == {date(2026, 11, 1): 3, date(2026, 11, 30): 3}
    whole_weeks = [days_of(date(2026, 11, 2), date(2026, 11, 29)), days_of(date(2026, 11, 30), date(2027, 1, 3))]
    assert not solved([*whole_weeks, *weeks])


# -- what the rule hides --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("people", "rest", "hidden"),
    [
        ({"a": 10, "b": 11}, 0, ""),
        ({"a": 10, "b": 11}, 10, ""),
        ({"a": 50, "b": 0, "c": 11}, 0, "ab"),
        ({"a": 19, "b": 0, "c": 11}, 0, "abc"),
        ({"a": 50, "b": 9, "c": 9, "d": 9}, 0, "abcd"),
        ({"a": 50, "b": 0, "c": 11}, 20, "b"),
        ({"a": 50, "b": 0, "c": 11}, 19, "ab"),
        ({"a": 50, "b": 11}, 1, "a"),
        ({"a": 50, "b": 11}, 9, "a"),
        ({"a": 3, "b": 9}, 0, "ab"),
    ],
)
def test_examples(people: dict[str, int], rest: int, hidden: str) -> None:
    assert hidden_cells(people, rest, sorted(people)) == set(hidden)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 40), min_size=1), st.integers(0, 30), st.randoms())
def test_what_is_shown_has_enough_people_and_so_have_the_hidden_together(people: dict[str, int], rest: int, random: Random) -> None:
    drawn = sorted(people)
    random.shuffle(drawn)
    hidden = hidden_cells(people, rest, drawn)
    assert all(n >= FEWEST for part, n in people.items() if part not in hidden)
    together = rest + sum(people[part] for part in hidden)
    assert not hidden or hidden == set(people) or (together >= 2 * FEWEST and max(rest, *(people[part] for part in hidden)) >= FEWEST)


def test_the_lot_is_another_each_month_and_the_same_for_all() -> None:
    schools = ["north", "south", "east", "west"]
    orders = {tuple(sorted(schools, key=lambda school: lot("d", date(2026, month, 1), school))) for month in range(1, 13)}
    assert len(orders) > 1
    assert lot("d", date(2026, 1, 1), "north") == lot("d", date(2026, 1, 1), "north")


@given(st.integers(1, 400), st.data())
def test_no_share_tells_of_everybody(people: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(people, 3 * people))
    met = data.draw(st.integers(0, n))
    shown = share(met, n, people)
    assert round(shown, 2) == shown
    assert share(0, n, people) > 0
    assert share(n, n, people) < 1
    assert people < FEWEST or share(1, n, people) == share(0, n, people), "none is told from one"
    assert abs(shown - met / n) <= max(share(0, n, people), 0.005) + 1e-9
