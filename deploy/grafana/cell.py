"""One school, one department, or a department at a school: what a principal or a department head has to know. Alerts link here."""

from deploy.grafana import indicators, links, marks, variables
from deploy.grafana.board import Board
from deploy.grafana.columns import columns, known
from deploy.grafana.panels import SHARE, groups, listing, trend
from deploy.grafana.variables import CAME_BEFORE, CELL, DISTRICT, IN_PLACE, OPEN_CASES, ZONE, named

_HISTORY = f"FROM windows_history FINAL WHERE {CELL} AND window = '7d'"

BOARD = Board(
    uid="frontdesk-cell",
    title="School or department",
    about="For principals and heads of departments: our three numbers, what waits for us, and what people ask about.",
    variables=[variables.district(), variables.school(), variables.department(), variables.window(), variables.clock()],
    marks=[marks.breaches(by_place=True), marks.closed_days()],
    panels=[
        *indicators.of_cell(),
        listing(
            "Answer these next",
            "Questions with a message that nobody has answered, the one that is due soonest first. Click a case to read its history.",
            f"""
SELECT subject AS case, waiting_ms AS waited, if(answered_at IS NULL, response_due_at, NULL) AS due,
    if(answered_at IS NULL, response_promise, 'follow-up') AS promise, priority, topic, {named("department", "school")}, channel, language
FROM {OPEN_CASES}
WHERE {IN_PLACE} AND waiting_since IS NOT NULL
ORDER BY due IS NULL, due, waiting_since, case
LIMIT 50""",
            columns("case", "waited", "due", "promise", "priority", "topic", "department_name", "school_name", "channel", "language"),
            empty="nobody waits",
            width=24,
        ),
        trend(
            "Answered in time, over the seven days before",
            "The share of answers in time over the seven days before each moment, as the tables had it then; before they had one, each "
            "midnight as the cases tell it now. Gray: closed. It moves slowly: one bad day shows for a week.",
            f"""
SELECT time, share AS `answered in time`
FROM
(
    SELECT toTimeZone($__timeInterval(slot), 'UTC') AS time, argMax(response_kept_n / nullIf(response_due_n, 0), slot) AS share
    {_HISTORY} AND $__timeFilter(slot)
    GROUP BY time
    UNION ALL
    SELECT toTimeZone(addDays(day, arrayJoin(range(1, 8))), 'UTC') AS time, sum(kept) / sum(due) AS share
    FROM
    (
        SELECT toStartOfDay(response_due_at, {ZONE}) AS day, countIf(ifNull(answered_at <= response_due_at, 0)) AS kept, count() AS due
        FROM cases FINAL
        WHERE {IN_PLACE} AND is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam' AND {CAME_BEFORE}
            AND response_due_at < now64(3)
        GROUP BY day
    )
    GROUP BY time
    HAVING $__timeFilter(time) AND time < (SELECT ifNull(minOrNull(slot), now()) {_HISTORY})
)
ORDER BY time""",
            SHARE,
            step="1h",
            empty="nothing fell due",
        ),
        groups(
            "What the score is made of",
            "Points that satisfaction, answers in time and settling for good contribute to the score of four weeks, of 50, 25 and 25 "
            "unless the directory weighs otherwise. Shown even where there are too few ratings for a score.",
            f"""
SELECT part, points
FROM
(
    SELECT arrayJoin([
        ('satisfaction', satisfaction_points), ('answers in time', response_points), ('settled for good', quality_points)
    ]) AS each, each.1 AS part, each.2 AS points
    FROM scores
    WHERE {CELL}
)""",
            known("points"),
            empty="no number of four weeks yet",
            width=6,
            period="last 28 days",
        ),
        groups(
            "What people ask about",
            "Topics of the questions received in the shown time, the ten most frequent. Those without a topic are left out.",
            f"""
SELECT toString(topic) AS about, count() AS questions
FROM cases FINAL
WHERE {IN_PLACE} AND is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam' AND topic != '' AND $__timeFilter(opened_at)
GROUP BY about
ORDER BY questions DESC, about
LIMIT 10""",
            known("questions"),
            empty="no question named a topic",
            width=6,
        ),
        listing(
            "Departments here",
            "For a school: its departments. For a department: the schools it works for. For the district: all departments. "
            "Over the chosen window; click to look closer.",
            f"""
SELECT if(school = '', 'All', school) AS school_id, if(department = '', 'All', department) AS department_id,
    concat(school_name, if(school = '' OR department = '', '', ', '), department_name) AS name,
    stakeholders AS people, response_p50_business_ms AS `half answered under (open hours)`, response_compliance AS `answered in time`, score
FROM indicators
WHERE district = {DISTRICT} AND window = {variables.WINDOW} AND scope IN ('school_department', 'department')
    AND $__conditionalAll(school = {variables.value_of("school")}, $school)
    AND $__conditionalAll(department = {variables.value_of("department")}, $department)
    AND scope = if({variables.chosen("school")} = '' AND {variables.chosen("department")} = '', 'department', 'school_department')
ORDER BY people DESC, name""",
            [
                *columns("school_id", "department_id"),
                known("name", links.to_cell(school="school_id", department="department_id")),
                *columns("people", "half answered under (open hours)", "answered in time", "score"),
            ],
            empty="no contact named both a school and a department",
            width=24,
        ),
    ],
)
