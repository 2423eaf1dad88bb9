"""The cases behind any number."""

from deploy.grafana import marks, variables
from deploy.grafana.board import Board
from deploy.grafana.columns import columns
from deploy.grafana.panels import COUNT, DURATION, SHARE, listing, number, trend
from deploy.grafana.variables import IN_PLACE, NOT_TOLD, ZONE, named, narrowed

_RECEIVED = f"""
FROM cases FINAL
WHERE {IN_PLACE} AND {narrowed("status", "priority", "channel", "language", "audience")}
    AND is_deleted = 0 AND received_at IS NOT NULL AND $__timeFilter(opened_at)"""

BOARD = Board(
    uid="frontdesk-cases",
    title="Cases",
    about="For whoever has to look behind a number: the questions it is made of.",
    variables=[
        variables.district(),
        variables.school(),
        variables.department(),
        variables.one_of("status", "Status", ("open", "answered", "resolved", "spam")),
        variables.one_of("priority", "Priority", ("routine", "urgent", "critical")),
        variables.one_of("channel", "Channel", ("web", "email", "phone", "text", "chat", "walk_in", "social", "other", NOT_TOLD)),
        variables.one_of("audience", "Audience", ("family", "student", "staff", "community", "other", NOT_TOLD)),
        variables.language(),
    ],
    marks=[marks.breaches(by_place=True), marks.closed_days()],
    panels=[
        number(
            "Questions received",
            "Questions that came in the shown time and fit what is chosen above, spam included.",
            f"SELECT count() AS questions {_RECEIVED}",
            COUNT,
        ),
        number(
            "Still open",
            "Of the questions that came in the shown time, how many are not settled now.",
            f"SELECT countIf(resolved_at IS NULL) AS open {_RECEIVED}",
            COUNT,
        ),
        number(
            "Came back",
            "Of those that were settled, the share that had been thought settled before and was asked again.",
            f"SELECT countIf(reopens > 0) / nullIf(count(), 0) AS `came back` {_RECEIVED} AND resolved_at IS NOT NULL",
            SHARE,
            empty="nothing settled",
        ),
        number(
            "Longest wait",
            "The longest that one of these questions waits for its first answer right now.",
            f"SELECT max(dateDiff('millisecond', waiting_since, now64(3))) AS longest {_RECEIVED} AND answered_at IS NULL",
            DURATION,
            empty="nobody waits",
        ),
        listing(
            "Questions",
            "The newest 200. A question is one row; a case that was asked anew after two weeks has several. "
            "Click a case to read its history.",
            f"""
SELECT subject AS case, received_at AS received, response_ms AS `answered after`, response_due_at < ifNull(answered_at, now64(3)) AS late,
    resolution_ms AS `settled after`, rating * 10 AS `rating, of 10`, status, priority, {named("department", "school")},
    topic, channel
{_RECEIVED}
ORDER BY received DESC, case
LIMIT 200""",
            columns(
                *("case", "received", "answered after", "late", "settled after", "rating, of 10", "status", "priority"),
                *("department_name", "school_name", "topic", "channel"),
            ),
            empty="no question in this time fits what is chosen",
            width=24,
            height=14,
        ),
        trend(
            "When they came",
            "The same questions by the day of the district's own calendar.",
            f"SELECT toStartOfDay(received_at, {ZONE}) AS time, count() AS questions {_RECEIVED} GROUP BY time ORDER BY time",
            COUNT,
            bars=True,
            width=24,
        ),
    ],
)
