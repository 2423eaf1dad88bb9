"""Equity: whether it matters in which language, by which way or as who somebody asks."""

from dataclasses import replace

from deploy.grafana import links, marks, variables
from deploy.grafana.board import Board
from deploy.grafana.columns import columns, known
from deploy.grafana.panels import SHARE, TableColumn, listing, number, words
from deploy.grafana.variables import IN_PLACE, IS_BUSINESS, told

FEWEST = 10
"""Distinct people under whom a group has no numbers."""

_ASKED = f"""
FROM cases FINAL
WHERE {IN_PLACE} AND is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam' AND $__timeFilter(opened_at)"""
_DUE = "countIf(response_due_at < now64(3))"
_KEPT = "countIf(ifNull(answered_at <= response_due_at AND response_due_at < now64(3), 0))"


def _by(column: str) -> str:
    """Nothing of a small group leaves the query but its name and that it is small."""
    return f"""
SELECT {told(column)} AS `group`, if(few, NULL, persons) AS people,
    if(few, NULL, asked) AS questions, if(few, NULL, half) AS `half answered under`,
    if(few, NULL, kept / nullIf(due, 0)) AS `answered in time`, if(few, NULL, ended / asked) AS settled,
    if(few OR rated < {FEWEST}, NULL, mean * 10) AS `rating, of 10`
FROM
(
    SELECT {column}, uniqExactIf(stakeholder, stakeholder != '') AS persons, persons < {FEWEST} AS few, count() AS asked,
        quantileExactOrNull(0.5)(if({IS_BUSINESS}, response_business_ms, response_ms)) AS half, {_KEPT} AS kept, {_DUE} AS due,
        countIf(resolved_at IS NOT NULL) AS ended, count(rating) AS rated, avg(rating) AS mean
    {_ASKED}
    GROUP BY {column}
)
ORDER BY few, if(few, 0, persons) DESC, `group`"""


def _gap(column: str) -> str:
    return f"""
SELECT max(share) - min(share) AS gap
FROM (
    SELECT {_KEPT} / nullIf({_DUE}, 0) AS share
    {_ASKED} AND {column} != ''
    GROUP BY {column}
    HAVING uniqExactIf(stakeholder, stakeholder != '') >= {FEWEST}
)
HAVING count(share) > 1"""


def _columns(name: str) -> list[TableColumn]:
    return [
        known("group", links.to_cases_here(**{name: "group"})),
        replace(known("people"), empty=f"fewer than {FEWEST}", characters=13),
        *columns("questions", "half answered under", "answered in time", "settled", "rating, of 10"),
    ]


_PARTS = (
    ("language", "language", "The language that a person writes or speaks, as the system that took the question tells it."),
    ("channel", "way of asking", "Web, phone, at the counter: the way on which the question came."),
    ("audience", "who asks", "Families, students, staff, neighbours."),
)

BOARD = Board(
    uid="frontdesk-equity",
    title="Equity",
    about="For superintendents and boards: who is answered later or worse than others, by language, way of asking and audience.",
    variables=[variables.district(), variables.school(), variables.department(), variables.clock()],
    marks=[marks.closed_days()],
    panels=[
        words(
            f"Questions received in the shown time. A group of fewer than {FEWEST} different people has no numbers, only "
            f"*fewer than {FEWEST}*: few answers say nothing, and people could be recognised. Ratings need {FEWEST} ratings, too. "
            "A share counts answers whose deadline has passed."
        ),
        *(
            number(
                f"Gap by {name}",
                "Between the group that is answered in time most often and the one least often, as a part of all answers. "
                f"0 is even. Groups under {FEWEST} people are left out.",
                _gap(column),
                SHARE,
                empty=f"fewer than two groups of {FEWEST} people",
                width=8,
            )
            for column, name, _ in _PARTS
        ),
        *(
            listing(f"By {name}", f"{meaning} Click a group to see its cases.", _by(column), _columns(column), width=24)
            for column, name, meaning in _PARTS
        ),
    ],
)
