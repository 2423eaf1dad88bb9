"""The cases behind any number, and what happened in one of them."""

from deploy.grafana import links, marks, variables
from deploy.grafana.board import Board
from deploy.grafana.panels import COUNT, DURATION, INSTANT, SHARE, TableColumn, listing, number, trend
from deploy.grafana.variables import DISTRICT, IN_PLACE, ZONE, narrowed, value_of

_RECEIVED = f"""
FROM cases FINAL
WHERE {IN_PLACE} AND {narrowed("status", "priority", "channel", "language", "audience")}
    AND is_deleted = 0 AND received_at IS NOT NULL AND $__timeFilter(opened_at)"""
_CASE = f"district = {DISTRICT} AND subject = {value_of('case')}"

BOARD = Board(
    uid="frontdesk-cases",
    title="Cases",
    about="For whoever has to look behind a number: the questions it is made of, and the whole history of one case.",
    variables=[
        variables.district(),
        variables.school(),
        variables.department(),
        variables.one_of("status", "Status", ("open", "answered", "resolved", "spam")),
        variables.one_of("priority", "Priority", ("routine", "urgent", "critical")),
        variables.one_of("channel", "Channel", ("web", "email", "phone", "text", "chat", "walk_in", "social", "other")),
        variables.one_of("audience", "Audience", ("family", "student", "staff", "community", "other")),
        variables.language(),
        variables.case(),
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
            "Of these, how many are not settled now.",
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
            "Stood longest without an answer",
            "The longest that one of these questions waits for its first answer right now.",
            f"SELECT max(dateDiff('millisecond', waiting_since, now64(3))) AS longest {_RECEIVED} AND answered_at IS NULL",
            DURATION,
            empty="nobody waits",
        ),
        listing(
            "Questions",
            "The newest 200. A question is one row; a case that was asked anew after two weeks has several. "
            "Click a case: its history appears below.",
            f"""
SELECT subject AS case, received_at AS received, department, school, topic, priority, channel, language, audience, status,
    response_ms AS `first answer after`, response_due_at < ifNull(answered_at, now64(3)) AS late,
    resolution_ms AS `settled after`, reopens, rating
{_RECEIVED}
ORDER BY received DESC, case
LIMIT 200""",
            [
                TableColumn("case", link=links.to_case()),
                TableColumn("received", INSTANT),
                TableColumn("first answer after", DURATION),
                TableColumn("late", "bool_yes_no"),
                TableColumn("settled after", DURATION),
                TableColumn("reopens", COUNT),
                TableColumn("rating", SHARE),
            ],
            empty="no question in this time fits what is chosen",
            width=24,
        ),
        listing(
            "History of the case",
            "Everything that is known of the case named above, in the order in which it happened, whatever the shown time. "
            "People are pseudonyms; what was written is not kept here.",
            f"""
SELECT time AS at, kind,
    multiIf(
        kind = 'contact', concat(audience, ' by ', channel, if(language = '', '', ', '), language, if(topic = '', '', ', about '), topic),
        kind = 'reply', concat(visibility, ' reply by ', if(author_kind = 'human', 'a person', 'a machine')),
        kind = 'resolution', outcome,
        concat(toString(score), ' on a scale of ', toString(worst), ' to ', toString(best))
    ) AS what,
    priority, if(kind = 'contact', stakeholder, author) AS who, department, school,
    dateDiff('millisecond', lagInFrame(toNullable(time)) OVER (ORDER BY time, kind, id), time) AS `after the one before`
FROM events FINAL
WHERE {_CASE}
ORDER BY at, kind, id""",
            [TableColumn("at", INSTANT), TableColumn("after the one before", DURATION)],
            empty="click a case, or type its number into the field Case above",
            width=24,
        ),
        listing(
            "What it comes to",
            "The promises of each question of the case: when an answer was due and came (settling is one, too), "
            "when it was to be settled and was. "
            "What was settled in time has kept its promise, also where it came back.",
            f"""
SELECT received_at AS received, status, response_due_at AS `answer due`, answered_at AS answered,
    resolution_due_at AS `to be settled by`, first_resolved_at AS `first settled`, resolved_at AS `settled for good`,
    response_business_ms AS `answered after, open hours`, resolution_business_ms AS `settled after, open hours`, reopens, rating
FROM cases FINAL
WHERE {_CASE} AND opened_at IN (SELECT time FROM events FINAL WHERE {_CASE}) AND is_deleted = 0 AND received_at IS NOT NULL
ORDER BY received""",
            [
                TableColumn("received", INSTANT),
                TableColumn("answer due", INSTANT),
                TableColumn("answered", INSTANT),
                TableColumn("to be settled by", INSTANT),
                TableColumn("first settled", INSTANT),
                TableColumn("settled for good", INSTANT),
                TableColumn("answered after, open hours", DURATION),
                TableColumn("settled after, open hours", DURATION),
                TableColumn("reopens", COUNT),
                TableColumn("rating", SHARE),
            ],
            empty="click a case, or type its number into the field Case above",
            width=24,
            height=5,
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
