-- The three parts of the score of each cell over 28 days: S satisfaction (mean rating, 0..1), R first responses in time,
-- Q resolutions in time and never reopened. Each is pulled towards its parent by as much as 12 answers would weigh:
-- a district towards 0.7, everything else towards its district, so that a few answers make neither heroes nor villains.
-- Mean and mean square are both pulled, and give the variance of the part, s² / (n + m); a share is its own mean square.
CREATE OR REPLACE VIEW score_parts ${ON_CLUSTER} AS
WITH
    12 AS m,
    0.7 AS prior,
    raw AS
    (
        SELECT
            district, scope, school, department, as_of,
            rating_n, rating_sum_bp / 1e4 AS rating_sum, rating_sum_squares_bp2 / 1e8 AS rating_sum_squares,
            response_due_n, response_kept_n, quality_n, quality_sum
        FROM windows FINAL
        WHERE window = '28d'
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
    c.rating_n AS s_n, c.response_due_n AS r_n, c.quality_n AS q_n,
    (c.rating_sum + m * (c.scope = 'district' ? prior : p.s)) / (c.rating_n + m) AS s,
    (c.response_kept_n + m * (c.scope = 'district' ? prior : p.r)) / (c.response_due_n + m) AS r,
    (c.quality_sum + m * (c.scope = 'district' ? prior : p.q)) / (c.quality_n + m) AS q,
    greatest(0, (c.rating_sum_squares + m * (c.scope = 'district' ? prior : p.s_square)) / (c.rating_n + m) - s * s) / (c.rating_n + m) AS s_variance,
    r * (1 - r) / (c.response_due_n + m) AS r_variance,
    q * (1 - q) / (c.quality_n + m) AS q_variance
FROM raw AS c
LEFT JOIN parents AS p ON p.district = c.district;
