"""Response promises: kept or broken, by whom, since when, and how fast the year's patience is used up."""

from grafana_foundation_sdk.builders import table, timeseries

from deploy.grafana import indicators, links, marks, variables
from deploy.grafana.board import Board
from deploy.grafana.columns import columns, known
from deploy.grafana.panels import COUNT, groups, listing, number, steps, trend
from deploy.grafana.variables import CAME_BEFORE, CELL, IN_PLACE, OPEN_CASES, ZONE, named, told

_CASES = links.to_cases(school="school_id", department="department_id")
_WHERE = (
    *columns("missed", "still open", "half later than", "department_id", "school_id"),
    *(known(name, _CASES) for name in ("department_name", "school_name")),
)
PAGE, TICKET = 4, 1.67
"""Burn rates at which people are called (docs/alerting.md)."""


_HERE = f"FROM indicators WHERE {CELL} AND window = {variables.WINDOW}"
_BROKEN = f"{IN_PLACE} AND response_promise = 'missed' AND answered_at IS NULL"


def _by_day(target: str, answered: str, title: str, meaning: str) -> timeseries.Panel:
    sql = f"""
SELECT toStartOfDay({target}_due_at, {ZONE}) AS time, countIf(ifNull({answered} <= {target}_due_at, 0)) AS kept, count() - kept AS missed
FROM cases FINAL
WHERE {IN_PLACE} AND is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam'
    AND {CAME_BEFORE} AND $__timeFilter({target}_due_at) AND {target}_due_at < now64(3)
GROUP BY time
ORDER BY time"""
    return trend(title, meaning, sql, COUNT, bars=True, stacked=[("kept", "green"), ("missed", "red")], width=8)


def _where(target: str, title: str, meaning: str) -> table.Panel:
    sql = f"""
SELECT count() AS missed, countIf(is_open) AS `still open`, quantileExact(0.5)(late_ms) AS `half later than`,
    {told("department")} AS department_id, {told("school")} AS school_id, {named("department", "school")}
FROM breaches
WHERE {IN_PLACE} AND target = '{target}' AND stage = 'breach' AND {CAME_BEFORE} AND $__timeFilter(reached_at)
GROUP BY department, school
ORDER BY missed DESC, department, school
LIMIT 50"""
    return listing(title, meaning, sql, _WHERE, empty="nothing was missed")


BOARD = Board(
    uid="frontdesk-promises",
    title="Response promises",
    about="For heads of departments and those on call: what was promised, what was kept, and what is broken right now.",
    variables=[variables.district(), variables.school(), variables.department(), variables.window()],
    marks=[marks.breaches(by_place=True), marks.closed_days()],
    panels=[
        *indicators.shares_in_time(_HERE, width=6),
        number(
            "Broken and still unanswered",
            "People whose time is over and who have no answer. Each is a row of the list below.",
            f"SELECT count() AS people FROM {OPEN_CASES} WHERE {_BROKEN}",
            COUNT,
            thresholds=steps(("green", 0), ("red", 1)),
        ),
        number(
            "About to break",
            "People who have no answer and four fifths of whose time are over: answer these and nothing is broken.",
            f"SELECT count() AS people FROM {OPEN_CASES} WHERE {IN_PLACE} AND response_promise = 'due soon'",
            COUNT,
            thresholds=steps(("green", 0), ("orange", 1)),
        ),
        groups(
            "How fast patience is used up",
            f"The burn rate: the share of answers missed by the share that may be, by the directory. At 1 all of it is used, "
            f"no more. Alerts judge by open hours: a page from {PAGE}, a ticket from {TICKET} (docs/alerting.md).",
            f"""
SELECT window AS over, (1 - response_compliance) / (1 - promised_share) AS `burn rate`
FROM indicators
WHERE {CELL}
ORDER BY indexOf(['1h', '24h', '7d', '28d'], over)""",
            known("burn rate"),
            empty="none fell due",
            thresholds=steps(("green", 0), ("orange", TICKET), ("red", PAGE)),
            period="each window",
        ),
        _by_day(
            "response",
            "answered_at",
            "Answers by the day they were due",
            "Kept and missed. Each answer counts on the day of its deadline, whenever it came; gray: closed. Today's bar still grows.",
        ),
        _by_day(
            "resolution",
            "first_resolved_at",
            "Settling by the day it was due",
            "The same for settling: first settled before the deadline, or not.",
        ),
        listing(
            "Broken promises that wait",
            "Answers that are overdue and have not come, those that are latest first. Click a case to read its history.",
            f"""
SELECT subject AS case, dateDiff('millisecond', due, now64(3)) AS `late by`, response_due_at AS due, priority,
    {named("department", "school")}, channel, language
FROM {OPEN_CASES}
WHERE {_BROKEN}
ORDER BY `late by` DESC, case
LIMIT 100""",
            columns("case", "late by", "due", "priority", "department_name", "school_name", "channel", "language"),
            empty="no promise is broken right now",
            width=24,
        ),
        _where(
            "response",
            "Where answers are missed",
            "Answers that were missed, by department and school, most first, and by how much half of them were late. Click for the cases.",
        ),
        _where("resolution", "Where settling is missed", "The same for questions that were not settled in time."),
    ],
)
