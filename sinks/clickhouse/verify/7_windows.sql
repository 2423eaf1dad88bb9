-- The numbers of each cell and window as of each district's newest row: what every fact contributes, where, at which minute,
-- added up by place, then by cell. Percentiles are exact here (nearest rank).
CREATE TEMPORARY TABLE verify_windows AS
WITH
    contributions AS
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
            district, m.2 AS place, m.1 AS measure, '' AS who,
            intDiv(toUnixTimestamp64Milli(assumeNotNull(m.3)), 60000) AS minute, ifNull(m.4, 0) AS a, ifNull(m.5, 0) AS b
        FROM verify_facts
        ARRAY JOIN arrayFilter(x -> x.3 IS NOT NULL, measures) AS m
        WHERE received_at IS NOT NULL AND status != 'spam'
        UNION ALL
        SELECT district, (school, department), 'message', m.2, intDiv(m.1, 60000), 0, 0
        FROM verify_facts
        ARRAY JOIN messages AS m
        WHERE received_at IS NOT NULL AND status != 'spam'
    ),
    ends AS
    (
        SELECT district, intDiv(toUnixTimestamp(max(as_of)), 60) AS minute
        FROM windows FINAL
        WHERE partition = %(partition)s AND district BETWEEN %(first)s AND %(last)s
        GROUP BY district
    ),
    -- panes of (minutes, how many): those > floor(as_of / pane) - n are in
    spans AS
    (
        SELECT district, minute AS last, w.1 AS window, (intDiv(minute, w.2) - w.3 + 1) * w.2 AS first
        FROM ends
        ARRAY JOIN [('1h', 1, 60), ('24h', 15, 96), ('7d', 120, 84), ('28d', 720, 56)] AS w
    ),
    places AS
    (
        SELECT
            c.district AS district, c.place.1 AS school, c.place.2 AS department, s.window AS window,
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
        FROM contributions AS c
        INNER JOIN spans AS s ON s.district = c.district
        WHERE c.minute BETWEEN s.first AND s.last
        GROUP BY district, school, department, window
    ),
    cells AS
    (
        SELECT
            district, cell.1 AS scope, cell.2 AS school, cell.3 AS department, window,
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
        GROUP BY district, scope, school, department, window
    )
SELECT
    district, scope, school, department, window, contact_n, message_n, stakeholder_n,
    length(responses) AS response_n,
    arraySum(responses) AS response_sum_ms,
    toFloat64(responses[intDiv(response_n + 1, 2)]) AS response_p50_ms,
    toFloat64(responses[intDiv(response_n * 9 + 9, 10)]) AS response_p90_ms,
    arraySum(business_responses) AS response_sum_business_ms,
    toFloat64(business_responses[intDiv(response_n + 1, 2)]) AS response_p50_business_ms,
    toFloat64(business_responses[intDiv(response_n * 9 + 9, 10)]) AS response_p90_business_ms,
    response_due_n, response_kept_n, response_due_n - response_kept_n AS response_missed_n,
    length(resolutions) AS resolution_n,
    arraySum(resolutions) AS resolution_sum_ms,
    toFloat64(resolutions[intDiv(resolution_n + 1, 2)]) AS resolution_p50_ms,
    toFloat64(resolutions[intDiv(resolution_n * 9 + 9, 10)]) AS resolution_p90_ms,
    arraySum(business_resolutions) AS resolution_sum_business_ms,
    toFloat64(business_resolutions[intDiv(resolution_n + 1, 2)]) AS resolution_p50_business_ms,
    toFloat64(business_resolutions[intDiv(resolution_n * 9 + 9, 10)]) AS resolution_p90_business_ms,
    resolution_reopened_n, resolution_due_n, resolution_kept_n, resolution_due_n - resolution_kept_n AS resolution_missed_n,
    quality_n, quality_sum, rating_n, rating_sum_bp, rating_sum_squares_bp2, rating_satisfied_n
FROM cells
