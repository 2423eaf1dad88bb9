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
            (school, department) AS asked,
            (responded_school, responded_department) AS responder,
            (resolved_school, resolved_department) AS resolver,
            [
                ('contact', asked, received_at, 0, 0),
                ('response', responder, first_response_at, response_ms, response_business_ms),
                ('resolution', resolver, resolved_at, resolution_ms, resolution_business_ms),
                ('reopened', resolver, reopens > 0 ? resolved_at : NULL, 0, 0),
                ('response_due', asked, response_due_at + INTERVAL 1 MINUTE, ifNull(answered_at <= response_due_at, 0), 0),
                ('resolution_due', asked, resolution_due_at + INTERVAL 1 MINUTE, ifNull(first_resolved_at <= resolution_due_at, 0), 0),
                ('quality', resolver, resolution_due_at IS NULL ? NULL : resolved_at, ifNull(resolved_at <= resolution_due_at, 0) AND reopens = 0, 0),
                ('rating', resolved_at IS NULL ? asked : resolver, rated_at, toInt64(floor(rating * 10000 + 0.5)), 0)
            ] AS measures
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
            subject, source, id, time, indexOf(['contact', 'reply', 'resolution', 'rating'], kind), school, department, stakeholder, audience,
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
            countIf(measure = 'contact') AS contact_n,
            countIf(measure = 'message') AS message_n,
            uniqExactStateIf(who, who != '') AS stakeholders,
            groupArrayIf(a, measure = 'response') AS responses,
            groupArrayIf(b, measure = 'response') AS business_responses,
            countIf(measure = 'response_due') AS response_due_n,
            sumIf(a, measure = 'response_due') AS response_kept_n,
            groupArrayIf(a, measure = 'resolution') AS resolutions,
            groupArrayIf(b, measure = 'resolution') AS business_resolutions,
            countIf(measure = 'reopened') AS resolution_reopened_n,
            countIf(measure = 'resolution_due') AS resolution_due_n,
            sumIf(a, measure = 'resolution_due') AS resolution_kept_n,
            countIf(measure = 'quality') AS quality_n,
            sumIf(a, measure = 'quality') AS quality_sum,
            countIf(measure = 'rating') AS rating_n,
            sumIf(a, measure = 'rating') AS rating_sum_bp,
            sumIf(a * a, measure = 'rating') AS rating_sum_squares_bp2,
            countIf(measure = 'rating' AND a >= 7500) AS rating_satisfied_n
        FROM contributions
        GROUP BY part, school, department
    ),
    cells AS
    (
        SELECT
            part, cell.1 AS scope, cell.2 AS school, cell.3 AS department,
            sum(contact_n) AS contact_n, sum(message_n) AS message_n, uniqExactMerge(stakeholders) AS stakeholder_n,
            arraySort(groupArrayArray(responses)) AS responses, arraySort(groupArrayArray(business_responses)) AS business_responses,
            sum(response_due_n) AS response_due_n, sum(response_kept_n) AS response_kept_n,
            arraySort(groupArrayArray(resolutions)) AS resolutions, arraySort(groupArrayArray(business_resolutions)) AS business_resolutions,
            sum(resolution_reopened_n) AS resolution_reopened_n, sum(resolution_due_n) AS resolution_due_n,
            sum(resolution_kept_n) AS resolution_kept_n, sum(quality_n) AS quality_n, sum(quality_sum) AS quality_sum,
            sum(rating_n) AS rating_n, sum(rating_sum_bp) AS rating_sum_bp, sum(rating_sum_squares_bp2) AS rating_sum_squares_bp2,
            sum(rating_satisfied_n) AS rating_satisfied_n
        FROM places
        ARRAY JOIN arrayFilter(x -> x.4, [
            ('district', '', '', 1), ('school', places.school, '', places.school != ''), ('department', '', places.department, places.department != ''),
            ('school_department', places.school, places.department, places.school != '' AND places.department != '')
        ]) AS cell
        GROUP BY part, scope, school, department
    )
SELECT
    part, scope, school, department, contact_n, message_n, stakeholder_n,
    length(responses) AS response_n,
    arraySum(responses) AS response_sum_ms,
    responses[intDiv(response_n + 1, 2)] AS response_p50_ms,
    responses[intDiv(response_n * 9 + 9, 10)] AS response_p90_ms,
    arraySum(business_responses) AS response_sum_business_ms,
    business_responses[intDiv(response_n + 1, 2)] AS response_p50_business_ms,
    business_responses[intDiv(response_n * 9 + 9, 10)] AS response_p90_business_ms,
    response_due_n, response_kept_n,
    length(resolutions) AS resolution_n,
    arraySum(resolutions) AS resolution_sum_ms,
    resolutions[intDiv(resolution_n + 1, 2)] AS resolution_p50_ms,
    resolutions[intDiv(resolution_n * 9 + 9, 10)] AS resolution_p90_ms,
    arraySum(business_resolutions) AS resolution_sum_business_ms,
    business_resolutions[intDiv(resolution_n + 1, 2)] AS resolution_p50_business_ms,
    business_resolutions[intDiv(resolution_n * 9 + 9, 10)] AS resolution_p90_business_ms,
    resolution_reopened_n, resolution_due_n, resolution_kept_n, quality_n, quality_sum,
    rating_n, rating_sum_bp, rating_sum_squares_bp2, rating_satisfied_n
FROM cells
ORDER BY part, scope != 'district', scope, school, department
