-- Promises that were not kept, as of the moment of reading: one row for each episode and promise. It ends with the answer.
CREATE OR REPLACE VIEW breaches ${ON_CLUSTER} AS
WITH
    now64(3, 'UTC') AS at,
    arrayJoin([
        ('response', response_due_at, answered_at),
        ('resolution', resolution_due_at, first_resolved_at)
    ]) AS promised
SELECT
    district, school, department, subject, episode, stakeholder, audience, channel, language, topic, priority, status,
    promised.1 AS promise,
    received_at,
    promised.2 AS due_at,
    promised.3 AS ended_at,
    ended_at IS NULL AS is_open,
    dateDiff('millisecond', due_at, ifNull(ended_at, at)) AS late_ms
FROM cases FINAL
WHERE is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam' AND due_at < ifNull(ended_at, at);
