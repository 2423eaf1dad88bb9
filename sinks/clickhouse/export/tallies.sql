-- What each cell of a district counted in each part of a period, from `cases`: the measures of the windows (docs/schema.md, "How things
-- are counted") at the minutes first..last, in parts ({part}) that begin on a day of the district's calendar. Percentiles are exact
-- nearest ranks. A part without anything has no row; within a part the district comes first.
WITH
    measured AS
    (
        SELECT * FROM cases FINAL
        WHERE district = %(district)s AND is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam'
            AND opened_at < fromUnixTimestamp64Milli((%(last)s + 1) * 60000)
    ),
    facts AS
    (
        WITH
            {contributed}
        SELECT
            m.2 AS place, m.1 AS measure, '' AS who,
            intDiv(toUnixTimestamp64Milli(assumeNotNull(m.3)), 60000) AS minute, ifNull(m.4, 0) AS a, ifNull(m.5, 0) AS b
        FROM measured
        ARRAY JOIN arrayFilter(x -> x.3 IS NOT NULL, measures) AS m
        WHERE minute BETWEEN %(first)s AND %(last)s
    ),
    -- Most questions are one message, which their row has; those of the others are in the archive.
    talkative AS (SELECT DISTINCT subject FROM measured WHERE contacts > 1),
    archived AS
    (
        SELECT subject, kind, time, stakeholder
        FROM events FINAL
        WHERE district = %(district)s AND subject IN talkative
        ORDER BY
            subject, source, id, time, indexOf(%(kinds)s, kind), school, department, stakeholder, audience,
            channel, language, topic, priority, needs_reply, author, author_kind, visibility, outcome, score, worst, best
        LIMIT 1 BY subject, source, id
    ),
    messages AS
    (
        SELECT school, department, stakeholder, received_at AS time FROM measured WHERE contacts = 1
        UNION ALL
        SELECT c.school, c.department, e.stakeholder, e.time
        FROM (SELECT subject, time, stakeholder FROM archived WHERE kind = 'contact') AS e
        ASOF INNER JOIN
        (
            SELECT subject, opened_at, school, department, contacts, status FROM cases FINAL
            WHERE district = %(district)s AND is_deleted = 0 AND received_at IS NOT NULL AND subject IN talkative
        ) AS c ON c.subject = e.subject AND e.time >= c.opened_at
        WHERE c.contacts > 1 AND c.status != 'spam'
    ),
    contributions AS
    (
        SELECT * FROM facts
        UNION ALL
        SELECT (school, department), 'message', stakeholder, intDiv(toUnixTimestamp64Milli(assumeNotNull(time)), 60000) AS minute, 0, 0
        FROM messages
        WHERE minute BETWEEN %(first)s AND %(last)s
    ),
    places AS
    (
        WITH fromUnixTimestamp(minute * 60) AS at
        SELECT
            {part} AS part, place.1 AS school, place.2 AS department,
            {places}
        FROM contributions
        GROUP BY part, school, department
    ),
    cells AS
    (
        SELECT
            part, cell.1 AS scope, cell.2 AS school, cell.3 AS department,
            {cells}
        FROM places
        ARRAY JOIN arrayFilter(x -> x.4, {scopes}) AS cell
        GROUP BY part, scope, school, department
    )
SELECT
    part, scope, school, department, {shown}
FROM cells
ORDER BY part, scope != 'district', scope, school, department
