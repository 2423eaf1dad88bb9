-- Every question of a completed month of a listed district, as it stood a week after the month's end, under the school and department
-- that the directory lists ('' for all others). Not public: `publishable_indicators` is made of it. A month is the ISO weeks whose
-- Thursday lies in it, so that months are whole weeks and their difference is no single day. It is complete when a worker has counted to the
-- eighth day after its last Sunday; what was answered, settled, due or rated after that day counts no more.
CREATE OR REPLACE VIEW cohorts AS
WITH
    (SELECT max(revision) FROM directory_revisions) AS newest,
    (instant, zone) -> toDate(left(toString(instant, zone), 10)) AS day_of,
    (received_at, zone) -> toMonday(day_of(received_at, zone)) AS week_of
SELECT
    c.district AS district,
    toStartOfMonth(week_of(assumeNotNull(received_at), d.zone) + 3) AS month,
    week_of(assumeNotNull(received_at), d.zone) AS week,
    toMonday(toLastDayOfMonth(month) - 3) + 13 AS last_day_known,
    s.school AS school,
    p.department AS department,
    c.stakeholder AS stakeholder,
    day_of(first_response_at, d.zone) <= last_day_known ? response_ms : NULL AS response_ms,
    day_of(first_response_at, d.zone) <= last_day_known ? response_business_ms : NULL AS response_business_ms,
    day_of(response_due_at, d.zone) <= last_day_known ? toNullable(ifNull(answered_at <= response_due_at, 0)) : NULL AS response_kept,
    day_of(first_resolved_at, d.zone) <= last_day_known ? first_resolution_ms : NULL AS resolution_ms,
    day_of(first_resolved_at, d.zone) <= last_day_known ? first_resolution_business_ms : NULL AS resolution_business_ms,
    day_of(resolution_due_at, d.zone) <= last_day_known ? toNullable(ifNull(first_resolved_at <= resolution_due_at, 0)) : NULL AS resolution_kept,
    day_of(rated_at, d.zone) <= last_day_known ? toNullable(rating >= 0.75) : NULL AS content
FROM (SELECT * FROM cases FINAL WHERE is_deleted = 0 AND received_at IS NOT NULL AND status != 'spam') AS c
INNER JOIN (SELECT district, zone FROM districts FINAL WHERE revision = newest) AS d ON d.district = c.district
INNER JOIN (SELECT partition, max(as_of) AS as_of FROM progress GROUP BY partition) AS counted ON counted.partition = c.partition
LEFT JOIN (SELECT district, school FROM schools FINAL WHERE revision = newest) AS s ON s.district = c.district AND s.school = c.school
LEFT JOIN (SELECT district, department FROM departments FINAL WHERE revision = newest) AS p
    ON p.district = c.district AND p.department = c.department
WHERE day_of(counted.as_of, d.zone) > last_day_known;
