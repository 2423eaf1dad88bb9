"""The measures in SQL, made from their table: what verification and export add up, by place and then by cell.

`measures.sql` says what each row of facts contributes to which measure, as `projections.contribution` does for an episode. Both
queries put it between what they read and what they show: `frontdesk verify` facts that it computed from events, `frontdesk export`
the rows of `cases`. Percentiles are exact nearest ranks.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from projections.measures import MEASURES, SATISFIED_BP, Measure, Shape

CONTRIBUTED: Final = (Path(__file__).parent / "measures.sql").read_text("utf-8").strip()
"""`measures`, an array of (measure, (school, department), instant or null, a, b), from the columns of facts."""


def by_place(measure: Measure) -> Iterator[str]:
    """Aggregates over contributions (measure, who, a, b) of one place."""
    p, of = measure.prefix, f"measure = '{measure.name}'"
    match measure.shape:
        case Shape.COUNT:
            yield f"countIf({of}) AS {p}_n"
        case Shape.PEOPLE:
            yield f"countIf({of}) AS {p}_n"
            yield "uniqExactStateIf(who, who != '') AS stakeholders"
        case Shape.DURATION:
            yield f"groupArrayIf(a, {of}) AS {p}_times"
            yield f"groupArrayIf(b, {of}) AS {p}_business_times"
        case Shape.PROMISE:
            yield f"countIf({of}) AS {p}_due_n"
            yield f"sumIf(a, {of}) AS {p}_kept_n"
        case Shape.SHARE:
            yield f"countIf({of}) AS {p}_n"
            yield f"sumIf(a, {of}) AS {p}_sum"
        case Shape.RATING:
            yield f"countIf({of}) AS {p}_n"
            yield f"sumIf(a, {of}) AS {p}_sum_bp"
            yield f"sumIf(a * a, {of}) AS {p}_sum_squares_bp2"
            yield f"countIf({of} AND a >= {SATISFIED_BP}) AS {p}_satisfied_n"


def by_cell(aggregate: str) -> str:
    """The same of all places of a cell."""
    name = aggregate.rpartition(" AS ")[2]
    if name == "stakeholders":
        return "uniqExactMerge(stakeholders) AS stakeholder_n"
    return f"arraySort(groupArrayArray({name})) AS {name}" if name.endswith("_times") else f"sum({name}) AS {name}"


def shown(measure: Measure) -> Iterator[str]:
    """Its columns, as in `windows`, from those of a cell."""
    p = measure.prefix
    match measure.shape:
        case Shape.DURATION:
            yield f"length({p}_times) AS {p}_n"
            for clock in ("", "_business"):
                times = f"{p}{clock}_times"
                yield f"arraySum({times}) AS {p}_sum{clock}_ms"
                yield f"toFloat64({times}[intDiv({p}_n + 1, 2)]) AS {p}_p50{clock}_ms"
                yield f"toFloat64({times}[intDiv({p}_n * 9 + 9, 10)]) AS {p}_p90{clock}_ms"
        case Shape.PROMISE:
            yield f"{p}_due_n"
            yield f"{p}_kept_n"
            yield f"{p}_due_n - {p}_kept_n AS {p}_missed_n"
        case Shape.PEOPLE:
            yield f"{p}_n"
            yield "stakeholder_n"
        case Shape.COUNT | Shape.SHARE | Shape.RATING:
            yield from (aggregate.rpartition(" AS ")[2] for aggregate in by_place(measure))


SCOPES: Final = """[
    ('district', '', '', 1), ('school', places.school, '', places.school != ''),
    ('department', '', places.department, places.department != ''),
    ('school_department', places.school, places.department, places.school != '' AND places.department != '')
]"""
"""The cells of a place: (scope, school, department, whether it is one)."""
PLACES: Final = ",\n".join(aggregate for measure in MEASURES for aggregate in by_place(measure))
CELLS: Final = ",\n".join(by_cell(aggregate) for measure in MEASURES for aggregate in by_place(measure))
SHOWN: Final = ",\n".join(column for measure in MEASURES for column in shown(measure))


def with_measures(sql: str) -> str:
    """A query with `{contributed}`, `{places}`, `{scopes}`, `{cells}` and `{shown}` put in."""
    parts = {"contributed": CONTRIBUTED, "places": PLACES, "scopes": SCOPES, "cells": CELLS, "shown": SHOWN}
    return re.sub(r"\{(\w+)\}", lambda found: parts.get(found[1], found[0]), sql)
