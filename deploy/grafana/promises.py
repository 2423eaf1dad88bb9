"""Response promises: kept or broken, by whom, since when, and how fast the year's patience is used up."""

from deploy.grafana import links, marks, variables
from deploy.grafana.board import Board
from deploy.grafana.panels import COUNT, DURATION, INSTANT, SHARE, TableColumn, groups, listing, number, promised, steps, trend
from deploy.grafana.variables import CAME_BEFORE, CELL, IN_PLACE, OPEN_CASES, ZONE

PAGE, TICKET = 4, 1.67
"""Burn rates at which people are called (docs/alerting.md)."""


_HERE = f"FROM indicators WHERE {CELL} AND window = {variables.WINDOW}"
_BROKEN = f"{IN_PLACE} AND response_promise = 'missed' AND answered_at IS NULL"


def _by_day(target: str, answered: str) -> str:
    return f"""
SELECT toStartOfDay({target}_due_at, {ZONE}) AS time, countIf(ifNull({answered} <= {target}_due_at, 0)) AS kept, count() - kept AS missed
FROM cases FINAL
WHERE {IN_PLACE} AND is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam'
    AND {CAME_BEFORE} AND $__timeFilter({target}_due_at) AND {target}_due_at < now64(3)
GROUP BY time
ORDER BY time"""


BOARD = Board(
    uid="frontdesk-promises",
    title="Response promises",
    about="For heads of departments and those on call: what was promised, what was kept, and what is broken right now.",
    variables=[variables.district(), variables.school(), variables.department(), variables.window()],
    marks=[marks.breaches(by_place=True), marks.closed_days()],
    panels=[
        promised(
            number(
                "Answered in time",
                "Of the answers that fell due in the window, the share that came before their deadline. Green: what was promised.",
                f"SELECT response_compliance AS `answered in time` {_HERE}",
                SHARE,
                empty="none fell due",
            ),
            _HERE,
        ),
        promised(
            number(
                "Settled in time",
                "Of the questions that were to be settled in the window, the share that was. Green: what was promised.",
                f"SELECT resolution_compliance AS `settled in time` {_HERE}",
                SHARE,
                empty="none fell due",
            ),
            _HERE,
        ),
        number(
            "Broken and still unanswered",
            "People whose time is over and who have no answer, right now. Each is a row of the list below.",
            f"SELECT count() AS people FROM {OPEN_CASES} WHERE {_BROKEN}",
            COUNT,
            thresholds=steps(("green", None), ("orange", 1)),
        ),
        number(
            "About to break",
            "People who have no answer and four fifths of whose time are over: answer these and nothing is broken.",
            f"SELECT count() AS people FROM {OPEN_CASES} WHERE {IN_PLACE} AND response_promise = 'due soon'",
            COUNT,
            thresholds=steps(("green", None), ("orange", 1)),
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
            [TableColumn("burn rate", "none", decimals=1)],
            empty="none fell due",
            width=8,
            thresholds=steps(("green", None), ("orange", TICKET), ("red", PAGE)),
        ),
        trend(
            "Answers kept and missed, by the day on which they were due",
            "Each answer counts on the day of its deadline, whenever it came; gray: closed. Today's bar still grows.",
            _by_day("response", "answered_at"),
            COUNT,
            bars=True,
            width=8,
        ),
        trend(
            "Questions settled in time and not, by the day on which they were due",
            "The same for settling: first settled before the deadline, or not.",
            _by_day("resolution", "first_resolved_at"),
            COUNT,
            bars=True,
            width=8,
        ),
        listing(
            "Broken promises that wait",
            "Answers that are overdue and have not come, those that are latest first. Click a case to read its history.",
            f"""
SELECT subject AS case, priority, department, school, channel, language, response_due_at AS due,
    dateDiff('millisecond', due, now64(3)) AS late
FROM {OPEN_CASES}
WHERE {_BROKEN}
ORDER BY late DESC, case
LIMIT 100""",
            [TableColumn("case", link=links.to_case()), TableColumn("due", INSTANT), TableColumn("late", DURATION)],
            empty="no promise is broken right now",
            width=14,
        ),
        listing(
            "Where answers are missed",
            "Answers that were missed in the shown time, by department and school, most first, and by how much half of them were late.",
            f"""
SELECT department, school, count() AS missed, countIf(is_open) AS `still open`, quantileExact(0.5)(late_ms) AS `half later than`
FROM breaches
WHERE {IN_PLACE} AND target = 'response' AND stage = 'breach' AND {CAME_BEFORE} AND $__timeFilter(reached_at)
GROUP BY department, school
ORDER BY missed DESC, department, school
LIMIT 50""",
            [
                TableColumn("department", link=links.to_cases(links.field("school"), links.field("department"))),
                TableColumn("missed", COUNT),
                TableColumn("still open", COUNT),
                TableColumn("half later than", DURATION),
            ],
            empty="nothing was missed",
            width=10,
        ),
    ],
    runbooks=["ResponsesMissedFast", "ResponsesMissedSlowly", "CriticalContactMissed"],
)
