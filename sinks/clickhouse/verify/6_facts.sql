-- The facts of each episode, as `cases` should have them, under the same names.
CREATE TEMPORARY TABLE verify_facts AS
WITH e.number > 0 AS contacted
SELECT
    e.district AS district,
    fromUnixTimestamp64Milli(e.opened, 'UTC') AS opened_at,
    e.subject AS subject, e.episode AS episode, e.school AS school, e.department AS department, e.stakeholder AS stakeholder,
    e.audience AS audience, e.channel AS channel, e.language AS language, e.topic AS topic, e.priority AS priority,
    e.needs_reply AS needs_reply, e.status AS status,
    fromUnixTimestamp64Milli(e.received, 'UTC') AS received_at,
    fromUnixTimestamp64Milli(e.responded, 'UTC') AS first_response_at,
    e.responded_school AS responded_school, e.responded_department AS responded_department,
    fromUnixTimestamp64Milli(d.response_warn, 'UTC') AS response_warn_at,
    fromUnixTimestamp64Milli(d.response_due, 'UTC') AS response_due_at,
    fromUnixTimestamp64Milli(contacted ? least(ifNull(e.responded, e.first_resolved), ifNull(e.first_resolved, e.responded)) : NULL, 'UTC') AS answered_at,
    e.turns_n AS turns_n, e.turns_sum_ms AS turns_sum_ms,
    fromUnixTimestamp64Milli(e.waiting, 'UTC') AS waiting_since,
    fromUnixTimestamp64Milli(e.first_resolved, 'UTC') AS first_resolved_at,
    fromUnixTimestamp64Milli(e.last_resolved, 'UTC') AS resolved_at,
    e.resolved_school AS resolved_school, e.resolved_department AS resolved_department, e.outcome AS outcome, e.reopens AS reopens,
    fromUnixTimestamp64Milli(d.resolution_warn, 'UTC') AS resolution_warn_at,
    fromUnixTimestamp64Milli(d.resolution_due, 'UTC') AS resolution_due_at,
    e.rating AS rating,
    fromUnixTimestamp64Milli(e.rated, 'UTC') AS rated_at,
    e.contacts AS contacts, e.replies AS replies, e.resolutions AS resolutions,
    contacted ? e.responded - e.received : NULL AS response_ms,
    contacted AND e.responded IS NOT NULL ? responded.open - received.open : NULL AS response_business_ms,
    contacted ? e.first_resolved - e.received : NULL AS first_resolution_ms,
    contacted AND e.first_resolved IS NOT NULL ? first_resolved.open - received.open : NULL AS first_resolution_business_ms,
    contacted ? e.last_resolved - e.received : NULL AS resolution_ms,
    contacted AND e.last_resolved IS NOT NULL ? last_resolved.open - received.open : NULL AS resolution_business_ms,
    e.conflicts AS conflicts,
    e.messages AS messages
FROM verify_episodes AS e
LEFT JOIN verify_promises AS p
    ON p.district = e.district AND p.subject = e.subject AND p.number = e.number
LEFT JOIN verify_deadlines AS d ON d.district = e.district AND d.subject = e.subject AND d.number = e.number
LEFT JOIN verify_clocks AS received ON received.schedule = p.schedule AND received.at = e.received
LEFT JOIN verify_clocks AS responded ON responded.schedule = p.schedule AND responded.at = e.responded
LEFT JOIN verify_clocks AS first_resolved ON first_resolved.schedule = p.schedule AND first_resolved.at = e.first_resolved
LEFT JOIN verify_clocks AS last_resolved ON last_resolved.schedule = p.schedule AND last_resolved.at = e.last_resolved
