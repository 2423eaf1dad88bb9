-- What was promised to each contact: the most specific targets and schedule of the newest directory that were in force when
-- it was received. Contacts of one sort and one era (between two instants at which anything begins to be in force) are alike.
CREATE TEMPORARY TABLE verify_promises AS
WITH
    (SELECT max(revision) FROM directory_revisions) AS newest,
    (
        SELECT arraySort(groupUniqArray(toUnixTimestamp64Milli(valid_from)))
        FROM (SELECT valid_from FROM schedules FINAL WHERE revision = newest UNION ALL SELECT valid_from FROM targets FINAL WHERE revision = newest)
    ) AS beginnings,
    contacts AS
    (
        SELECT
            district, subject, number, school, department, priority, audience, channel,
            arrayLast(begins -> begins <= received, beginnings) AS era
        FROM verify_episodes
        WHERE number > 0
    ),
    sorts AS (SELECT DISTINCT district, school, department, priority, audience, channel, era FROM contacts),
    promised AS
    (
        WITH (t.district != '', t.department != '', t.priority != '', t.audience != '', t.channel != '', t.valid_from) AS weight
        SELECT
            s.district, s.school, s.department, s.priority, s.audience, s.channel, s.era,
            argMaxIf((t.response_ms, t.response_clock), weight, t.response_clock != '') AS response,
            argMaxIf((t.resolution_ms, t.resolution_clock), weight, t.resolution_clock != '') AS resolution
        FROM sorts AS s
        CROSS JOIN (SELECT * FROM targets FINAL WHERE revision = newest) AS t
        WHERE t.district IN ('', s.district) AND t.department IN ('', s.department) AND t.priority IN ('', s.priority)
            AND t.audience IN ('', s.audience) AND t.channel IN ('', s.channel) AND toUnixTimestamp64Milli(t.valid_from) <= s.era
        GROUP BY s.district, s.school, s.department, s.priority, s.audience, s.channel, s.era
    ),
    scheduled AS
    (
        SELECT
            s.district, s.school, s.department, s.era,
            argMax(o.schedule, (o.district != '', o.department != '', o.school != '', o.valid_from)) AS schedule
        FROM (SELECT DISTINCT district, school, department, era FROM sorts) AS s
        CROSS JOIN (SELECT * FROM schedules FINAL WHERE revision = newest) AS o
        WHERE o.district IN ('', s.district) AND o.department IN ('', s.department) AND o.school IN ('', s.school)
            AND toUnixTimestamp64Milli(o.valid_from) <= s.era
        GROUP BY s.district, s.school, s.department, s.era
    )
SELECT
    c.district AS district, c.subject AS subject, c.number AS number, o.schedule AS schedule,
    p.response.1 AS response_ms, p.response.2 AS response_clock, p.resolution.1 AS resolution_ms, p.resolution.2 AS resolution_clock
FROM contacts AS c
INNER JOIN scheduled AS o ON o.district = c.district AND o.school = c.school AND o.department = c.department AND o.era = c.era
LEFT JOIN promised AS p
    ON p.district = c.district AND p.school = c.school AND p.department = c.department
    AND p.priority = c.priority AND p.audience = c.audience AND p.channel = c.channel AND p.era = c.era
