-- When each promise is due, and when four fifths of its time have passed: on a business clock the instant at which that
-- much open time has passed, in the first opening that has it; else plain addition.
CREATE TEMPORARY TABLE verify_deadlines AS
WITH
    promised AS
    (
        SELECT
            e.district AS district, e.subject AS subject, e.number AS number, p.schedule AS schedule, assumeNotNull(e.received) AS received,
            arrayJoin(arrayFilter(x -> x.3 IS NOT NULL, [
                ('response_warn', p.response_clock, e.needs_reply ? intDiv(p.response_ms * 8, 10) : NULL),
                ('response_due', p.response_clock, e.needs_reply ? p.response_ms : NULL),
                ('resolution_warn', p.resolution_clock, intDiv(p.resolution_ms * 8, 10)),
                ('resolution_due', p.resolution_clock, p.resolution_ms)
            ])) AS promise
        FROM verify_episodes AS e
        INNER JOIN verify_promises AS p
            ON p.district = e.district AND p.subject = e.subject AND p.number = e.number
        WHERE e.number > 0
    ),
    wanted AS
    (
        SELECT
            p.district AS district, p.subject AS subject, p.number AS number, p.schedule AS schedule, p.promise.1 AS what, p.promise.2 AS clock,
            p.received + assumeNotNull(p.promise.3) AS by_calendar, c.open + assumeNotNull(p.promise.3) AS open
        FROM promised AS p
        INNER JOIN verify_clocks AS c ON c.schedule = p.schedule AND c.at = p.received
    ),
    found AS
    (
        SELECT
            w.district AS district, w.subject AS subject, w.number AS number, w.what AS what,
            w.clock = 'calendar' ? w.by_calendar : least(o.opens + w.open - o.before, o.closes) AS due
        FROM wanted AS w
        ASOF LEFT JOIN
        (
            SELECT schedule, toUnixTimestamp64Milli(opens_at) AS opens, toUnixTimestamp64Milli(closes_at) AS closes, open_before_ms AS before
            FROM openings FINAL
            WHERE schedule IN (SELECT schedule FROM verify_promises)
        ) AS o ON o.schedule = w.schedule AND o.before < w.open
    )
SELECT
    district, subject, number,
    anyIf(toNullable(due), what = 'response_warn') AS response_warn,
    anyIf(toNullable(due), what = 'response_due') AS response_due,
    anyIf(toNullable(due), what = 'resolution_warn') AS resolution_warn,
    anyIf(toNullable(due), what = 'resolution_due') AS resolution_due
FROM found
GROUP BY district, subject, number
