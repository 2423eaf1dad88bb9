-- Promises that are about to break or are broken, as of the moment of reading: one row for each episode, target and stage,
-- whatever was announced or crashed. The warning is reached at 80 % of the time, the breach at the deadline; both end with
-- the answer. Spam was promised nothing. A bound on opened_at, which equals received_at here, reads those months only.
CREATE OR REPLACE VIEW breaches AS
WITH
    now64(3, 'UTC') AS at,
    arrayJoin([
        ('response', 'warning', response_warn_at, response_due_at, answered_at),
        ('response', 'breach', response_due_at, response_due_at, answered_at),
        ('resolution', 'warning', resolution_warn_at, resolution_due_at, first_resolved_at),
        ('resolution', 'breach', resolution_due_at, resolution_due_at, first_resolved_at)
    ]) AS promised
SELECT
    district, school, department, subject, episode, stakeholder, audience, channel, language, topic, priority, status,
    promised.1 AS target,
    promised.2 AS stage,
    opened_at,
    received_at,
    promised.3 AS reached_at,
    promised.4 AS due_at,
    promised.5 AS ended_at,
    ended_at IS NULL AS is_open,
    dateDiff('millisecond', due_at, ifNull(ended_at, at)) AS late_ms
FROM cases FINAL
WHERE is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam' AND reached_at < ifNull(ended_at, at) AND reached_at < at;
