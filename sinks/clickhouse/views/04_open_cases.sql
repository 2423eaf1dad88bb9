-- Questions that are not settled at the moment of reading, and where their promises stand. Rows of which some version is not
-- settled are found first, without FINAL, so that FINAL merges only those; a filter by columns of the key before it is exact.
CREATE OR REPLACE VIEW open_cases ${ON_CLUSTER} AS
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
        response_warn_at <= at, 'due soon',
        'in time'
    ) AS response_promise,
    resolution_due_at,
    multiIf(
        resolution_due_at IS NULL, 'no promise',
        resolution_due_at < at, 'missed',
        resolution_warn_at <= at, 'due soon',
        'in time'
    ) AS resolution_promise,
    contacts, replies, resolutions, reopens
FROM cases FINAL
PREWHERE (district, opened_at) IN (SELECT district, opened_at FROM cases WHERE resolved_at IS NULL)
WHERE is_deleted = 0 AND received_at IS NOT NULL AND resolved_at IS NULL;
