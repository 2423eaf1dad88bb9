-- What the events of each episode say by themselves, without schedules and targets. Instants in milliseconds.
CREATE TEMPORARY TABLE verify_episodes AS
WITH
    arrayFilter(e -> e.k = 2 AND e.answers, told) AS answered_by,
    arrayFilter(e -> e.k = 3, told) AS resolved_by,
    arrayFilter(e -> e.k = 4, told) AS rated_by,
    -- turns: a run of contacts that wait, and what ends it (a reply, measured; a resolution, unmeasured)
    arrayFilter(e -> (e.k = 1 AND e.needs_reply) OR (e.k = 2 AND e.answers) OR e.k = 3, told) AS talk,
    arrayShiftRight(arrayMap(e -> e.k, talk), 1) AS said_before,
    arrayFilter((e, before) -> e.k = 1 AND before != 1, talk, said_before) AS asks,
    arrayFilter((e, before) -> e.k != 1 AND before = 1, talk, said_before) AS ends,
    -- reopenings: by which resolution (1, 2, ...) each event was preceded last
    arrayCumSum(arrayMap(e -> toUInt32(e.k = 3), told)) AS after,
    length(resolved_by) AS last_of_all,
    arrayDistinct(arrayFilter((n, e) -> n > 0 AND e.k = 1 AND e.needs_reply, after, told)) AS undone,
    arrayDistinct(arrayFilter((n, e) -> n > 0 AND n < last_of_all AND e.k = 2 AND e.answers, after, told)) AS contested,
    last_of_all > 0 AND NOT has(undone, last_of_all) AS resolved,
    number > 0 AS contacted
SELECT
    district,
    subject,
    number,
    concat(opening.1, ' ', opening.2) AS episode,
    told[1].t AS opened,
    contacted ? opening.3 : '' AS school,
    contacted ? opening.4 : '' AS department,
    contacted ? opening.5 : '' AS stakeholder,
    contacted ? opening.6 : '' AS audience,
    contacted ? opening.7 : '' AS channel,
    contacted ? opening.8 : '' AS language,
    contacted ? opening.9 : '' AS topic,
    contacted ? opening.10 : '' AS priority,
    contacted AND opening.11 AS needs_reply,
    multiIf(
        resolved AND resolved_by[-1].outcome = 'spam', 'spam',
        resolved, 'resolved',
        length(asks) = length(ends) AND notEmpty(answered_by), 'answered',
        'open'
    ) AS status,
    contacted ? opened : NULL AS received,
    contacted AND notEmpty(answered_by) ? answered_by[1].t : NULL AS responded,
    responded IS NULL ? '' : (answered_by[1].school = '' ? school : answered_by[1].school) AS responded_school,
    responded IS NULL ? '' : (answered_by[1].department = '' ? department : answered_by[1].department) AS responded_department,
    toUInt32(arrayCount(e -> e.k = 2, ends)) AS turns_n,
    toUInt64(arraySum((ask, end) -> end.k = 2 ? end.t - ask.t : 0, arraySlice(asks, 1, length(ends)), ends)) AS turns_sum_ms,
    length(asks) > length(ends) ? asks[-1].t : NULL AS waiting,
    last_of_all > 0 ? resolved_by[1].t : NULL AS first_resolved,
    resolved ? resolved_by[-1].t : NULL AS last_resolved,
    NOT resolved ? '' : (resolved_by[-1].school = '' ? school : resolved_by[-1].school) AS resolved_school,
    NOT resolved ? '' : (resolved_by[-1].department = '' ? department : resolved_by[-1].department) AS resolved_department,
    resolved_by[-1].outcome AS outcome,
    toUInt32(length(arrayDistinct(arrayConcat(undone, contested)))) AS reopens,
    notEmpty(rated_by) ? rated_by[-1].rating : NULL AS rating,
    notEmpty(rated_by) ? rated_by[-1].t : NULL AS rated,
    toUInt32(arrayCount(e -> e.k = 1, told)) AS contacts,
    toUInt32(length(answered_by)) AS replies,
    toUInt32(last_of_all) AS resolutions,
    toUInt32(conflicting_ids) AS conflicts,
    arrayMap(e -> (e.t, e.stakeholder), arrayFilter(e -> e.k = 1, told)) AS messages
FROM
(
    SELECT
        district,
        subject,
        number,
        arraySort(groupArray(CAST(
            (t, k, source, id, school, department, stakeholder, needs_reply, answers, outcome, rating),
            'Tuple(t Int64, k UInt8, source String, id String, school String, department String, stakeholder String, needs_reply UInt8, answers UInt8, outcome String, rating Float64)'
        ))) AS told,
        argMin((source, id, school, department, stakeholder, audience, channel, language, topic, priority, needs_reply), (t, k, source, id)) AS opening,
        countIf(conflicting) AS conflicting_ids
    FROM verify_events
    GROUP BY district, subject, number
)
