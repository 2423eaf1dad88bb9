"""District now: a superintendent's ten seconds, and the way down to schools and departments."""

from grafana_foundation_sdk.builders import table

from deploy.grafana import indicators, links, marks, variables
from deploy.grafana.board import Board
from deploy.grafana.columns import columns, known
from deploy.grafana.panels import COUNT, listing, trend
from deploy.grafana.variables import DISTRICT, IS_BUSINESS, OPEN_CASES, WINDOW, ZONE, named


def _by(scope: str, title: str, meaning: str) -> table.Panel:
    name = known("name", links.to_cell(**{scope: scope}))
    shown = [known(scope), name, *columns("people", "waiting now", "wait", "answered in time", "score")]
    return listing(title, f"{meaning} Click a name to look closer.", _cells(scope), shown, empty=f"no contact named a {scope}")


def _cells(scope: str) -> str:
    return f"""
SELECT i.{scope} AS {scope}, any(i.{scope}_name) AS name, any(stakeholders) AS people,
    countIf(o.waiting_since IS NOT NULL) AS `waiting now`, any(if({IS_BUSINESS}, response_p50_business_ms, response_p50_ms)) AS wait,
    any(response_compliance) AS `answered in time`, any(i.score) AS score
FROM (SELECT * FROM indicators WHERE district = {DISTRICT} AND scope = '{scope}' AND window = {WINDOW}) AS i
LEFT JOIN (SELECT {scope}, waiting_since FROM {OPEN_CASES}) AS o ON o.{scope} = i.{scope}
GROUP BY {scope}
ORDER BY people DESC, {scope}"""


BOARD = Board(
    uid="frontdesk-district",
    title="District now",
    about="For superintendents: how many people contacted the district, how long they waited, how well they were served.",
    variables=[variables.district(), variables.window(), variables.clock()],
    marks=[marks.breaches(by_place=False), marks.closed_days()],
    panels=[
        *indicators.of_district(),
        _by(
            "school",
            "Schools",
            "The same numbers by school: how many wait for an answer right now, typical wait for a first answer, share answered in time, "
            "score (empty under 10 ratings).",
        ),
        _by("department", "Departments", "The same numbers by department."),
        trend(
            "Questions received each day",
            "Questions by the day of the district's own calendar on which they came; gray: the district was closed. "
            "The last bar is today and still grows.",
            f"""
SELECT toStartOfDay(received_at, {ZONE}) AS time, count() AS questions
FROM cases FINAL
WHERE district = {DISTRICT} AND is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam' AND $__timeFilter(opened_at)
GROUP BY time
ORDER BY time""",
            COUNT,
            bars=True,
            width=10,
        ),
        listing(
            "Who has waited longest",
            "Questions with a message that nobody has answered yet, the oldest first. Click a case to read its history.",
            f"""
SELECT subject AS case, waiting_ms AS waited, response_due_at AS `answer due`, priority, {named("department", "school")}
FROM {OPEN_CASES}
WHERE waiting_since IS NOT NULL
ORDER BY waiting_since, case
LIMIT 20""",
            columns("case", "waited", "answer due", "priority", "department_name", "school_name"),
            empty="nobody waits",
            width=14,
        ),
    ],
)
