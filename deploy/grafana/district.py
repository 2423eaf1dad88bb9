"""District now: a superintendent's ten seconds, and the way down to schools and departments."""

from deploy.grafana import indicators, links, marks, variables
from deploy.grafana.board import Board
from deploy.grafana.panels import COUNT, DURATION, INSTANT, POINTS, SHARE, TableColumn, listing, trend
from deploy.grafana.variables import DISTRICT, IS_BUSINESS, OPEN_CASES, WINDOW, ZONE

COLUMNS = (
    TableColumn("people", COUNT),
    TableColumn("wait", DURATION),
    TableColumn("answered in time", SHARE),
    TableColumn("score", POINTS),
    TableColumn("waiting now", COUNT),
)


def _cells(scope: str) -> str:
    return f"""
SELECT i.{scope} AS {scope}, any(i.{scope}_name) AS name, any(stakeholders) AS people,
    any(if({IS_BUSINESS}, response_p50_business_ms, response_p50_ms)) AS wait,
    any(response_compliance) AS `answered in time`, any(i.score) AS score,
    countIf(o.waiting_since IS NOT NULL) AS `waiting now`
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
        listing(
            "Schools",
            "The same numbers by school: typical wait for a first answer, share answered in time, score (empty under 10 ratings), "
            "and how many wait for an answer right now. Click a name to look closer.",
            _cells("school"),
            [TableColumn("school", is_hidden=True), TableColumn("name", link=links.to_cell(school=links.field("school"))), *COLUMNS],
            empty="no contact named a school",
        ),
        listing(
            "Departments",
            "The same numbers by department. Click a name to look closer.",
            _cells("department"),
            [
                TableColumn("department", is_hidden=True),
                TableColumn("name", link=links.to_cell(department=links.field("department"))),
                *COLUMNS,
            ],
            empty="no contact named a department",
        ),
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
        ),
        listing(
            "Who has waited longest",
            "Questions with a message that nobody has answered yet, the oldest first. Click a case to read its history.",
            f"""
SELECT subject AS case, department, school, priority, channel, waiting_ms AS waited, response_due_at AS `answer due`
FROM {OPEN_CASES}
WHERE waiting_since IS NOT NULL
ORDER BY waiting_since, case
LIMIT 20""",
            [TableColumn("case", link=links.to_case()), TableColumn("waited", DURATION), TableColumn("answer due", INSTANT)],
            empty="nobody waits",
        ),
    ],
)
