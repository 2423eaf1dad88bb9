-- Districts, schools and departments that contacts of the last 28 days name and the newest directory does not list. They are counted, with
-- the defaults of their district or of the file; a slip of the pen in a system that publishes shows here. It is read from the cells of the
-- windows, not from cases: so it costs as much as there are places, however long the history is.
CREATE OR REPLACE VIEW unlisted AS
WITH (SELECT max(revision) FROM directory_revisions) AS newest
SELECT
    district,
    scope AS kind,
    multiIf(scope = 'district', district, scope = 'school', school, department) AS id,
    maxIf(contact_n, window = '28d') AS contacts,
    maxIf(contact_n, window = '24h') AS contacts_24h,
    maxIf(contact_n, window = '1h') AS contacts_1h
FROM windows FINAL
WHERE scope IN ('district', 'school', 'department')
    AND (scope = 'district') = (district NOT IN (SELECT district FROM districts FINAL WHERE revision = newest))
    AND (scope != 'school' OR (district, school) NOT IN (SELECT district, school FROM schools FINAL WHERE revision = newest))
    AND (scope != 'department' OR (district, department) NOT IN (SELECT district, department FROM departments FINAL WHERE revision = newest))
GROUP BY district, scope, id
HAVING contacts > 0;
