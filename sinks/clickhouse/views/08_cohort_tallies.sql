-- The tables that the public numbers are parts of, each with the numbers that stay hidden. Not public. A district's month is divided in
-- three ways: into its weeks, its schools and its departments, of which those that the directory lists are here also where they are
-- empty. One row for each part and each number (contacts; response, resolution and rating, with their own people); '' in `part` is the
-- total in the division `district`, and what belongs to no part elsewhere. `drawn` is the lot by which parts are hidden beside small ones.
CREATE OR REPLACE VIEW cohort_tallies ${ON_CLUSTER} AS
WITH
    (SELECT max(revision) FROM directory_revisions) AS newest,
    ['contacts', 'response', 'response_promise', 'resolution', 'resolution_promise', 'rating'] AS numbers,
    months AS
    (
        SELECT district, arrayJoin(arrayMap(i -> addMonths(min(month), i), range(dateDiff('month', min(month), max(month)) + 1))) AS month
        FROM (SELECT district, month FROM cohorts GROUP BY district, month HAVING uniqExactIf(stakeholder, stakeholder != '') >= 10)
        GROUP BY district
    ),
    parts AS
    (
        SELECT district, month, 'district' AS division, '' AS part FROM months
        UNION ALL
        SELECT district, month, 'week', toString(toMonday(month + 3) + 7 * arrayJoin(range(intDiv(toMonday(toLastDayOfMonth(month) - 3) - toMonday(month + 3), 7) + 1)))
        FROM months
        UNION ALL
        SELECT m.district, m.month, 'school', s.school
        FROM months AS m INNER JOIN (SELECT district, school FROM schools FINAL WHERE revision = newest) AS s ON s.district = m.district
        UNION ALL
        SELECT m.district, m.month, 'department', p.department
        FROM months AS m INNER JOIN (SELECT district, department FROM departments FINAL WHERE revision = newest) AS p ON p.district = m.district
        UNION ALL
        SELECT district, month, arrayJoin(['school', 'department']), '' FROM months
    ),
    told AS
    (
        SELECT
            district,
            month,
            arrayJoin([('district', ''), ('week', toString(week)), ('school', school), ('department', department)]) AS place,
            arrayJoin([
                ('contacts', toNullable(toInt64(1)), toNullable(toInt64(1))),
                ('response', response_ms, response_business_ms),
                ('response_promise', response_kept, response_kept),
                ('resolution', resolution_ms, resolution_business_ms),
                ('resolution_promise', resolution_kept, resolution_kept),
                ('rating', content, content)
            ]) AS measured,
            stakeholder
        FROM cohorts
    ),
    tallies AS
    (
        SELECT
            district, month, place.1 AS division, place.2 AS part, measured.1 AS number,
            uniqExactIf(stakeholder, stakeholder != '') AS people,
            count() AS n,
            sum(measured.2) AS total,
            quantileExactLow(0.5)(measured.2) AS p50,
            quantileExactLow(0.5)(measured.3) AS p50_business
        FROM told
        WHERE measured.2 IS NOT NULL
        GROUP BY district, month, division, part, number
    )
SELECT
    every.district AS district, every.month AS month, every.division AS division, every.part AS part, every.number AS number,
    lower(hex(SHA256(concat(every.district, '\n', toString(every.month), '\n', every.part)))) AS drawn,
    t.people AS people, t.n AS n, t.total AS total, t.p50 AS p50_ms, t.p50_business AS p50_business_ms
FROM (SELECT *, arrayJoin(numbers) AS number FROM parts) AS every
LEFT JOIN tallies AS t
    ON t.district = every.district AND t.month = every.month AND t.division = every.division AND t.part = every.part AND t.number = every.number;
