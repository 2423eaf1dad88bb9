-- What was promised to each sort of contact: the most specific target and schedule of the newest directory.
CREATE TEMPORARY TABLE verify_promises AS
WITH
    (SELECT max(revision) FROM directory_revisions) AS newest,
    sorts AS (SELECT DISTINCT district, school, department, priority, audience, channel FROM verify_episodes WHERE number > 0),
    promised AS
    (
        SELECT
            s.district, s.school, s.department, s.priority, s.audience, s.channel,
            argMax(
                (t.response_ms, t.response_clock, t.resolution_ms, t.resolution_clock),
                (t.district != '', t.department != '', t.priority != '', t.audience != '', t.channel != '')
            ) AS target
        FROM sorts AS s
        CROSS JOIN (SELECT * FROM targets FINAL WHERE revision = newest) AS t
        WHERE t.district IN ('', s.district) AND t.department IN ('', s.department) AND t.priority IN ('', s.priority)
            AND t.audience IN ('', s.audience) AND t.channel IN ('', s.channel)
        GROUP BY s.district, s.school, s.department, s.priority, s.audience, s.channel
    ),
    scheduled AS
    (
        SELECT s.district, s.school, s.department, argMax(o.schedule, (o.district != '', o.department != '', o.school != '')) AS schedule
        FROM (SELECT DISTINCT district, school, department FROM sorts) AS s
        CROSS JOIN (SELECT * FROM schedules FINAL WHERE revision = newest) AS o
        WHERE o.district IN ('', s.district) AND o.department IN ('', s.department) AND o.school IN ('', s.school)
        GROUP BY s.district, s.school, s.department
    )
SELECT
    p.district AS district, p.school AS school, p.department AS department, p.priority AS priority, p.audience AS audience,
    p.channel AS channel, o.schedule AS schedule, p.target.1 AS response_ms, p.target.2 AS response_clock,
    p.target.3 AS resolution_ms, p.target.4 AS resolution_clock
FROM promised AS p
INNER JOIN scheduled AS o ON o.district = p.district AND o.school = p.school AND o.department = p.department
