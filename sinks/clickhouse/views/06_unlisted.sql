-- Districts, schools and departments that contacts name and the newest directory does not list. They are counted, with the
-- defaults of their district or of the file; a slip of the pen in a system that publishes shows here.
CREATE OR REPLACE VIEW unlisted ${ON_CLUSTER} AS
WITH
    (SELECT max(revision) FROM directory_revisions) AS newest,
    arrayJoin([('district', district), ('school', school), ('department', department)]) AS named
SELECT
    district,
    named.1 AS kind,
    named.2 AS id,
    sum(of_place.contacts) AS contacts,
    min(of_place.first_seen_at) AS first_seen_at,
    max(of_place.last_seen_at) AS last_seen_at
FROM
(
    SELECT district, school, department, count() AS contacts, min(received_at) AS first_seen_at, max(received_at) AS last_seen_at
    FROM cases FINAL
    WHERE is_deleted = 0 AND received_at IS NOT NULL
    GROUP BY district, school, department
) AS of_place
WHERE id != ''
    AND (kind = 'district') = (district NOT IN (SELECT district FROM districts FINAL WHERE revision = newest))
    AND (kind != 'school' OR (district, id) NOT IN (SELECT district, school FROM schools FINAL WHERE revision = newest))
    AND (kind != 'department' OR (district, id) NOT IN (SELECT district, department FROM departments FINAL WHERE revision = newest))
GROUP BY district, kind, id;
