-- The score of each cell over 28 days, 0..100: half satisfaction, a quarter each for responses and resolutions, with what
-- each contributes and a 90 % interval. Under 10 ratings there is no score, and the reason stands beside it.
CREATE OR REPLACE VIEW scores ${ON_CLUSTER} AS
WITH
    10 AS fewest,
    1.6448536269514722 AS z90,
    50 * s + 25 * r + 25 * q AS plain,
    z90 * sqrt(pow(50, 2) * s_variance + pow(25, 2) * r_variance + pow(25, 2) * q_variance) AS margin
SELECT
    district, scope, school, department, as_of,
    s_n >= fewest ? plain : NULL AS score,
    s_n >= fewest ? greatest(0., plain - margin) : NULL AS score_low,
    s_n >= fewest ? least(100., plain + margin) : NULL AS score_high,
    s_n >= fewest ? '' : concat('fewer than ', toString(fewest), ' ratings in 28 days') AS score_reason,
    s AS satisfaction_part, r AS response_part, q AS quality_part,
    50 * s AS satisfaction_points, 25 * r AS response_points, 25 * q AS quality_points,
    s_n, r_n, q_n
FROM score_parts;
