-- Questions of a district (`open_cases(district = 'riverside')`; '' for all) that are not settled at the moment of reading, and where their
-- promises stand. A promise ends, kept or missed, with the first answer: a question that was settled once and asked again owes nothing more.
-- Whoever tells how promises of open questions stand reads it here. Rows of which some version is not settled are found first, without FINAL,
-- so that FINAL merges only those; a filter by a column of the key before it is exact, for it takes all versions of a row or none, and by
-- this one alone costs half of what a pair with the district does. No condition on the view would reach that search:
-- therefore the district is a parameter.
CREATE OR REPLACE VIEW open_cases AS
WITH now64(3, 'UTC') AS at
SELECT
    district, school, department, subject, episode, stakeholder, audience, channel, language, topic, priority, needs_reply, status,
    received_at,
    dateDiff('millisecond', received_at, at) AS age_ms,
    waiting_since,
    dateDiff('millisecond', waiting_since, at) AS waiting_ms,
    first_response_at, answered_at, response_due_at,
    multiIf(
        response_due_at IS NULL, 'no promise',
        answered_at <= response_due_at, 'kept',
        answered_at IS NOT NULL OR response_due_at < at, 'missed',
        response_warn_at < at, 'due soon',
        'in time'
    ) AS response_promise,
    first_resolved_at, resolution_due_at,
    multiIf(
        resolution_due_at IS NULL, 'no promise',
        first_resolved_at <= resolution_due_at, 'kept',
        first_resolved_at IS NOT NULL OR resolution_due_at < at, 'missed',
        resolution_warn_at < at, 'due soon',
        'in time'
    ) AS resolution_promise,
    multiIf(
        answered_at IS NULL AND response_due_at IS NOT NULL, 'response',
        first_resolved_at IS NULL AND resolution_due_at IS NOT NULL, 'resolution',
        ''
    ) AS next_promise,
    multiIf(next_promise = 'response', response_due_at, next_promise = 'resolution', resolution_due_at, NULL) AS next_due_at,
    contacts, replies, resolutions, reopens
FROM cases FINAL
PREWHERE ({district:String} = '' OR district = {district:String})
    AND opened_at IN (
        SELECT opened_at FROM cases WHERE ({district:String} = '' OR district = {district:String}) AND resolved_at IS NULL
    )
WHERE is_deleted = 0 AND received_at IS NOT NULL AND resolved_at IS NULL;
