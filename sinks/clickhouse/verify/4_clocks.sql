-- Open time of each schedule up to each instant that matters: that of the last opening before it, and how much of that had passed.
CREATE TEMPORARY TABLE verify_clocks AS
WITH
    instants AS
    (
        SELECT DISTINCT p.schedule AS schedule, arrayJoin(arrayFilter(x -> x IS NOT NULL, [e.received, e.responded, e.first_resolved, e.last_resolved])) AS at
        FROM verify_episodes AS e
        INNER JOIN verify_promises AS p
            ON p.district = e.district AND p.subject = e.subject AND p.number = e.number
        WHERE e.number > 0
    )
SELECT i.schedule AS schedule, i.at AS at, o.before + least(i.at, o.closes) - o.opens AS open
FROM (SELECT schedule, assumeNotNull(at) AS at FROM instants) AS i
ASOF LEFT JOIN
(
    SELECT schedule, toUnixTimestamp64Milli(opens_at) AS opens, toUnixTimestamp64Milli(closes_at) AS closes, open_before_ms AS before
    FROM openings FINAL
    WHERE schedule IN (SELECT schedule FROM verify_promises)
) AS o ON o.schedule = i.schedule AND o.opens <= i.at
