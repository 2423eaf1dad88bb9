-- The three parts of the score of each cell over 28 days: S satisfaction (mean rating, 0..1), R first responses in time,
-- Q resolutions in time and never reopened. Each is pulled towards its parent by as much as m answers would weigh:
-- a district towards 0.7, everything else towards its district, so that a few answers make neither heroes nor villains.
-- Weights and m are those of the newest directory that are in force at the moment of reading; 0.50, 0.25, 0.25 and 12 otherwise.
-- Mean and mean square are both pulled, and give the variance of the part, s² / (n + m); a share is its own mean square.
CREATE OR REPLACE VIEW score_parts AS
WITH
    0.7 AS prior,
    (0.5, 0.25, 0.25, 12.) AS usual,
    in_force AS
    (
        SELECT district, argMax((satisfaction, response, resolution, m), valid_from) AS rule
        FROM score_weights FINAL
        WHERE revision = (SELECT max(revision) FROM directory_revisions) AND valid_from <= now64(3, 'UTC')
        GROUP BY district
    ),
    (SELECT groupArray(rule) FROM in_force WHERE district = '') AS for_all,
    raw AS
    (
        SELECT
            district, scope, school, department, as_of,
            rating_n, rating_sum_bp / 1e4 AS rating_sum, rating_sum_squares_bp2 / 1e8 AS rating_sum_squares,
            response_due_n, response_kept_n, quality_n, quality_sum,
            multiIf(f.rule.4 > 0, f.rule, notEmpty(for_all), for_all[1], usual) AS rule, rule.4 AS m
        FROM (SELECT * FROM windows FINAL WHERE window = '28d') AS w
        LEFT JOIN in_force AS f ON f.district = w.district AND f.district != ''
    ),
    parents AS
    (
        SELECT
            district,
            (rating_sum + m * prior) / (rating_n + m) AS s,
            (rating_sum_squares + m * prior) / (rating_n + m) AS s_square,
            (response_kept_n + m * prior) / (response_due_n + m) AS r,
            (quality_sum + m * prior) / (quality_n + m) AS q
        FROM raw
        WHERE scope = 'district'
    )
SELECT
    c.district AS district, c.scope AS scope, c.school AS school, c.department AS department, c.as_of AS as_of,
    c.rule.1 AS s_weight, c.rule.2 AS r_weight, c.rule.3 AS q_weight, c.m AS m,
    c.rating_n AS s_n, c.response_due_n AS r_n, c.quality_n AS q_n,
    (c.rating_sum + c.m * (c.scope = 'district' ? prior : p.s)) / (c.rating_n + c.m) AS s,
    (c.response_kept_n + c.m * (c.scope = 'district' ? prior : p.r)) / (c.response_due_n + c.m) AS r,
    (c.quality_sum + c.m * (c.scope = 'district' ? prior : p.q)) / (c.quality_n + c.m) AS q,
    greatest(0, (c.rating_sum_squares + c.m * (c.scope = 'district' ? prior : p.s_square)) / (c.rating_n + c.m) - s * s) / (c.rating_n + c.m) AS s_variance,
    r * (1 - r) / (c.response_due_n + c.m) AS r_variance,
    q * (1 - q) / (c.quality_n + c.m) AS q_variance
FROM raw AS c
LEFT JOIN parents AS p ON p.district = c.district;
