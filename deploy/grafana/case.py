"""One case: what happened in it, and what became of its promises."""

from deploy.grafana import variables
from deploy.grafana.board import Board
from deploy.grafana.columns import columns
from deploy.grafana.panels import listing
from deploy.grafana.variables import DISTRICT, named, value_of

_CASE = f"district = {DISTRICT} AND subject = {value_of('case')}"
_UNKNOWN = "no case has the number above: click one in a list, or type its number"
_WHOLE = "from its first event on"

BOARD = Board(
    uid="frontdesk-case",
    title="One case",
    about="For whoever answers or judges one case: its whole history, whatever the shown time. Lists of cases link here.",
    variables=[variables.district(), variables.case()],
    panels=[
        listing(
            "History of the case",
            "Everything that is known of the case named above, in the order in which it happened. "
            "People are pseudonyms; what was written is not kept here.",
            f"""
SELECT time AS at, dateDiff('millisecond', lagInFrame(toNullable(time)) OVER (ORDER BY time, kind, id), time) AS `after the last`, kind,
    multiIf(
        kind = 'contact', concat(audience, ' by ', channel, if(language = '', '', ', '), language, if(topic = '', '', ', about '), topic),
        kind = 'reply', concat(visibility, ' reply by ', if(author_kind = 'human', 'a person', 'a machine')),
        kind = 'resolution', outcome,
        concat(toString(round((score - worst) / (best - worst) * 10, 1)), ' of 10')
    ) AS what,
    priority, if(kind = 'contact', stakeholder, author) AS who, {named("department", "school")}
FROM events FINAL
WHERE {_CASE}
ORDER BY at, kind, id""",
            columns("at", "after the last", "kind", "what", "priority", "who", "department_name", "school_name"),
            empty=_UNKNOWN,
            width=24,
            height=14,
            period=_WHOLE,
        ),
        listing(
            "What it comes to",
            "Of each question of the case: when an answer and its settling were due and came. Whatever settles a question answers it, too. "
            "What was settled in time has kept its promise, also where it came back and was settled for good later.",
            f"""
SELECT received_at AS received, each.1 AS promise, each.2 AS due, each.3 AS came, each.4 AS `took (open hours)`,
    multiIf(due IS NULL, '', came <= due, 'kept', came IS NOT NULL OR due < now64(3), 'missed', 'in time') AS stands,
    status, reopens, rating * 10 AS `rating, of 10`
FROM cases FINAL
ARRAY JOIN [
    ('first answer', response_due_at, answered_at, response_business_ms),
    ('settled', resolution_due_at, first_resolved_at, first_resolution_business_ms),
    ('settled for good', NULL, resolved_at, resolution_business_ms)
] AS each
WHERE {_CASE} AND opened_at IN (SELECT time FROM events FINAL WHERE {_CASE}) AND is_deleted = 0 AND received_at IS NOT NULL
ORDER BY received, indexOf(['first answer', 'settled', 'settled for good'], promise)""",
            columns("received", "promise", "due", "came", "took (open hours)", "stands", "status", "reopens", "rating, of 10"),
            empty=_UNKNOWN,
            width=24,
            height=8,
            period=_WHOLE,
        ),
    ],
)
