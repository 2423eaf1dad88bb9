"""What follows from sums that are public: every unknown that the equations leave no choice (Gauss and Jordan, exact)."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction

Unknown = Hashable


@dataclass(frozen=True)
class Sum:
    """These unknowns add up to this number."""

    unknowns: frozenset[Unknown]
    total: int


def solved(sums: Iterable[Sum]) -> dict[Unknown, Fraction]:
    """The unknowns that have one value only."""
    rows = [({unknown: Fraction(1) for unknown in each.unknowns}, Fraction(each.total)) for each in sums]
    reduced: list[tuple[Unknown, dict[Unknown, Fraction], Fraction]] = []
    while rows:
        row, total = rows.pop()
        if not row:
            continue
        pivot, factor = next(iter(row.items()))
        row, total = {unknown: value / factor for unknown, value in row.items()}, total / factor
        rows = [_without(pivot, other, row, total) for other in rows]
        reduced = [(name, *_without(pivot, (other, sum_), row, total)) for name, other, sum_ in reduced]
        reduced.append((pivot, row, total))
    return {pivot: total for pivot, row, total in reduced if len(row) == 1}


def _without(
    pivot: Unknown, row: tuple[dict[Unknown, Fraction], Fraction], by: dict[Unknown, Fraction], total: Fraction
) -> tuple[dict[Unknown, Fraction], Fraction]:
    values, sum_ = row
    factor = values.get(pivot)
    if factor is None:
        return row
    left = {unknown: values.get(unknown, Fraction(0)) - factor * by.get(unknown, Fraction(0)) for unknown in {**values, **by}}
    return {unknown: value for unknown, value in left.items() if value}, sum_ - factor * total
