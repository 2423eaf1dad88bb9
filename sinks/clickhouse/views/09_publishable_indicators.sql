-- What may be published of the districts from `first` to `last`, by name: the numbers of completed months and their weeks, for each listed district, and of months for its schools and
-- departments, as they are by now. Not public itself: `public_indicators` has what was released of it, as it was then. Null is what is
-- hidden: a number of fewer than 10 people, or one that would give such a number away by subtraction.
-- Medians are in whole minutes, shares in whole percents and away from 0 and 1: of under 20 people within 0.2 and 0.8, of under 40
-- within 0.1 and 0.9, of under 100 within 0.05 and 0.95, else within 0.02 and 0.98, so that none tells of all. The rule is that of
-- `projections/suppression.py`, the reasons stand in docs/privacy.md.
CREATE OR REPLACE VIEW publishable_indicators AS
WITH
    (SELECT max(revision) FROM directory_revisions) AS newest,
    10 AS fewest,
    judged AS
    (
        SELECT
            *,
            multiIf(people < 20, 20, people < 40, 10, people < 100, 5, 2) AS margin,
            least(100 - margin, greatest(margin, intDiv(200 * total + n, nullIf(2 * n, 0)))) / 100 AS share,
            division IN ('school', 'department') AND part = '' AS is_rest,
            NOT is_rest AND people < fewest AS is_small,
            is_rest AND n > 0 ? greatest(people, 1) : people AS members, -- who wrote without a pseudonym is somebody
            is_small OR is_rest AS is_hidden_first,
            countIf(is_small OR is_rest AND members BETWEEN 1 AND fewest - 1) OVER whole > 0 AS is_needed,
            countIf(NOT is_hidden_first) OVER drawn_before + countIf(is_rest AND members >= fewest) OVER whole > 0 AS is_covered,
            sumIf(members, is_hidden_first) OVER whole + sumIf(members, NOT is_hidden_first) OVER drawn_before AS together,
            is_small OR is_needed AND (NOT is_covered OR together < 2 * fewest) AS is_hidden
        FROM cohort_tallies(first = {first:String}, last = {last:String})
        WINDOW
            whole AS (PARTITION BY district, month, division, number),
            drawn_before AS (PARTITION BY district, month, division, number ORDER BY drawn ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    cells AS
    (
        SELECT
            district, month, division, part,
            countIf(number = 'contacts' AND is_hidden) > 0 AS suppressed,
            anyIf(toNullable(people), number = 'contacts' AND NOT is_hidden) AS stakeholders,
            anyIf(toNullable(n), number = 'contacts' AND NOT is_hidden) AS contacts,
            anyIf(p50_ms, number = 'response' AND NOT is_hidden) AS response_p50_ms,
            anyIf(p50_business_ms, number = 'response' AND NOT is_hidden) AS response_p50_business_ms,
            anyIf(share, number = 'response_promise' AND NOT is_hidden) AS response_compliance,
            anyIf(p50_ms, number = 'resolution' AND NOT is_hidden) AS resolution_p50_ms,
            anyIf(p50_business_ms, number = 'resolution' AND NOT is_hidden) AS resolution_p50_business_ms,
            anyIf(share, number = 'resolution_promise' AND NOT is_hidden) AS resolution_compliance,
            anyIf(share, number = 'rating' AND NOT is_hidden) AS csat
        FROM judged
        WHERE NOT is_rest
        GROUP BY district, month, division, part
    ),
    duration -> suppressed ? NULL : intDiv(duration + 30000, 60000) * 60000 AS in_minutes
SELECT
    c.district AS district,
    c.division = 'week' ? 'district' : c.division AS scope,
    c.division = 'school' ? part : '' AS school,
    c.division = 'department' ? part : '' AS department,
    ds.name = '' ? c.district : ds.name AS district_name,
    sc.name = '' ? school : sc.name AS school_name,
    dp.name = '' ? department : dp.name AS department_name,
    c.division = 'week' ? 'week' : 'month' AS period,
    c.month AS month,
    c.division = 'week' ? toDate(part) : toMonday(month + 3) AS first_day,
    c.division = 'week' ? first_day + 6 : toMonday(toLastDayOfMonth(month) - 3) + 6 AS last_day,
    c.suppressed AS suppressed,
    c.stakeholders AS stakeholders,
    c.contacts AS contacts,
    in_minutes(c.response_p50_ms) AS response_p50_ms,
    in_minutes(c.response_p50_business_ms) AS response_p50_business_ms,
    c.suppressed ? NULL : c.response_compliance AS response_compliance,
    in_minutes(c.resolution_p50_ms) AS resolution_p50_ms,
    in_minutes(c.resolution_p50_business_ms) AS resolution_p50_business_ms,
    c.suppressed ? NULL : c.resolution_compliance AS resolution_compliance,
    c.suppressed ? NULL : c.csat AS csat
FROM cells AS c
INNER JOIN (SELECT district, name FROM districts FINAL WHERE revision = newest) AS ds ON ds.district = c.district
LEFT JOIN (SELECT district, school, name FROM schools FINAL WHERE revision = newest) AS sc
    ON sc.district = c.district AND sc.school = part AND c.division = 'school'
LEFT JOIN (SELECT district, department, name FROM departments FINAL WHERE revision = newest) AS dp
    ON dp.district = c.district AND dp.department = part AND c.division = 'department';
