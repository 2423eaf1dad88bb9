(school, department) AS asked,
(responded_school, responded_department) AS responder,
(resolved_school, resolved_department) AS resolver,
[
    ('contact', asked, received_at, 0, 0),
    ('response', responder, first_response_at, response_ms, response_business_ms),
    ('response_due', asked, response_due_at + INTERVAL 1 MINUTE, ifNull(answered_at <= response_due_at, 0), 0),
    ('resolution', resolver, resolved_at, resolution_ms, resolution_business_ms),
    ('reopened', resolver, reopens > 0 ? resolved_at : NULL, 0, 0),
    ('resolution_due', asked, resolution_due_at + INTERVAL 1 MINUTE, ifNull(first_resolved_at <= resolution_due_at, 0), 0),
    ('quality', resolver, resolution_due_at IS NULL ? NULL : resolved_at, ifNull(resolved_at <= resolution_due_at, 0) AND reopens = 0, 0),
    ('rating', resolved_at IS NULL ? asked : resolver, rated_at, toInt64(floor(rating * 10000 + 0.5)), 0)
] AS measures
