-- The tables that the public numbers are parts of, each with the numbers that stay hidden, of the districts from `first` to `last` by name.
-- Not public. A district's month is divided in three ways: into its weeks, its schools and its departments, of which those that the
-- directory lists are here also where they are empty. One row for each part and each number (contacts; response, resolution and rating,
-- with their own people); '' in `part` is the total in the division `district`, and what belongs to no part elsewhere. `drawn` is the lot
-- by which parts are hidden beside small ones.
CREATE OR REPLACE VIEW cohort_tallies AS
WITH
    (SELECT max(revision) FROM directory_revisions) AS newest,
    ['contacts', 'response', 'response_promise', 'resolution', 'resolution_promise', 'rating'] AS numbers,
    months AS
    (
        SELECT district, arrayJoin(arrayMap(i -> addMonths(min(month), i), range(dateDiff('month', min(month), max(month)) + 1))) AS month
        FROM (SELECT district, month FROM cohorts WHERE district BETWEEN {first:String} AND {last:String} GROUP BY district, month HAVING uniqExactIf(stakeholder, stakeholder != '') >= 10)
        GROUP BY district
    ),
    parts AS
    (
        SELECT district, month, 'district' AS division, '' AS part FROM months
        UNION ALL
        SELECT district, month, 'week', toString(toMonday(month) + 7 * arrayJoin(range(6)) AS monday) FROM months WHERE toStartOfMonth(monday + 3) = month
        UNION ALL
        SELECT m.district, m.month, 'school', s.school
        FROM months AS m INNER JOIN (SELECT district, school FROM schools FINAL WHERE revision = newest) AS s ON s.district = m.district
        UNION ALL
        SELECT m.district, m.month, 'department', p.department
        FROM months AS m INNER JOIN (SELECT district, department FROM departments FINAL WHERE revision = newest) AS p ON p.district = m.district
        UNION ALL
        SELECT district, month, arrayJoin(['school', 'department']), '' FROM months
    ),
    tallies AS
    (
        SELECT
            district, month,
            arrayJoin([('district', ''), ('week', toString(week)), ('school', school), ('department', department)]) AS place,
            -- number, people, questions, sum, medians. Together: a row of each number for each question took more than twice as long
            [
                ('contacts', uniqExactIf(stakeholder, stakeholder != ''), count(), toInt64(0), NULL, NULL),
                ('response', uniqExactIf(stakeholder, stakeholder != '' AND response_ms IS NOT NULL), count(response_ms), toInt64(0), quantileExactLow(0.5)(response_ms), quantileExactLow(0.5)(response_business_ms)),
                ('response_promise', uniqExactIf(stakeholder, stakeholder != '' AND response_kept IS NOT NULL), count(response_kept), toInt64(ifNull(sum(response_kept), 0)), NULL, NULL),
                ('resolution', uniqExactIf(stakeholder, stakeholder != '' AND resolution_ms IS NOT NULL), count(resolution_ms), toInt64(0), quantileExactLow(0.5)(resolution_ms), quantileExactLow(0.5)(resolution_business_ms)),
                ('resolution_promise', uniqExactIf(stakeholder, stakeholder != '' AND resolution_kept IS NOT NULL), count(resolution_kept), toInt64(ifNull(sum(resolution_kept), 0)), NULL, NULL),
                ('rating', uniqExactIf(stakeholder, stakeholder != '' AND content IS NOT NULL), count(content), toInt64(ifNull(sum(content), 0)), NULL, NULL)
            ] AS tallied
        FROM cohorts
        WHERE district BETWEEN {first:String} AND {last:String}
        GROUP BY district, month, place
    )
SELECT district, month, division, part, number, drawn, tally.2 AS people, tally.3 AS n, tally.4 AS total, tally.5 AS p50_ms, tally.6 AS p50_business_ms
FROM
(
    SELECT
        every.district AS district, every.month AS month, every.division AS division, every.part AS part,
        arrayJoin(numbers) AS number,
        lower(hex(SHA256(concat(district, '\n', toString(month), '\n', part)))) AS drawn,
        arrayFirst(each -> each.1 = number, t.tallied) AS tally
    FROM parts AS every
    LEFT JOIN tallies AS t
        ON t.district = every.district AND t.month = every.month AND t.place.1 = every.division AND t.place.2 = every.part
);
